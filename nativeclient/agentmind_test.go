package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"hufu/shared/client"
	"hufu/shared/wire"
	"hufu/shm"
)

func TestViewKeys(t *testing.T) {
	const now = 100 * time.Minute
	e := func(n uint64, state shm.State, from, to time.Duration) shm.Entry {
		return shm.Entry{ClientID: "B", ServerID: "HQ", SeckeyID: n, State: state, Usable: state <= shm.Retired,
			NotBefore: shm.BootTime(from), NotAfter: shm.BootTime(to)}
	}
	const from, late = now - 50*time.Minute, now - 80*time.Minute
	foreign := e(9, shm.Active, from, 2*now)
	foreign.ServerID = "other"
	for _, c := range []struct {
		name    string
		entries []shm.Entry
		want    string
	}{
		{"none", nil, "none 0 "},
		{"another server's", []shm.Entry{foreign}, "none 0 "},
		{"not yet verified", []shm.Entry{e(1, shm.Pending, from, 2*now)}, "none 0 "},
		{"fresh", []shm.Entry{e(1, shm.Expired, 0, 0), e(2, shm.Active, from, now+50*time.Minute)}, "fresh 2 active"},
		{"a quarter is left", []shm.Entry{e(2, shm.Active, late, now+27*time.Minute)}, "fresh 2 active"},
		{"less than a quarter", []shm.Entry{e(2, shm.Active, late, now+26*time.Minute)}, "soon 2 active"},
		{"a successor on its way", []shm.Entry{e(2, shm.Active, late, now+time.Minute), e(3, shm.Pending, now-time.Second, 2*now)}, "fresh 2 active"},
		{"one that hangs", []shm.Entry{e(2, shm.Active, late, now+time.Minute), e(3, shm.Pending, now-2*time.Minute, 2*now)}, "soon 2 active"},
		{"a newer one revoked", []shm.Entry{e(1, shm.Active, from, 2*now), e(2, shm.Revoked, from, 2*now)}, "fresh 1 active"},
		{"ended", []shm.Entry{e(1, shm.Expired, 0, 0), e(2, shm.Expired, 0, 0)}, "stale 2 expired"},
		{"replaced elsewhere", []shm.Entry{e(1, shm.Retired, from, 2*now)}, "stale 1 retired"},
	} {
		v := viewKeys(c.entries, "HQ", now)
		if got := fmt.Sprint(v.Freshness, " ", v.Seckeyid, " ", v.State); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if v.isCurrent() != (v.State == "active") {
			t.Errorf("%s: current %v", c.name, v.isCurrent())
		}
	}
}

func TestCauses(t *testing.T) {
	for want, errs := range map[string][]error{
		causeSegment:  {shm.ErrFull, fmt.Errorf("x: %w", shm.ErrGone), shm.ErrNoSpace},
		causeBusy:     {wire.CodeBusy},
		causeInternal: {wire.CodeInternal},
		causeMismatch: {wire.CodeMismatch},
		causeDenied:   {wire.CodeNotPermitted, wire.CodeRevoked},
		causeCheck:    {&client.CheckError{Check: client.CheckAuth}, fmt.Errorf("%w: %w", client.ErrLost, &client.CheckError{})},
		causeRefused:  {client.ErrRefused, &client.AddressError{Err: client.ErrRefused}},
		causeSilent:   {client.ErrSilent, context.DeadlineExceeded},
		causeClosed:   {&client.CloseError{Code: 1012}},
		causeAnswer:   {&client.AnswerError{Status: 502}, &proxyError{"p", "503"}},
		causeTLS:      {tls.RecordHeaderError{}},
		causeNetwork:  {io.ErrUnexpectedEOF},
	} {
		for _, err := range errs {
			if got := causeOf(err); got != want {
				t.Errorf("%v: %s, want %s", err, got, want)
			}
		}
	}
}

func TestWhyWiped(t *testing.T) {
	for want, c := range map[string]client.Change{
		whyEnd:      {State: wire.StateExpired, Ended: true},
		whyExpired:  {State: wire.StateExpired, Code: wire.CodeExpired},
		whyRevoked:  {State: wire.StateRevoked},
		whyMismatch: {State: wire.StateExpired, Code: wire.CodeMismatch},
		whyUnknown:  {State: wire.StateExpired, Code: wire.CodeNoKey},
		whyLost:     {},
	} {
		if got := whyWiped(c); got != want {
			t.Errorf("%+v: %s, want %s", c, got, want)
		}
	}
}

// TestVerdict: what is worst decides.
func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		freshness string
		agent     bool
		code      int
	}{
		{fresh, true, 0}, {soon, true, 7}, {stale, true, 8}, {none, true, 8},
		{fresh, false, 9}, {soon, false, 9}, {stale, false, 8}, {none, false, 8},
	} {
		if got := exitCode((&statusView{Freshness: c.freshness, Agent: c.agent}).verdict()); got != c.code {
			t.Errorf("%s, %v: %d", c.freshness, c.agent, got)
		}
	}
}

// TestRuns: an agent that has left a status file behind is not taken for one
// that runs.
func TestRuns(t *testing.T) {
	const now = time.Hour
	there, mine := shm.Info{Total: 8, Locked: true, WriterPID: 77}, os.Getpid()
	trouble := words{"x", "x"}
	for name, c := range map[string]struct {
		state agentState
		info  shm.Info
		want  bool
	}{
		"it holds the segment":      {agentState{PID: 77, Updated: now}, there, true},
		"heard of long ago":         {agentState{PID: 77, Updated: now - deadAfter - 1}, there, false},
		"of another boot":           {agentState{PID: 77, Updated: now + 1}, there, false},
		"it has ended in order":     {agentState{Updated: now}, there, false},
		"another writer":            {agentState{PID: 78, Updated: now}, there, false},
		"nobody writes":             {agentState{PID: 77, Updated: now}, shm.Info{Total: 8, WriterPID: 77}, false},
		"no segment, it is there":   {agentState{PID: mine, Updated: now, Trouble: trouble}, shm.Info{}, true},
		"no segment, it is not":     {agentState{PID: 1 << 30, Updated: now, Trouble: trouble}, shm.Info{}, false},
		"it cannot use a sound one": {agentState{PID: mine, Updated: now, Trouble: trouble}, there, true},
	} {
		if got := c.state.runs(c.info, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestSeveralAddresses: each failure stands with its address.
func TestSeveralAddresses(t *testing.T) {
	refused := &client.AddressError{Address: "ws://a", Err: client.ErrRefused}
	silent := &client.AddressError{Address: "ws://b", Err: client.ErrSilent}
	one := inEnglish(errors.Join(refused))
	if one != inEnglish(client.ErrRefused) {
		t.Error(one)
	}
	both := inEnglish(unreachable(errors.Join(errors.Join(refused), silent)))
	if both != "ws://a: "+inEnglish(client.ErrRefused)+"; ws://b: "+inEnglish(client.ErrSilent) {
		t.Error(both)
	}
}

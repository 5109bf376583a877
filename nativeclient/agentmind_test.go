package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hufu/shared/client"
	"hufu/shared/text"
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

// idle is an agent without segment, connection or command, whose log is kept.
func idle() (*agent, *bytes.Buffer) {
	var b bytes.Buffer
	return &agent{plan: planned(), log: slog.New(slog.NewTextHandler(&b, nil)),
		wakeClient: make(chan struct{}, 1), wakeMinder: make(chan struct{}, 1)}, &b
}

// TestWarns: well before the end, again when half of what is left has passed,
// and when it has come.
func TestWarns(t *testing.T) {
	a, log := idle()
	const end = 24 * time.Hour
	v := keyView{Freshness: fresh, Seckeyid: 3, NotAfter: end}
	var warned []string
	for now := time.Duration(0); now < end; now += 10 * time.Second {
		if v.Freshness = fresh; end-now < 6*time.Hour {
			v.Freshness = soon
		}
		a.warn(v, now)
		a.minder.view = v
		if log.Len() > 0 {
			if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "key=3") {
				t.Errorf("%s", log)
			}
			warned = append(warned, (end - now).String())
			log.Reset()
		}
	}
	want := "5h59m50s 4h59m50s 3h59m50s 2h59m50s 1h59m50s 59m50s 29m50s 14m50s 7m20s 3m40s 1m50s 50s"
	if got := strings.Join(warned, " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	v.Freshness = stale
	for range 3 {
		a.warn(v, end)
		a.minder.view = v
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 1 || !strings.Contains(log.String(), "stale") {
		t.Errorf("%s", log)
	}
	log.Reset()
	v = keyView{Freshness: fresh, Seckeyid: 4}
	a.warn(v, end)
	if !strings.Contains(log.String(), "msg=fresh key=4") {
		t.Errorf("%s", log)
	}
}

// TestResumed: after a suspend, in which the boot clock went on and the
// process's did not, the keys are verified at once.
func TestResumed(t *testing.T) {
	a, log := idle()
	keys := []client.HeldKey{held(1, wire.StateActive, 0, 24*time.Hour)}
	a.minder.started, a.minder.startedAt = time.Now(), bootClock()
	a.resumed()
	wantStep(t, a.plan, 0, keys, stepWait, 15*time.Minute)
	a.minder.startedAt -= time.Hour
	a.resumed()
	wantStep(t, a.plan, 0, keys, stepVerify, 0)
	if !strings.Contains(log.String(), "suspended=1h0m0s") {
		t.Errorf("%s", log)
	}
	select {
	case <-a.wakeClient:
	default:
		t.Error("the client was not woken")
	}
	a.plan.verified(0)
	a.resumed()
	wantStep(t, a.plan, 0, keys, stepWait, 15*time.Minute)
}

// TestProgress: a client's goroutine that hangs is found, and the watchdog is
// then left to bite.
func TestProgress(t *testing.T) {
	r := newReport(t.TempDir(), "x", wire.Token{}, []string{"a", "b"}, "/x")
	if !r.progress() {
		t.Error("it hangs from the start")
	}
	r.moved = time.Now().Add(-3*stuckAfter + time.Minute)
	if !r.progress() {
		t.Error("it is not given time for every address")
	}
	r.moved = time.Now().Add(-3 * stuckAfter)
	if r.progress() {
		t.Error("it hangs, and nobody notices")
	}
	r.alive()
	if !r.progress() {
		t.Error("it goes on, and nobody notices")
	}
}

// TestStatusFile: it is written when there is something to tell, or as a sign of
// life; readable by all, and nothing of it is left half written.
func TestStatusFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	r := newReport(dir, "seg", wire.Token{ClientID: "B", ServerID: "HQ"}, []string{"ws://a"}, "/dev/shm/seg")
	path := filepath.Join(dir, "agent-seg.json")
	written := func(now time.Duration) bool {
		t.Helper()
		if err := r.write(now); err != nil {
			t.Fatal(err)
		}
		_, err := os.Stat(path)
		os.Remove(path)
		return err == nil
	}
	for i, want := range []bool{true, false, false, true, false} { // at 0, 5, 10, 15, 20 s
		if got := written(time.Duration(i) * heartbeat / 3); got != want {
			t.Errorf("look %d: written %v", i, got)
		}
	}
	r.failed(causeNetwork, client.ErrSilent)
	r.failed(causeNetwork, client.ErrSilent)
	if !written(25 * time.Second) {
		t.Error("a change was not written")
	}
	r.succeeded(didVerify, 0)
	if err := r.write(26 * time.Second); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o644 {
		t.Errorf("%v, %v", st, err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	s, err := readState(dir, "", "seg")
	if err != nil || s.PID != os.Getpid() || s.ClientID != "B" || s.Failure.Cause != causeNetwork || s.Failure.Count != 0 ||
		s.Failure.in(text.Chinese) != describe(text.Chinese, client.ErrSilent) || s.Updated != 26*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if s, err = readState(dir, "", "seg"); err != nil || s.PID != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = readState(dir, "", "other"); err != nil || s != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestRunFolder(t *testing.T) {
	for _, c := range []struct{ set, systemd, session, want string }{
		{"/set", "/systemd", "/session", "/set"},
		{"", "/systemd:/more", "/session", "/systemd"},
		{"", "", "/session", "/session/hufu"},
		{"", "", "", "/home"},
	} {
		t.Setenv("RUNTIME_DIRECTORY", c.systemd)
		t.Setenv("XDG_RUNTIME_DIR", c.session)
		if got := runFolder(c.set, "/home"); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

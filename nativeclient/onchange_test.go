//go:build unix

package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// commanded is a running onChange whose ends are kept.
type commanded struct {
	*onChange
	ends chan error
}

func onChanges(t *testing.T, command string, within time.Duration) *commanded {
	t.Helper()
	c := &commanded{ends: make(chan error, 100)}
	c.onChange = &onChange{command: command, env: append(plainEnvironment(), "HUFU_CLIENT=B"), log: slog.New(slog.DiscardHandler),
		ended: func(err error) { c.ends <- err }, within: within, why: make(map[uint64]string), ready: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { c.run(ctx) })
	t.Cleanup(func() {
		stop()
		wg.Wait()
	})
	return c
}

func (c *commanded) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-c.ends:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the command did not end")
		return nil
	}
}

func currentKey(n uint64) keyView {
	return keyView{Freshness: fresh, Seckeyid: n, Fingerprint: "f" + strconv.FormatUint(n, 10), State: "active"}
}

// TestOnChangeTells: number and fingerprint in the environment, and none of the
// agent's own variables.
func TestOnChangeTells(t *testing.T) {
	t.Setenv("HUFU_TOKEN", "canary")
	t.Setenv("HTTPS_PROXY", "http://user:canary@proxy")
	t.Setenv("CREDENTIALS_DIRECTORY", "/canary")
	t.Setenv("NOTIFY_SOCKET", "@canary")
	out := filepath.Join(t.TempDir(), "out")
	c := onChanges(t, "env >"+out, time.Minute)
	c.look(currentKey(7))
	if err := c.end(t); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HUFU_EVENT=current\n", "HUFU_SECKEYID=7\n", "HUFU_FINGERPRINT=f7\n", "HUFU_WHY=\n", "HUFU_CLIENT=B\n", "PATH="} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("no %q in:\n%s", want, raw)
		}
	}
	if strings.Contains(string(raw), "canary") {
		t.Errorf("passed on:\n%s", raw)
	}
}

// TestOnChangeOrder: one at a time, and of what happens during one run the last
// is told.
func TestOnChangeOrder(t *testing.T) {
	dir := t.TempDir()
	out, going, on := filepath.Join(dir, "out"), filepath.Join(dir, "going"), filepath.Join(dir, "on")
	c := onChanges(t, "echo $HUFU_EVENT $HUFU_WHY $HUFU_SECKEYID >>"+out+"; touch "+going+"; while [ ! -e "+on+" ]; do sleep 0.01; done", time.Minute)
	c.look(currentKey(1))
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(going); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not run")
		}
	}
	c.look(currentKey(1))
	c.look(currentKey(2))
	c.look(currentKey(3))
	c.gone(3, whyRevoked)
	c.look(keyView{Freshness: stale, Seckeyid: 3, State: "revoked"})
	if err := os.WriteFile(on, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.end(t); err != nil {
			t.Error(err)
		}
	}
	if raw, err := os.ReadFile(out); err != nil || string(raw) != "current 1\nwiped revoked 3\n" {
		t.Errorf("%q, %v", raw, err)
	}
	if len(c.ends) > 0 {
		t.Error("it ran a third time")
	}
}

// TestOnChangeKilled: what takes too long is killed with all that it started,
// and so is what it leaves behind.
func TestOnChangeKilled(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	for command, fails := range map[string]string{
		"sleep 1000 & echo $! >" + pid + "; wait":                   "longer than",
		"sleep 1000 >/dev/null 2>&1 & echo $! >" + pid + "; exit 3": "exit status 3",
		"sleep 1000 >/dev/null 2>&1 </dev/null & echo $! >" + pid:   "",
	} {
		within := time.Minute
		if fails == "longer than" {
			within = 2 * time.Second
		}
		var raw []byte
		for ; len(raw) == 0 && within <= time.Minute; within *= 2 { // longer, if it was killed before it began
			os.Remove(pid)
			c := onChanges(t, command, within)
			c.look(currentKey(1))
			switch err := c.end(t); {
			case fails == "" && err != nil, fails != "" && (err == nil || !strings.Contains(err.Error(), fails)):
				t.Errorf("%s: %v", command, err)
			}
			raw, _ = os.ReadFile(pid)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); processRuns(n); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d still runs", command, n)
			}
		}
	}
}

// TestOnChangeEvents: what has become of the current key.
func TestOnChangeEvents(t *testing.T) {
	gone := func(n uint64, state string) keyView { return keyView{Freshness: stale, Seckeyid: n, State: state} }
	type told struct {
		n   uint64
		why string
	}
	for _, c := range []struct {
		name  string
		gone  []told
		views []keyView
		want  string
	}{
		{"none at the start", nil, []keyView{{Freshness: none}}, ""},
		{"an ended one at the start", nil, []keyView{gone(1, "expired")}, ""},
		{"the first", nil, []keyView{currentKey(1), currentKey(1)}, "current 1"},
		{"the next", nil, []keyView{currentKey(1), currentKey(2)}, "current 1, current 2"},
		{"its end", []told{{1, whyEnd}}, []keyView{currentKey(1), gone(1, "expired"), gone(1, "expired")}, "current 1, stale end 1"},
		{"its end, not yet wiped", nil, []keyView{currentKey(1), gone(1, "expired")}, "current 1, stale end 1"},
		{"mismatch", []told{{1, whyMismatch}}, []keyView{currentKey(1), gone(1, "expired"), currentKey(2)}, "current 1, wiped mismatch 1, current 2"},
		{"an older one's end", []told{{9, whyEnd}, {1, whyRevoked}}, []keyView{currentKey(1), gone(1, "revoked")}, "current 1, wiped revoked 1"},
		{"the segment", nil, []keyView{currentKey(1), {Freshness: none}}, "current 1, wiped lost 1"},
		{"replaced elsewhere", nil, []keyView{currentKey(1), gone(1, "retired"), gone(1, "retired")}, "current 1, retired 1"},
		{"a newer one at once gone", nil, []keyView{currentKey(1), gone(2, "revoked")}, "current 1, wiped revoked 2"},
	} {
		o := &onChange{why: make(map[uint64]string), ready: make(chan struct{}, 1)}
		var all []string
		for i, v := range c.views {
			if i == 1 {
				for _, g := range c.gone {
					o.gone(g.n, g.why)
				}
			}
			o.look(v)
			if o.next != nil {
				all = append(all, strings.Join(strings.Fields(o.next.event+" "+o.next.why+" "+strconv.FormatUint(o.next.seckeyid, 10)), " "))
				o.next = nil
			}
		}
		if got := strings.Join(all, ", "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	o := &onChange{why: make(map[uint64]string), ready: make(chan struct{}, 1)}
	o.look(currentKey(1))
	o.look(gone(1, "retired"))
	o.gone(1, whyEnd) // later its end comes too
	o.look(gone(1, "expired"))
	if o.last.event != eventStale {
		t.Errorf("%+v", o.last)
	}
}

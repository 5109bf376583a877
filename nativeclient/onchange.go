package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// commandWithin is how long the command on a change may take; then its process
// group is killed. outputLimit is how many bytes of its output are logged.
const (
	commandWithin = 30 * time.Second
	outputLimit   = 4 << 10
)

// The events that the command is told of.
const (
	eventCurrent = "current" // a key has become the one to seal with
	eventRetired = "retired" // it was replaced by one that is not here
	eventStale   = "stale"   // its end came without a successor
	eventWiped   = "wiped"   // it is gone before its end
)

// change is how things stand with the current key.
type change struct {
	event, why  string // why: with stale and wiped
	seckeyid    uint64
	fingerprint string
}

// onChange runs a command, /bin/sh -c, when another key is current or none is
// any more: one at a time, and of several changes during one run the last. At
// the start it is told of the current key too, since what a killed agent had to
// tell is lost.
type onChange struct {
	command string
	env     []string // besides those of the change
	log     *slog.Logger
	ended   func(error)
	within  time.Duration

	mu    sync.Mutex
	last  change
	why   map[uint64]string // why the key went that was current, until it is told
	next  *change
	ready chan struct{}
}

func newOnChange(command string, a *agent) *onChange {
	return &onChange{command: command, log: a.log, ended: a.commandEnded, within: commandWithin,
		env: append(plainEnvironment(), "HUFU_CLIENT="+a.token.ClientID, "HUFU_SERVER="+a.token.ServerID, "HUFU_SEGMENT="+a.e.Segment, "HUFU_SHM_DIR="+a.e.ShmDir),
		why: make(map[uint64]string), ready: make(chan struct{}, 1)}
}

// plainEnvironment is what a command is given of the agent's environment:
// nothing that could be a secret, or that speaks for the agent.
func plainEnvironment() (env []string) {
	for _, v := range os.Environ() {
		switch name, _, _ := strings.Cut(v, "="); {
		case name == "PATH", name == "HOME", name == "USER", name == "LOGNAME", name == "SHELL", name == "LANG", name == "TZ",
			name == "TMPDIR", name == "XDG_RUNTIME_DIR", strings.HasPrefix(name, "LC_"):
			env = append(env, v)
		}
	}
	return env
}

// gone is told why a key was wiped, before look finds that it is not there.
func (o *onChange) gone(seckeyid uint64, why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seckeyid == o.last.seckeyid {
		o.why[seckeyid] = why
	}
}

// look compares what stands in the segment with what was told last.
func (o *onChange) look(v keyView) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := change{eventCurrent, "", v.Seckeyid, v.Fingerprint}
	if !v.isCurrent() {
		if o.last.seckeyid == 0 {
			return // there was none since the start
		}
		now = o.missing(v)
	}
	if now == o.last {
		return
	}
	o.last, o.next = now, &now
	clear(o.why)
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// missing says what has become of the key that was current.
func (o *onChange) missing(v keyView) change {
	now := o.last
	if now.event != eventCurrent {
		if why := o.why[now.seckeyid]; now.event == eventRetired && why != "" {
			now.event, now.why = eventOf(why), why
		}
		return now
	}
	switch why := o.why[now.seckeyid]; {
	case why != "":
		now.event, now.why = eventOf(why), why
	case v.Seckeyid == now.seckeyid && v.State == "retired":
		now.event = eventRetired
	case v.Seckeyid == 0:
		now.event, now.why = eventWiped, whyLost
	case v.Seckeyid > now.seckeyid: // a newer one came and went meanwhile
		return change{eventWiped, v.State, v.Seckeyid, v.Fingerprint}
	default:
		now.event, now.why = eventStale, whyEnd
	}
	return now
}

func eventOf(why string) string {
	if why == whyEnd {
		return eventStale
	}
	return eventWiped
}

// run runs the command for every change until ctx ends, which also ends a
// command that runs.
func (o *onChange) run(ctx context.Context) {
	for {
		select {
		case <-o.ready:
		case <-ctx.Done():
			return
		}
		o.mu.Lock()
		next := o.next
		o.next = nil
		o.mu.Unlock()
		if next == nil || o.command == "" {
			continue
		}
		err := o.execute(ctx, *next)
		if ctx.Err() == nil {
			o.ended(err)
		}
	}
}

// execute runs the command once.
func (o *onChange) execute(ctx context.Context, c change) error {
	ctx, cancel := context.WithTimeoutCause(ctx, o.within, fmt.Errorf("it took longer than %v and was killed", o.within))
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", o.command)
	out := &limited{left: outputLimit}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, out, time.Second
	cmd.Env = append(o.env, "HUFU_EVENT="+c.event, "HUFU_WHY="+c.why,
		"HUFU_SECKEYID="+strconv.FormatUint(c.seckeyid, 10), "HUFU_FINGERPRINT="+c.fingerprint)
	inGroup(cmd)
	err := cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	killGroup(cmd) // what it has left behind
	log := o.log.With("event", c.event, "key", c.seckeyid, "output", strings.TrimSpace(out.text.String()))
	if err != nil {
		log.Error("the command on a change failed", "error", err)
		return err
	}
	log.Info("the command on a change has run")
	return nil
}

// limited keeps the beginning of what is written.
type limited struct {
	mu   sync.Mutex
	text strings.Builder
	left int
}

func (l *limited) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(b), l.left)
	l.text.Write(b[:n])
	l.left -= n
	return len(b), nil
}

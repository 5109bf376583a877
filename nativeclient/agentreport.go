package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"hufu/shared/text"
	"hufu/shared/wire"
)

// agentState is what an agent tells of itself in its status file: no secrets.
// Durations are times on the boot clock.
type agentState struct {
	PID       int           `json:"pid"` // 0: it has ended in order
	Updated   time.Duration `json:"updatedBoot"`
	Started   time.Time     `json:"started"`
	ClientID  string        `json:"clientId"`
	ServerID  string        `json:"serverId"`
	Segment   string        `json:"segment"`
	Servers   []string      `json:"servers"`
	Key       keyView       `json:"key"`
	Connected string        `json:"connected,omitempty"` // the address; empty: not connected
	Since     *time.Time    `json:"since,omitempty"`     // connected, or not, since then
	Success   *success      `json:"lastSuccess,omitempty"`
	Failure   *failure      `json:"lastFailure,omitempty"`
	Renewal   time.Duration `json:"renewalBoot,omitempty"`
	Trouble   words         `json:"segmentTrouble,omitzero"`
	Elsewhere *elsewhere    `json:"elsewhere,omitempty"`
	Command   words         `json:"onChangeFailure,omitzero"`
}

// success is the last thing that was proven or agreed with the server.
type success struct {
	At       time.Time `json:"at"`
	Did      string    `json:"did"`
	Seckeyid uint64    `json:"seckeyid,omitempty"`
}

const (
	didVerify    = "verified"
	didNegotiate = "negotiated"
)

// failure is the last thing that went wrong.
type failure struct {
	At    time.Time `json:"at"`
	Cause string    `json:"cause"`
	Count int       `json:"count"` // in a row, without a success between
	words
}

// elsewhere is the last key that one from another process has replaced.
type elsewhere struct {
	At       time.Time `json:"at"`
	Seckeyid uint64    `json:"seckeyid"`
}

// words are an error in both languages, for whoever asks for the status.
type words struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

func wordsOf(err error) words {
	if err == nil {
		return words{}
	}
	return words{describe(text.English, err), describe(text.Chinese, err)}
}

func (w words) in(lang text.Lang) string {
	if lang == text.Chinese {
		return w.ZH
	}
	return w.EN
}

// inEnglish words an error for the log.
func inEnglish(err error) string { return describe(text.English, err) }

// report keeps an agent's state and writes it into the status file.
type report struct {
	path string

	mu      sync.Mutex
	state   agentState
	said    string    // the cause of not being connected that was logged last
	saidAt  time.Time // and when
	moved   time.Time // when the client's goroutine was last seen to go on
	within  time.Duration
	last    []byte // of the state, as written
	lastAt  time.Duration
	trouble string // with writing, as told last
}

// statusName is the status file's name in the run folder: one for each segment.
func statusName(segment string) string { return "agent-" + segment + ".json" }

// stuckAfter is how long the client's goroutine may be silent: between two
// attempts to connect, and in each for every address.
const stuckAfter = 2 * time.Minute

func newReport(folder, segment string, token wire.Token, servers []string, path string) *report {
	now := now()
	return &report{path: filepath.Join(folder, statusName(segment)), moved: time.Now(),
		within: stuckAfter * time.Duration(1+len(servers)),
		state: agentState{PID: os.Getpid(), Started: now, Since: &now, ClientID: token.ClientID, ServerID: token.ServerID,
			Segment: path, Servers: servers}}
}

// now is the machine's clock, for eyes.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// change changes the state.
func (r *report) change(f func(s *agentState)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.state)
}

// alive tells that the client's goroutine goes on; progress whether it did lately.
func (r *report) alive() { r.change(func(*agentState) { r.moved = time.Now() }) }

func (r *report) progress() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.moved) < r.within
}

func (r *report) connected(address string) {
	r.change(func(s *agentState) {
		at := now()
		s.Connected, s.Since, r.said, r.moved = address, &at, "", time.Now()
	})
}

// disconnected reports whether there was a connection.
func (r *report) disconnected() (was bool) {
	r.change(func(s *agentState) {
		r.moved = time.Now()
		if was = s.Connected != ""; was {
			at := now()
			s.Connected, s.Since = "", &at
		}
	})
	return was
}

func (r *report) succeeded(did string, seckeyid uint64) {
	r.change(func(s *agentState) {
		s.Success = &success{now(), did, seckeyid}
		if s.Failure != nil {
			f := *s.Failure
			f.Count = 0
			s.Failure = &f
		}
	})
}

func (r *report) failed(cause string, err error) {
	f := &failure{At: now(), Cause: cause, Count: 1, words: wordsOf(err)}
	r.change(func(s *agentState) {
		if s.Failure != nil {
			f.Count += s.Failure.Count
		}
		s.Failure = f
	})
}

// sayFailure reports whether the last failure is to be logged: another cause
// than was said, or not said for so long.
func (r *report) sayFailure(every time.Duration) (say bool) {
	r.change(func(s *agentState) {
		if say = s.Failure.Cause != r.said || time.Since(r.saidAt) >= every; say {
			r.said, r.saidAt = s.Failure.Cause, time.Now()
		}
	})
	return say
}

func (r *report) elsewhere(seckeyid uint64) {
	r.change(func(s *agentState) { s.Elsewhere = &elsewhere{now(), seckeyid} })
}

// commandFailed keeps how the command on a change ended; nil: well.
func (r *report) commandFailed(err error) {
	r.change(func(s *agentState) { s.Command = wordsOf(err) })
}

func (r *report) look(v keyView, renewal time.Duration, trouble error) {
	r.change(func(s *agentState) { s.Key, s.Renewal, s.Trouble = v, renewal, wordsOf(trouble) })
}

// heartbeat is how often the status file is written though nothing has changed,
// deadAfter how old it may get before the agent counts as dead.
const (
	heartbeat = 15 * time.Second
	deadAfter = time.Minute
)

// write writes the status file if there is something to tell.
func (r *report) write(now time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.state
	state.Updated = 0
	content, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if bytes.Equal(content, r.last) && now-r.lastAt < heartbeat {
		return nil
	}
	state.Updated = now
	if err := writeWhole(r.path, state); err != nil {
		return err
	}
	r.last, r.lastAt, r.trouble = content, now, ""
	return nil
}

// newTrouble reports whether a failure to write is another than the last one.
func (r *report) newTrouble(err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	is := err.Error() != r.trouble
	r.trouble = err.Error()
	return is
}

// end says in the status file that the agent has ended in order.
func (r *report) end() error {
	r.disconnected()
	r.change(func(s *agentState) { s.PID, s.Renewal = 0, 0 })
	return r.write(bootClock())
}

// writeWhole puts a file that everyone may read in the place of another: at
// every moment one of both stands there. There is one writer of each file, who
// holds the segment, so that one name for the new file is enough, and what a
// killed agent leaves of it is overwritten.
func writeWhole(path string, v any) error {
	content, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "."+filepath.Base(path)), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(content, '\n'))
	if err := errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// line is the state in a line, for systemctl status.
func (r *report) line() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.state
	key := "no key"
	if s.Key.Seckeyid != 0 {
		key = fmt.Sprintf("key %d %s", s.Key.Seckeyid, s.Key.Freshness)
	}
	where := "not connected"
	if s.Connected != "" {
		where = "connected to " + s.Connected
	}
	line := key + "; " + where
	if s.Renewal != 0 {
		line += "; renewal at " + fromBoot(s.Renewal).Local().Format(time.DateTime)
	}
	if s.Connected == "" && s.Failure != nil {
		line += "; " + s.Failure.EN
	}
	return line
}

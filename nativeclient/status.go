package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shm"
)

// Exit codes of status, besides those of every command: what is worst counts,
// in the order stale, no agent, soon.
const (
	exitSoon    = 7 // the current key ends soon and has no successor
	exitStale   = 8 // no key is current
	exitNoAgent = 9 // no agent runs that would renew the current key
)

// statusCmd tells how an outlet stands, with or without an agent that runs.
type statusCmd struct {
	RunFolder string `help:"${help_run}" name:"run" default:"" env:"HUFU_RUN" placeholder:"DIR" type:"path"`
}

// statusView is what status tells, as --json shows it.
type statusView struct {
	ClientID    string     `json:"clientId"`
	ServerID    string     `json:"serverId"`
	Segment     string     `json:"segment"`
	Freshness   string     `json:"freshness"`
	Seckeyid    uint64     `json:"seckeyid,omitempty"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	NotAfter    *time.Time `json:"notAfter,omitempty"`
	Agent       bool       `json:"agent"`
	PID         int        `json:"pid,omitempty"`
	Renewal     *time.Time `json:"renewal,omitempty"`
	Connected   string     `json:"connected,omitempty"`
	Since       *time.Time `json:"since,omitempty"`
	Success     *success   `json:"lastSuccess,omitempty"`
	Failure     *failure   `json:"lastFailure,omitempty"`
	Warnings    []string   `json:"warnings"`
}

// Run is the command.
func (c *statusCmd) Run(e *env) error {
	state, err := readState(c.RunFolder, e.Home, e.Segment)
	if err != nil {
		return text.Errorf("err_setting", "--run", err)
	}
	v, err := e.status(state)
	if err != nil {
		return err
	}
	if err := e.Show(v, func() string { return e.statusWords(v) }); err != nil {
		return err
	}
	return v.verdict()
}

// verdict is the exit code, with what is worst.
func (v *statusView) verdict() error {
	switch {
	case v.Freshness == none:
		return settings.With(exitStale, text.Errorf("status_none"))
	case v.Freshness == stale:
		return settings.With(exitStale, text.Errorf("status_stale"))
	case !v.Agent:
		return settings.With(exitNoAgent, text.Errorf("status_no_agent"))
	case v.Freshness == soon:
		return settings.With(exitSoon, text.Errorf("status_soon"))
	}
	return nil
}

// status looks at the segment and at what the agent tells of itself; state is
// nil where no agent has left anything.
func (e *env) status(state *agentState) (*statusView, error) {
	v := &statusView{Freshness: none, Warnings: []string{}}
	if err := e.who(v, state); err != nil {
		return nil, err
	}
	now := bootClock()
	key, info, err := e.keyIn(v, now)
	switch {
	case (errors.Is(err, shm.ErrAccess) || errors.Is(err, shm.ErrOwner)) && state != nil: // not ours to read; the agent has
		key = state.Key
		if key.isCurrent() && key.NotAfter <= now {
			key.Freshness = stale
		}
	case errors.Is(err, shm.ErrNoSegment), errors.Is(err, shm.ErrGone):
		v.Warnings = append(v.Warnings, describe(e.Lang, err))
	case err != nil:
		return nil, settings.With(settings.ExitSharedMemory, err)
	}
	v.Freshness, v.Seckeyid, v.Fingerprint = key.Freshness, key.Seckeyid, key.Fingerprint
	if key.NotAfter != 0 {
		v.NotAfter = fromBootP(key.NotAfter)
	}
	if state != nil {
		e.agentStatus(v, state, info, now)
	}
	return v, nil
}

// who finds whose keys are meant: the agent says it, else the enrolment.
func (e *env) who(v *statusView, state *agentState) error {
	o := e.segment()
	if state != nil {
		v.ClientID, v.ServerID, v.Segment = state.ClientID, state.ServerID, state.Segment
		return nil
	}
	t, err := e.loadToken()
	if err != nil {
		return err
	}
	t.Secret.Zero()
	v.ClientID, v.ServerID, v.Segment = t.ClientID, t.ServerID, (&liveSegment{options: o}).path()
	return nil
}

func (e *env) keyIn(v *statusView, now time.Duration) (keyView, shm.Info, error) {
	r, err := shm.OpenReader(e.segment())
	if err != nil {
		return keyView{Freshness: none}, shm.Info{}, err
	}
	defer r.Close()
	entries := r.Entries(v.ClientID)
	for i := range entries {
		entries[i].Key.Zero()
	}
	return viewKeys(entries, v.ServerID, now), r.Info(), nil
}

// agentStatus adds what the agent tells of itself.
func (e *env) agentStatus(v *statusView, state *agentState, info shm.Info, now time.Duration) {
	v.Agent = state.runs(info, now)
	v.Success, v.Failure = state.Success, state.Failure
	if v.Agent {
		v.PID, v.Connected, v.Since = state.PID, state.Connected, state.Since
		if state.Renewal != 0 {
			v.Renewal = fromBootP(state.Renewal)
		}
		if state.Trouble != (words{}) {
			v.Warnings = append(v.Warnings, state.Trouble.in(e.Lang))
		}
	}
	if state.Command != (words{}) {
		v.Warnings = append(v.Warnings, e.T("warn_on_change", state.Command.in(e.Lang)))
	}
	if state.Elsewhere != nil && time.Since(state.Elsewhere.At) < rivalCalm {
		v.Warnings = append(v.Warnings, e.T("told_elsewhere", state.Elsewhere.Seckeyid))
	}
}

// runs reports whether the agent that wrote the state still does: it has been
// heard of lately and holds the segment, or, where it has trouble with that, its
// process is there.
func (s *agentState) runs(info shm.Info, now time.Duration) bool {
	if s.PID == 0 || s.Updated > now || now-s.Updated > deadAfter {
		return false
	}
	if info.Total != 0 && s.Trouble == (words{}) {
		return info.Locked && info.WriterPID == s.PID
	}
	return processRuns(s.PID)
}

// processRuns reports whether there is such a process, and not only its exit
// code that nobody has asked for.
func processRuns(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(state, "Z")
}

func fromBootP(at time.Duration) *time.Time {
	t := fromBoot(at)
	return &t
}

// statusWords is the status for eyes: a line for each thing that is known.
func (e *env) statusWords(v *statusView) string {
	var rows [][2]string
	add := func(key, value string) { rows = append(rows, [2]string{e.T(key), value}) }
	add("status_outlet", v.ClientID+" → "+v.ServerID)
	add("status_segment", v.Segment)
	key := e.T("fresh_" + v.Freshness)
	if v.Seckeyid != 0 {
		key = e.T("status_key", v.Seckeyid, v.Fingerprint, key)
	}
	add("status_current", key)
	if v.NotAfter != nil {
		add("status_until", text.Time(*v.NotAfter))
	}
	agent := e.T("status_agent_none")
	if v.Agent {
		agent = e.T("status_agent_runs", v.PID)
	}
	add("status_agent", agent)
	if v.Renewal != nil {
		add("status_renewal", text.Time(*v.Renewal))
	}
	if v.Agent && v.Since != nil {
		connected := e.T("status_not_connected", text.Time(*v.Since))
		if v.Connected != "" {
			connected = e.T("status_connected", v.Connected, text.Time(*v.Since))
		}
		add("status_connection", connected)
	}
	if v.Success != nil {
		did := e.T("status_did_" + v.Success.Did)
		add("status_success", text.Time(v.Success.At)+"  "+did)
	}
	if v.Failure != nil {
		add("status_failure", text.Time(v.Failure.At)+"  "+v.Failure.in(e.Lang))
	}
	for _, warning := range v.Warnings {
		add("status_warning", warning)
	}
	return aligned(rows)
}

// aligned puts the second column below itself. A Chinese character is as wide
// as two others.
func aligned(rows [][2]string) string {
	wide := 0
	for _, row := range rows {
		wide = max(wide, text.Width(row[0]))
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, row[0]+strings.Repeat(" ", wide-text.Width(row[0])+2)+row[1])
	}
	return strings.Join(lines, "\n")
}

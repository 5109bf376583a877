package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// adminEventsCmd lists who did what when, newest first, or follows it.
type adminEventsCmd struct {
	Outlet string         `help:"${help_event_outlet}" placeholder:"ID"`
	From   settings.Since `help:"${help_event_from}" placeholder:"TIME"`
	To     settings.Until `help:"${help_event_to}" placeholder:"TIME"`
	Kind   []string       `help:"${help_event_kind}" placeholder:"KIND"`
	Limit  uint           `help:"${help_limit}" default:"0" placeholder:"N"`
	Follow bool           `help:"${help_admin_follow}"`
}

// eventOut is an event as --json shows it.
type eventOut struct {
	N        uint64     `json:"n"`
	At       *time.Time `json:"at"`
	Kind     string     `json:"kind"`
	Outlet   string     `json:"outlet,omitempty"`
	Seckeyid uint64     `json:"seckeyid,omitempty"`
	State    string     `json:"state,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	By       string     `json:"by,omitempty"`
	Note     string     `json:"note,omitempty"`
}

func viewEvent(r *wire.EventRow) eventOut {
	v := eventOut{N: r.N, At: at(r.At), Kind: r.Kind, Outlet: r.Outlet, Seckeyid: r.Seckeyid, By: r.By, Note: r.Note}
	if r.State != 0 {
		v.State = r.State.String()
	}
	if r.State >= wire.StateRetired {
		v.Reason = r.Reason.String()
	}
	return v
}

// Run is the command.
func (c *adminEventsCmd) Run(e *env) error {
	if err := settings.Range(c.From, c.To); err != nil {
		return err
	}
	if c.Outlet != "" && !wire.ValidID(c.Outlet) {
		return settings.With(settings.ExitUsage, text.Errorf("err_outlet", c.Outlet))
	}
	for _, kind := range c.Kind {
		if !slices.Contains(eventKinds, kind) {
			return settings.With(settings.ExitUsage, text.Errorf("err_kind", kind, strings.Join(eventKinds, ", ")))
		}
	}
	if c.Follow {
		if c.Limit > wire.MaxLimit || !c.From.IsZero() || !c.To.IsZero() {
			return settings.With(settings.ExitUsage, text.Errorf("admin_follow", wire.MaxLimit))
		}
		return c.follow(e)
	}
	return e.withConsole(client.Options{}, func(s *client.Session) error {
		rows := e.eventTable(nil)
		q := c.query()
		for n := 0; ; {
			q.Limit = page(c.Limit, n)
			var r wire.EventsOK
			if err := client.Operate(e, s, q, &r); err != nil {
				return err
			}
			for i := range r.Rows {
				e.addEvent(rows, &r.Rows[i])
			}
			n += len(r.Rows)
			if r.Before == 0 || c.Limit > 0 && n >= int(c.Limit) {
				return rows.Write()
			}
			q.Before = r.Before
		}
	})
}

// eventKinds are those of docs/protocol.md §12.
var eventKinds = []string{"enrolled", "new-secret", "cut", "opened", "secret-gone", "disabled", "enabled", "connected", "disconnected",
	"negotiated", "verified", "mismatch", "retired", "expired", "revoked", "receipt", "refused", "restored"}

func (c *adminEventsCmd) query() *wire.Events {
	q := &wire.Events{Outlet: c.Outlet, From: millis(c.From.Time), To: millis(c.To.Time)}
	if len(c.Kind) > 0 {
		q.Kinds = c.Kind
	}
	return q
}

// matches tells whether an event is one of those that are asked for.
func (c *adminEventsCmd) matches(r *wire.EventRow) bool {
	return (c.Outlet == "" || r.Outlet == c.Outlet) && (len(c.Kind) == 0 || slices.Contains(c.Kind, r.Kind))
}

func (e *env) eventTable(events []wire.EventRow) *text.Rows {
	rows := e.Rows("col_n", "col_at", "col_kind", "col_outlet", "col_key", "col_reason", "col_by", "col_note")
	for i := range events {
		e.addEvent(rows, &events[i])
	}
	return rows
}

func (e *env) addEvent(rows *text.Rows, r *wire.EventRow) { rows.Add(viewEvent(r), e.eventCells(r)...) }

func (e *env) eventCells(r *wire.EventRow) []string {
	key := "-"
	if r.Seckeyid != 0 {
		key = number(r.Seckeyid)
	}
	kind := r.Kind
	if slices.Contains(eventKinds, kind) {
		kind = e.T("kind_" + kind)
	}
	return []string{number(r.N), shown(r.At), kind, r.Outlet, key, e.reasonOf(r.State, r.Reason), e.by(r.By), line(r.Note)}
}

// follower shows events as they come, over reconnections too.
type follower struct {
	c *adminEventsCmd
	e *env

	mu     sync.Mutex
	resume client.Resumption
	begun  bool // the first connection has shown what was before
}

// follow shows the last events and then those that come, until it is stopped.
func (c *adminEventsCmd) follow(e *env) error {
	t, err := e.loadToken()
	if err != nil {
		return err
	}
	defer t.Secret.Zero()
	d, err := e.dialer(t)
	if err != nil {
		return err
	}
	keys := kex.Derive(&t.Secret, kex.Identity{ClientID: t.ClientID, ServerID: t.ServerID, Epoch: t.Epoch})
	defer keys.Zero()
	t.Secret.Zero()
	ctx, stop := context.WithCancelCause(e)
	defer stop(nil)
	f := &follower{c: c, e: e}
	err = (&client.Client{
		Addresses: e.addresses(t), Keys: keys, Dial: d,
		Options: client.Options{Clock: bootClock, Role: t.Role, OnEvent: f.event},
		Ready: func(ctx context.Context, s *client.Session) error {
			err := f.ready(ctx, s)
			if errors.Is(err, wire.CodeNotPermitted) {
				stop(err) // it would be so again
			}
			return err
		},
		Report: f.report,
	}).Run(ctx)
	if e.Err() != nil {
		return nil // it was asked to stop
	}
	return err
}

// ready watches from where the last connection ended. The first one shows what
// was before.
func (f *follower) ready(ctx context.Context, s *client.Session) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := &wire.Watch{}
	if since, known := f.resume.Since(); known {
		o.Since = &since
	}
	var r wire.WatchOK
	if err := client.Operate(ctx, s, o, &r); err != nil {
		return err
	}
	f.resume.Watching(r.N)
	if f.begun {
		return nil
	}
	f.begun = true
	if f.c.Limit == 0 {
		return nil
	}
	q := f.c.query()
	q.Limit, q.Before = uint64(f.c.Limit), r.N+1
	var before wire.EventsOK
	if err := client.Operate(ctx, s, q, &before); err != nil {
		return err
	}
	for _, row := range slices.Backward(before.Rows) {
		f.show(&row)
	}
	return nil
}

func (f *follower) event(s *client.Session, m *wire.Event) {
	var r wire.EventRow
	if err := wire.DecodeResult(m.Doc, &r); err != nil {
		s.Reject(wire.CmdEvent, err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Kind == wire.EventLost:
		f.resume.Lost(r.N)
		f.show(&r)
	case f.resume.Told(r.N, r.Settled) && f.c.matches(&r):
		f.show(&r)
	}
}

// show prints one event at once: columns of fixed widths, for who watches.
func (f *follower) show(r *wire.EventRow) {
	if f.e.JSON {
		if err := json.NewEncoder(f.e.W).Encode(viewEvent(r)); err != nil {
			fmt.Fprintln(f.e.stderr, "hufu: "+err.Error())
		}
		return
	}
	if r.Kind == wire.EventLost {
		fmt.Fprintln(f.e.W, f.e.T("admin_lost"))
		return
	}
	cells := f.e.eventCells(r)
	for i, width := range []int{8, 19, 12, 11, 6, 16, 11} {
		cells[i] += strings.Repeat(" ", max(width-text.Width(cells[i]), 0))
	}
	fmt.Fprintln(f.e.W, strings.TrimRight(strings.Join(cells, "  "), " "))
}

// report tells of the loss of the connection, and that it is tried again.
func (f *follower) report(s client.Status) {
	if s.Err != nil {
		fmt.Fprintln(f.e.stderr, "hufu: "+f.e.T("admin_retry", describe(f.e.Lang, s.Err), s.Retry.Round(time.Second).String()))
	}
}

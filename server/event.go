package main

import (
	"strconv"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// eventListCmd lists who did what when, newest first.
type eventListCmd struct {
	Outlet string         `help:"${help_event_outlet}" placeholder:"ID"`
	From   settings.Since `help:"${help_event_from}" placeholder:"TIME"`
	To     settings.Until `help:"${help_event_to}" placeholder:"TIME"`
	Kind   []string       `help:"${help_event_kind}" placeholder:"KIND"`
	Limit  uint           `help:"${help_limit}" default:"0" placeholder:"N"`
}

// eventView is a line of the record as --json shows it.
type eventView struct {
	N        uint64    `json:"n"`
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Outlet   string    `json:"outlet,omitempty"`
	Seckeyid uint64    `json:"seckeyid,omitempty"`
	State    string    `json:"state,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	By       string    `json:"by,omitempty"`
	Note     string    `json:"note,omitempty"`
}

// Run is the command.
func (c *eventListCmd) Run(e *env) error {
	if err := settings.Range(c.From, c.To); err != nil {
		return err
	}
	q := keyservice.EventQuery{Outlet: c.Outlet, From: c.From.Time, To: c.To.Time, Limit: listPage}
	for _, name := range c.Kind {
		kind, ok := keyservice.ParseKind(name)
		if !ok {
			return settings.With(settings.ExitUsage, text.Errorf("err_kind", name, keyservice.KindNames()))
		}
		q.Kinds = append(q.Kinds, kind)
	}
	return e.with(func(in *installation) error { return c.pages(e, in, q) })
}

func (c *eventListCmd) pages(e *env, in *installation, q keyservice.EventQuery) error {
	rows := e.eventRows()
	for n := 0; ; {
		if c.Limit > 0 {
			q.Limit = min(listPage, int(c.Limit)-n)
		}
		page, err := in.service.Events(e, q)
		if err != nil {
			return err
		}
		for i := range page {
			e.addEvent(rows, &page[i])
		}
		n += len(page)
		if len(page) < q.Limit || c.Limit > 0 && n >= int(c.Limit) {
			return rows.Write()
		}
		q.BeforeN = page[len(page)-1].N
	}
}

func viewEvent(c *keyservice.ChangeRow) eventView {
	v := eventView{N: c.N, At: c.At, Kind: string(c.Kind), Outlet: c.Outlet, Seckeyid: c.Seckeyid, By: c.By, Note: c.Note}
	if c.State != 0 {
		v.State = c.State.String()
	}
	if c.State >= wire.StateRetired {
		v.Reason = c.Reason.String()
	}
	return v
}

// eventRows is a table of events.
func (e *env) eventRows() *text.Rows {
	return e.Rows("col_n", "col_at", "col_kind", "col_outlet", "col_key", "col_reason", "col_by", "col_note")
}

func (e *env) addEvent(rows *text.Rows, c *keyservice.ChangeRow) {
	number := "-"
	if c.Seckeyid != 0 {
		number = strconv.FormatUint(c.Seckeyid, 10)
	}
	by := c.By
	if by == "" {
		by = e.T("by_server")
	}
	rows.Add(viewEvent(c), strconv.FormatUint(c.N, 10), text.Time(c.At), e.T("kind_"+string(c.Kind)), c.Outlet, number, e.reason(c.State, c.Reason), by, c.Note)
}

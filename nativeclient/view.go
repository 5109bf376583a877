package main

import (
	"fmt"
	"strconv"
	"time"

	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// viewCmd shows the history that the server keeps.
type viewCmd struct {
	Outlet string           `help:"${help_view_outlet}" placeholder:"ID"`
	From   settings.Since   `help:"${help_from}" placeholder:"TIME"`
	To     settings.Until   `help:"${help_to}" placeholder:"TIME"`
	State  []settings.State `help:"${help_state}" placeholder:"STATE"`
	Limit  uint             `help:"${help_limit}" default:"0" placeholder:"N"`
}

// rowOut is a key of the history as --json shows it.
type rowOut struct {
	Outlet     string     `json:"outlet"`
	Seckeyid   uint64     `json:"seckeyid"`
	State      string     `json:"state"`
	FP         string     `json:"fingerprint"`
	Negotiated *time.Time `json:"negotiated"`
	Verified   *time.Time `json:"verified,omitempty"`
	Retired    *time.Time `json:"retired,omitempty"`
	Expires    *time.Time `json:"expires"`
	Ended      *time.Time `json:"ended,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	By         string     `json:"by,omitempty"`
	Receipt    *time.Time `json:"receipt,omitempty"`
}

// Run is the command. It needs no segment.
func (c *viewCmd) Run(e *env) error {
	if err := settings.Range(c.From, c.To); err != nil {
		return err
	}
	if c.Outlet != "" && !wire.ValidID(c.Outlet) {
		return settings.With(settings.ExitUsage, text.Errorf("err_outlet", c.Outlet))
	}
	t, err := e.loadToken()
	if err != nil {
		return err
	}
	defer t.Secret.Zero()
	d, err := e.dialer(t)
	if err != nil {
		return err
	}
	s, err := e.connect(d, t, client.Options{Clock: bootClock, Role: t.Role})
	if err != nil {
		return unreachable(err)
	}
	defer s.Close()
	return lost(c.pages(e, s))
}

func (c *viewCmd) pages(e *env, s *client.Session) error {
	f := &wire.Filter{Outlet: c.Outlet, From: millis(c.From.Time), To: millis(c.To.Time)}
	for _, s := range c.State {
		f.States, f.Bounded = append(f.States, s.State), true
	}
	rows := e.historyRows()
	for n, cursor := 0, uint64(0); ; {
		limit := wire.MaxLimit
		if c.Limit > 0 {
			limit = min(limit, int(c.Limit)-n)
		}
		page, next, err := s.View(e, f, cursor, limit)
		if err != nil {
			return err
		}
		for i := range page {
			e.addRow(rows, &page[i])
		}
		n += len(page)
		if next == 0 || c.Limit > 0 && n >= int(c.Limit) {
			return rows.Write()
		}
		cursor = next
	}
}

func (e *env) historyRows() *text.Rows {
	return e.Rows("col_outlet", "col_key", "col_state", "col_fp", "col_verified", "col_expires", "col_ended", "col_reason")
}

func viewRow(r *wire.Row) rowOut {
	out := rowOut{Outlet: r.Outlet, Seckeyid: r.Seckeyid, State: r.State.String(), FP: r.FP.String(),
		Negotiated: at(r.Negotiated), Verified: at(r.Verified), Retired: at(r.Retired), Expires: at(r.Expires),
		Ended: at(r.Ended), By: r.By, Receipt: at(r.Receipt)}
	if r.State >= wire.StateRetired {
		out.Reason = r.Reason.String()
	}
	return out
}

func (e *env) addRow(rows *text.Rows, r *wire.Row) {
	rows.Add(viewRow(r), r.Outlet, strconv.FormatUint(r.Seckeyid, 10), e.T("state_"+r.State.String()), r.FP.String(),
		shown(r.Verified), shown(r.Expires), shown(r.Ended), e.reasonOf(r.State, r.Reason))
}

func (e *env) reason(r wire.Reason) string {
	if r > wire.ReasonSecretCut {
		return strconv.Itoa(int(r))
	}
	return e.T(fmt.Sprintf("reason_%d", r))
}

func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 1))
}

func at(ms uint64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(int64(ms)).UTC()
	return &t
}

func shown(ms uint64) string {
	if ms == 0 {
		return "-"
	}
	return text.Time(time.UnixMilli(int64(ms)))
}

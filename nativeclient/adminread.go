package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// adminOverviewCmd tells how the network is.
type adminOverviewCmd struct{}

// hourOut is an hour as --json shows it.
type hourOut struct {
	At         *time.Time `json:"at"`
	Negotiated uint64     `json:"negotiated"`
	Verified   uint64     `json:"verified"`
	Mismatch   uint64     `json:"mismatch"`
	Refused    uint64     `json:"refused"`
	Revoked    uint64     `json:"revoked"`
	Expired    uint64     `json:"expired"`
}

// Run is the command.
func (c *adminOverviewCmd) Run(e *env) error {
	var r wire.OverviewOK
	if err := e.operate(&wire.Overview{}, &r); err != nil {
		return err
	}
	if e.JSON {
		return showOverview(e, &r)
	}
	o := &r.Outlets
	e.Say("admin_outlets_line", o.All, o.Connected, o.Disabled)
	e.Say("admin_fresh_line", o.Fresh, o.Soon, o.Stale, o.None)
	e.Say("admin_keys_line", r.Keys.Active, r.Keys.Retired, r.Keys.Pending, r.Ended.Revoked, r.Ended.Expired)
	fmt.Fprintln(e.W)
	hours := e.Rows("col_hour", "kind_negotiated", "kind_verified", "kind_mismatch", "kind_refused", "kind_revoked", "kind_expired")
	for _, h := range r.Hours {
		if h == (wire.Hour{At: h.At}) {
			continue // nothing happened
		}
		hours.Add(nil, shown(h.At), number(h.Negotiated), number(h.Verified), number(h.Mismatch), number(h.Refused), number(h.Revoked), number(h.Expired))
	}
	if err := hours.Write(); err != nil {
		return err
	}
	fmt.Fprintln(e.W)
	return e.eventTable(r.Last).Write()
}

func showOverview(e *env, r *wire.OverviewOK) error {
	o := &r.Outlets
	out := struct {
		Now     *time.Time        `json:"now"`
		Outlets map[string]uint64 `json:"outlets"`
		Keys    map[string]uint64 `json:"keys"`
		Ended   map[string]uint64 `json:"ended"`
		Hours   []hourOut         `json:"hours"`
		Last    []eventOut        `json:"last"`
	}{Now: at(r.Now), Last: []eventOut{},
		Outlets: map[string]uint64{"all": o.All, "disabled": o.Disabled, "connected": o.Connected, "fresh": o.Fresh, "soon": o.Soon, "stale": o.Stale, "none": o.None},
		Keys:    map[string]uint64{"pending": r.Keys.Pending, "active": r.Keys.Active, "retired": r.Keys.Retired},
		Ended:   map[string]uint64{"expired": r.Ended.Expired, "revoked": r.Ended.Revoked}}
	for _, h := range r.Hours {
		out.Hours = append(out.Hours, hourOut{at(h.At), h.Negotiated, h.Verified, h.Mismatch, h.Refused, h.Revoked, h.Expired})
	}
	for i := range r.Last {
		out.Last = append(out.Last, viewEvent(&r.Last[i]))
	}
	return e.Show(out, nil)
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// adminOutletsCmd lists outlets.
type adminOutletsCmd struct {
	Query     string `help:"${help_search}" placeholder:"TEXT"`
	Freshness string `help:"${help_admin_freshness}" enum:",fresh,soon,stale,none" default:""`
	Connected *bool  `help:"${help_connected}" negatable:""`
	Disabled  *bool  `help:"${help_admin_disabled}" negatable:""`
	People    bool   `help:"${help_admin_people}"`
	Limit     uint   `help:"${help_limit}" default:"0" placeholder:"N"`
}

var freshness = map[string]wire.Freshness{"none": wire.FreshnessNone, "fresh": wire.FreshnessFresh, "soon": wire.FreshnessSoon, "stale": wire.FreshnessStale}

// Run is the command.
func (c *adminOutletsCmd) Run(e *env) error {
	if !wire.ValidLine(c.Query, wire.MaxLine) {
		return settings.With(settings.ExitUsage, text.Errorf("admin_query", wire.MaxLine))
	}
	q := &wire.Outlets{Query: c.Query, Connected: c.Connected, Disabled: c.Disabled}
	if f, is := freshness[c.Freshness]; is {
		q.Freshness = &f
	}
	if c.People {
		q.Roles = []wire.Role{wire.RoleOperator, wire.RoleAuditor}
	}
	return e.withConsole(client.Options{}, func(s *client.Session) error {
		rows := e.Rows("col_outlet", "col_role", "col_status", "col_seen", "col_freshness", "col_key", "col_ends", "col_enrolled")
		for n := 0; ; {
			q.Limit = page(c.Limit, n)
			var r wire.OutletsOK
			if err := client.Operate(e, s, q, &r); err != nil {
				return err
			}
			for i := range r.Rows {
				e.addOutlet(rows, &r.Rows[i])
			}
			n += len(r.Rows)
			if r.After == "" || c.Limit > 0 && n >= int(c.Limit) {
				return rows.Write()
			}
			q.After = r.After
		}
	})
}

// page is how many rows to ask for, of at most limit, when n are there; 0: all.
func page(limit uint, n int) uint64 {
	if limit == 0 {
		return wire.MaxLimit
	}
	return uint64(min(wire.MaxLimit, int(limit)-n))
}

// outletOut is an outlet as --json shows it.
type outletOut struct {
	ID         string     `json:"id"`
	Role       string     `json:"role"`
	Disabled   bool       `json:"disabled"`
	EnrolledAt *time.Time `json:"enrolledAt"`
	LastNumber uint64     `json:"lastSeckeyid"`
	Epoch      uint64     `json:"epoch"`

	Connected bool       `json:"connected"`
	SeenAt    *time.Time `json:"seenAt,omitempty"`
	Freshness string     `json:"freshness"`
	Seckeyid  uint64     `json:"seckeyid,omitempty"` // the active key's, as what follows
	FP        string     `json:"fingerprint,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	EndsAt    *time.Time `json:"ends,omitempty"`
}

func viewOutlet(o *wire.OutletRow) outletOut {
	v := outletOut{ID: o.ID, Role: o.Role.String(), Disabled: o.Disabled, EnrolledAt: at(o.Enrolled), LastNumber: o.Number, Epoch: o.Epoch,
		Connected: o.Connected, SeenAt: at(o.Seen), Freshness: o.Freshness.String()}
	if k := o.Active; k != nil {
		v.Seckeyid, v.FP, v.Expires, v.EndsAt = k.Seckeyid, k.FP.String(), at(k.Expires), at(k.Ends)
	}
	return v
}

func (e *env) addOutlet(rows *text.Rows, o *wire.OutletRow) {
	key, ends := "-", "-"
	if o.Active != nil {
		key, ends = number(o.Active.Seckeyid), shown(o.Active.Ends)
	}
	seen := shown(o.Seen)
	if o.Connected {
		seen = e.T("connected")
	}
	rows.Add(viewOutlet(o), o.ID, e.T("role_"+o.Role.String()), e.enabled(o), seen, e.T("freshness_"+o.Freshness.String()),
		key, ends, shown(o.Enrolled))
}

func (e *env) enabled(o *wire.OutletRow) string {
	if o.Disabled {
		return e.T("disabled")
	}
	return e.T("enabled")
}

// adminOutletCmd shows one outlet and its newest keys.
type adminOutletCmd struct{ named }

// secretOut is the secret of one epoch as --json shows it: when, never what.
type secretOut struct {
	Epoch       uint64     `json:"epoch"`
	CreatedAt   *time.Time `json:"createdAt"`
	FirstUsedAt *time.Time `json:"firstUsedAt,omitempty"`
}

// Run is the command.
func (c *adminOutletCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	var r wire.OutletOK
	if err := e.operate(&wire.OutletOf{ID: c.ID}, &r); err != nil {
		return noClient(c.ID, err)
	}
	if e.JSON {
		out := struct {
			outletOut
			Secrets []secretOut `json:"secrets"`
			Keys    []rowOut    `json:"keys"`
		}{outletOut: viewOutlet(&r.Outlet), Secrets: []secretOut{}, Keys: []rowOut{}}
		for _, s := range r.Secrets {
			out.Secrets = append(out.Secrets, secretOut{s.Epoch, at(s.Created), at(s.Used)})
		}
		for i := range r.Rows {
			out.Keys = append(out.Keys, viewRow(&r.Rows[i]))
		}
		return e.Show(out, nil)
	}
	o := &r.Outlet
	e.Say("outlet_line", o.ID, e.T("role_"+o.Role.String()), e.enabled(o), shown(o.Enrolled), e.seen(o), e.T("freshness_"+o.Freshness.String()))
	for _, s := range r.Secrets {
		used := e.T("unused")
		if s.Used != 0 {
			used = shown(s.Used)
		}
		e.Say("secret_line", s.Epoch, shown(s.Created), used)
	}
	rows := e.historyRows()
	for i := range r.Rows {
		e.addRow(rows, &r.Rows[i])
	}
	return rows.Write()
}

func (e *env) seen(o *wire.OutletRow) string {
	switch {
	case o.Connected:
		return e.T("connected")
	case o.Seen == 0:
		return e.T("seen_never")
	}
	return e.T("seen_at", shown(o.Seen))
}

// adminKeyCmd shows one key with its timeline.
type adminKeyCmd struct{ ofKey }

// stepOut is one state that a key has reached, as --json shows it.
type stepOut struct {
	State  string     `json:"state"`
	At     *time.Time `json:"at"`
	Reason string     `json:"reason,omitempty"`
	By     string     `json:"by,omitempty"`
	Note   string     `json:"note,omitempty"`
}

// receiptOut is a receipt as --json shows it.
type receiptOut struct {
	State string     `json:"state"`
	At    *time.Time `json:"at"`
	Conn  string     `json:"connection"`
}

// Run is the command.
func (c *adminKeyCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	var r wire.KeyOK
	if err := e.operate(&wire.KeyOf{Outlet: c.Outlet, Seckeyid: c.Seckeyid}, &r); err != nil {
		return c.noKey(err)
	}
	if e.JSON {
		return showKey(e, &r)
	}
	k := &r.Row
	e.Say("key_line", k.Outlet, k.Seckeyid, e.T("state_"+k.State.String()), k.FP, shown(k.Expires))
	steps := e.Rows("col_state", "col_at", "col_reason", "col_by", "col_note")
	for _, s := range r.Steps {
		steps.Add(nil, e.T("state_"+s.State.String()), shown(s.At), e.reasonOf(s.State, s.Reason), e.by(s.By), line(s.Note))
	}
	if err := steps.Write(); err != nil {
		return err
	}
	for _, s := range r.Steps {
		if s.State >= wire.StateExpired {
			e.sayReceipt(s.State, r.Receipts)
		}
	}
	return nil
}

func showKey(e *env, r *wire.KeyOK) error {
	out := struct {
		rowOut
		History  []stepOut    `json:"history"`
		Receipts []receiptOut `json:"receipts"`
	}{rowOut: viewRow(&r.Row), History: []stepOut{}, Receipts: []receiptOut{}}
	for _, s := range r.Steps {
		step := stepOut{State: s.State.String(), At: at(s.At), By: s.By, Note: s.Note}
		if s.State >= wire.StateRetired {
			step.Reason = s.Reason.String()
		}
		out.History = append(out.History, step)
	}
	for _, s := range r.Receipts {
		out.Receipts = append(out.Receipts, receiptOut{s.State.String(), at(s.At), s.Conn})
	}
	return e.Show(out, nil)
}

// sayReceipt tells whether the outlet has confirmed one end of a key.
func (e *env) sayReceipt(end wire.State, receipts []wire.ReceiptStep) {
	state := e.T("state_" + end.String())
	for _, r := range receipts {
		if r.State == end {
			e.Say("receipt_line", state, shown(r.At), line(r.Conn))
			return
		}
	}
	e.Say("receipt_missing", state)
}

func (e *env) by(id string) string {
	if id == "" {
		return e.T("by_server")
	}
	return id
}

// reasonOf words why a state was reached; pending and active need no reason.
func (e *env) reasonOf(s wire.State, r wire.Reason) string {
	if s < wire.StateRetired {
		return "-"
	}
	return e.reason(r)
}

// line is a remark as a terminal may show it.
func line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\ufffd'
		}
		return r
	}, s)
}

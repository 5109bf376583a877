package main

import (
	"fmt"
	"strconv"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// keyListCmd lists the history, newest first.
type keyListCmd struct {
	Outlet      string           `help:"${help_filter_outlet}" placeholder:"ID"`
	From        settings.Since   `help:"${help_from}" placeholder:"TIME"`
	To          settings.Until   `help:"${help_to}" placeholder:"TIME"`
	State       []settings.State `help:"${help_state}" placeholder:"STATE"`
	Unreceipted bool             `help:"${help_unreceipted}"`
	Limit       uint             `help:"${help_limit}" default:"0" placeholder:"N"`
}

// keyView is a key as --json shows it.
type keyView struct {
	N          uint64     `json:"n"`
	Outlet     string     `json:"outlet"`
	Seckeyid   uint64     `json:"seckeyid"`
	State      string     `json:"state"`
	FP         string     `json:"fingerprint"`
	Negotiated time.Time  `json:"negotiated"`
	Verified   *time.Time `json:"verified,omitempty"`
	Retired    *time.Time `json:"retired,omitempty"`
	Expires    time.Time  `json:"expires"`
	Ended      *time.Time `json:"ended,omitempty"`
	Reason     string     `json:"reason,omitempty"`
	By         string     `json:"by,omitempty"`
	Receipt    *time.Time `json:"receipt,omitempty"`
}

func viewKey(k *keyservice.KeyRow) keyView {
	v := keyView{N: k.N, Outlet: k.Outlet, Seckeyid: k.Seckeyid, State: k.State.String(), FP: wire.Fingerprint(k.FP).String(),
		Negotiated: k.Negotiated, Verified: optional(k.Verified), Retired: optional(k.Retired), Expires: k.Expires,
		Ended: optional(k.Ended), By: k.By, Receipt: optional(k.Receipt)}
	if k.State >= wire.StateRetired {
		v.Reason = k.Reason.String()
	}
	return v
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Run is the command.
func (c *keyListCmd) Run(e *env) error {
	if err := settings.Range(c.From, c.To); err != nil {
		return err
	}
	q := keyservice.KeyQuery{Outlet: c.Outlet, From: c.From.Time, To: c.To.Time, Unreceipted: c.Unreceipted, Limit: listPage}
	for _, s := range c.State {
		q.States = append(q.States, s.State)
	}
	return e.with(func(in *installation) error {
		rows := e.keyRows(nil)
		for n := 0; ; {
			if c.Limit > 0 {
				q.Limit = min(listPage, int(c.Limit)-n)
			}
			page, err := in.service.Keys(e, q)
			if err != nil {
				return err
			}
			for i := range page {
				e.addKey(rows, &page[i])
			}
			n += len(page)
			if len(page) < q.Limit || c.Limit > 0 && n >= int(c.Limit) {
				return rows.Write()
			}
			q.BeforeN = page[len(page)-1].N
		}
	})
}

// keyRows is a table of keys.
func (e *env) keyRows(keys []keyservice.KeyRow) *text.Rows {
	rows := e.Rows("col_outlet", "col_key", "col_state", "col_fp", "col_verified", "col_expires", "col_ended", "col_reason", "col_receipt")
	for i := range keys {
		e.addKey(rows, &keys[i])
	}
	return rows
}

func (e *env) addKey(rows *text.Rows, k *keyservice.KeyRow) {
	rows.Add(viewKey(k), k.Outlet, strconv.FormatUint(k.Seckeyid, 10), e.T("state_"+k.State.String()), wire.Fingerprint(k.FP).String(),
		text.Time(k.Verified), text.Time(k.Expires), text.Time(k.Ended), e.reason(k.State, k.Reason), text.Time(k.Receipt))
}

// reason words why a key has reached its state.
func (e *env) reason(s wire.State, r wire.Reason) string {
	if s < wire.StateRetired {
		return "-"
	}
	if r > wire.ReasonSecretCut {
		return strconv.Itoa(int(r))
	}
	return e.T(fmt.Sprintf("reason_%d", r))
}

// keyShowCmd shows one key with its history.
type keyShowCmd struct {
	Outlet   string `arg:"" help:"${help_id}"`
	Seckeyid uint64 `arg:"" help:"${help_seckeyid}"`
}

// Run is the command.
func (c *keyShowCmd) Run(e *env) error {
	return e.with(func(in *installation) error {
		keys, err := in.service.Keys(e, keyservice.KeyQuery{Outlet: c.Outlet, ByNumber: true, BeforeKey: c.Seckeyid + 1, Limit: 1})
		if err != nil {
			return err
		}
		if len(keys) == 0 || keys[0].Seckeyid != c.Seckeyid {
			return wire.CodeNoKey
		}
		states, err := in.store.States(e, c.Outlet, c.Seckeyid)
		if err != nil {
			return err
		}
		receipts, err := in.store.Receipts(e, c.Outlet, c.Seckeyid)
		if err != nil {
			return err
		}
		return e.showKey(&keys[0], states, receipts)
	})
}

// stepView is one state that a key has reached, as --json shows it.
type stepView struct {
	State  string    `json:"state"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"`
}

// receiptView is a receipt as --json shows it.
type receiptView struct {
	State string    `json:"state"`
	At    time.Time `json:"at"`
	Conn  string    `json:"connection"`
}

func (e *env) showKey(k *keyservice.KeyRow, states []keyservice.StateRow, receipts []keyservice.Receipt) error {
	if !e.JSON {
		return e.showKeyWords(k, states, receipts)
	}
	shown := struct {
		keyView
		History  []stepView    `json:"history"`
		Receipts []receiptView `json:"receipts"`
	}{keyView: viewKey(k), Receipts: []receiptView{}}
	for _, s := range states {
		step := stepView{State: s.State.String(), At: s.At, By: s.By}
		if s.State >= wire.StateRetired {
			step.Reason = s.Reason.String()
		}
		shown.History = append(shown.History, step)
	}
	for _, r := range receipts {
		shown.Receipts = append(shown.Receipts, receiptView{r.State.String(), r.At, r.Conn})
	}
	return e.Show(shown, nil)
}

func (e *env) showKeyWords(k *keyservice.KeyRow, states []keyservice.StateRow, receipts []keyservice.Receipt) error {
	e.Say("key_line", k.Outlet, k.Seckeyid, e.T("state_"+k.State.String()), wire.Fingerprint(k.FP), text.Time(k.Expires))
	history := e.Rows("col_state", "col_at", "col_reason", "col_by")
	for _, s := range states {
		by := s.By
		if by == "" {
			by = e.T("by_server")
		}
		history.Add(nil, e.T("state_"+s.State.String()), text.Time(s.At), e.reason(s.State, s.Reason), by)
	}
	if err := history.Write(); err != nil {
		return err
	}
	for _, s := range states {
		if s.State >= wire.StateExpired {
			e.sayReceipt(s.State, receipts)
		}
	}
	return nil
}

// sayReceipt tells whether, when and over which connection the outlet has
// confirmed one end of a key.
func (e *env) sayReceipt(end wire.State, receipts []keyservice.Receipt) {
	state := e.T("state_" + end.String())
	for _, r := range receipts {
		if r.State == end {
			e.Say("receipt_line", state, text.Time(r.At), r.Conn)
			return
		}
	}
	e.Say("receipt_missing", state)
}

// keyRevokeCmd ends a key for good.
type keyRevokeCmd struct {
	Outlet   string `arg:"" help:"${help_id}"`
	Seckeyid uint64 `arg:"" help:"${help_seckeyid}"`
	Reason   uint8  `help:"${help_reason}" default:"1" placeholder:"N"`
	Note     string `help:"${help_note}" placeholder:"TEXT"`
}

const maxNote = 200

// Run is the command.
func (c *keyRevokeCmd) Run(e *env) error {
	if len(c.Note) > maxNote {
		return settings.With(settings.ExitUsage, text.Errorf("err_note", len(c.Note), maxNote))
	}
	return e.with(func(in *installation) error {
		if err := in.service.RevokeKey(e, c.Outlet, c.Seckeyid, wire.Reason(c.Reason), c.Note); err != nil {
			return err
		}
		shown := struct {
			Outlet   string `json:"outlet"`
			Seckeyid uint64 `json:"seckeyid"`
			State    string `json:"state"`
		}{c.Outlet, c.Seckeyid, wire.StateRevoked.String()}
		return e.Show(shown, func() string { return e.T("key_revoked", c.Seckeyid, c.Outlet) })
	})
}

package main

import (
	"strconv"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// outletAddCmd enrols an outlet, or all those of a file, and hands out tokens once.
type outletAddCmd struct {
	ID        string `arg:"" optional:"" help:"${help_id}"`
	TokenFile string `help:"${help_token_file}" placeholder:"FILE" type:"path"`
	From      string `help:"${help_add_from}" placeholder:"FILE" type:"path"`
	Tokens    string `help:"${help_add_tokens}" placeholder:"DIR" type:"path"`
}

// Run is the command.
func (c *outletAddCmd) Run(e *env) error {
	many := c.From != "" && c.Tokens != "" && c.ID == "" && c.TokenFile == ""
	one := c.ID != "" && c.From == "" && c.Tokens == ""
	switch {
	case many:
		return e.addAll(c.From, c.Tokens)
	case one:
		return e.enrol(c.ID, wire.RoleOutlet, c.TokenFile)
	}
	return settings.With(settings.ExitUsage, text.Errorf("err_add_what"))
}

// outletListCmd lists outlets, who is connected and how their keys stand.
type outletListCmd struct {
	Search    string   `help:"${help_search}" placeholder:"TEXT"`
	Freshness []string `help:"${help_freshness}" placeholder:"HOW"`
	Connected *bool    `help:"${help_connected}"`
	Limit     uint     `help:"${help_limit}" default:"0" placeholder:"N"`
}

// outletView is an outlet as --json shows it.
type outletView struct {
	ID         string    `json:"id"`
	Role       string    `json:"role"`
	Disabled   bool      `json:"disabled"`
	EnrolledAt time.Time `json:"enrolledAt"`
	LastNumber uint64    `json:"lastSeckeyid"`
	Epoch      uint32    `json:"epoch"`

	Connected bool       `json:"connected"`
	SeenAt    *time.Time `json:"seenAt,omitempty"`
	Freshness string     `json:"freshness"`
	Seckeyid  uint64     `json:"seckeyid,omitempty"` // the active key's, as what follows
	FP        string     `json:"fingerprint,omitempty"`
	Expires   *time.Time `json:"expires,omitempty"`
	EndsAt    *time.Time `json:"ends,omitempty"`
}

func viewOutlet(o *keyservice.OutletRow) outletView {
	v := outletView{ID: o.ID, Role: o.Role.String(), Disabled: o.Disabled, EnrolledAt: o.EnrolledAt,
		LastNumber: o.LastNumber, Epoch: o.LastEpoch,
		Connected: o.Connected, SeenAt: optional(o.SeenAt), Freshness: o.Freshness.String()}
	if k := o.Active; k != nil {
		v.Seckeyid, v.FP = k.Seckeyid, wire.Fingerprint(k.FP).String()
		v.Expires, v.EndsAt = optional(k.Expires), optional(k.EndsAt)
	}
	return v
}

const listPage = 500

// Run is the command.
func (c *outletListCmd) Run(e *env) error {
	q := keyservice.OutletQuery{Contains: c.Search, Roles: []wire.Role{wire.RoleOutlet}, Connected: c.Connected}
	for _, name := range c.Freshness {
		f, ok := keyservice.ParseFreshness(name)
		if !ok {
			return settings.With(settings.ExitUsage, text.Errorf("err_freshness", name))
		}
		q.Freshness = append(q.Freshness, f)
	}
	return e.listOutlets(q, int(c.Limit))
}

func (e *env) addOutlet(rows *text.Rows, o *keyservice.OutletRow) {
	key, ends := "-", "-"
	if o.Active != nil {
		key, ends = strconv.FormatUint(o.Active.Seckeyid, 10), text.Time(o.Active.EndsAt)
	}
	seen := text.Time(o.SeenAt)
	if o.Connected {
		seen = e.T("connected")
	}
	rows.Add(viewOutlet(o), o.ID, e.T("role_"+o.Role.String()), e.status(&o.Outlet), seen, e.T("freshness_"+o.Freshness.String()),
		key, ends, text.Time(o.EnrolledAt))
}

func (e *env) status(o *keyservice.Outlet) string {
	if o.Disabled {
		return e.T("disabled")
	}
	return e.T("enabled")
}

// secretView is the secret of one epoch as --json shows it: when, never what.
type secretView struct {
	Epoch       uint32     `json:"epoch"`
	CreatedAt   time.Time  `json:"createdAt"`
	FirstUsedAt *time.Time `json:"firstUsedAt,omitempty"`
}

// outletShowCmd shows one outlet and its newest keys.
type outletShowCmd struct {
	ID string `arg:"" help:"${help_id}"`
}

// Run is the command.
func (c *outletShowCmd) Run(e *env) error {
	return e.with(func(in *installation) error {
		_, secrets, err := in.store.Outlet(e, c.ID)
		if err != nil {
			return err
		}
		found, err := in.service.Outlets(e, keyservice.OutletQuery{ID: c.ID, Limit: 1})
		if err != nil {
			return err
		}
		o := &found[0] // nobody is ever unenrolled
		keys, err := in.service.Keys(e, keyservice.KeyQuery{Outlet: c.ID, ByNumber: true, Limit: 10})
		if err != nil {
			return err
		}
		shown := struct {
			outletView
			Secrets []secretView `json:"secrets"`
			Keys    []keyView    `json:"keys"`
		}{outletView: viewOutlet(o), Secrets: []secretView{}, Keys: []keyView{}}
		for _, s := range secrets {
			shown.Secrets = append(shown.Secrets, secretView{s.Epoch, s.CreatedAt, optional(s.FirstUsedAt)})
		}
		for i := range keys {
			shown.Keys = append(shown.Keys, viewKey(&keys[i]))
		}
		if e.JSON {
			return e.Show(shown, nil)
		}
		e.Say("outlet_line", o.ID, e.T("role_"+o.Role.String()), e.status(&o.Outlet), text.Time(o.EnrolledAt), e.seen(o), e.T("freshness_"+o.Freshness.String()))
		for _, s := range secrets {
			used := e.T("unused")
			if !s.FirstUsedAt.IsZero() {
				used = text.Time(s.FirstUsedAt)
			}
			e.Say("secret_line", s.Epoch, text.Time(s.CreatedAt), used)
		}
		return e.keyRows(keys).Write()
	})
}

// seen words when the client was connected last.
func (e *env) seen(o *keyservice.OutletRow) string {
	switch {
	case o.Connected:
		return e.T("connected")
	case o.SeenAt.IsZero():
		return e.T("seen_never")
	}
	return e.T("seen_at", text.Time(o.SeenAt))
}

type outletEnableCmd struct {
	ID string `arg:"" help:"${help_id}"`
}

// Run is the command.
func (c *outletEnableCmd) Run(e *env) error {
	return e.setDisabled(c.ID, false, "outlet_enabled", outlets)
}

type outletDisableCmd struct {
	ID string `arg:"" help:"${help_id}"`
}

// Run is the command.
func (c *outletDisableCmd) Run(e *env) error {
	return e.setDisabled(c.ID, true, "outlet_disabled", outlets)
}

package main

import (
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

// outletListCmd lists outlets.
type outletListCmd struct {
	Search string `help:"${help_search}" placeholder:"TEXT"`
}

// outletView is an outlet as --json shows it.
type outletView struct {
	ID         string    `json:"id"`
	Role       string    `json:"role"`
	Disabled   bool      `json:"disabled"`
	EnrolledAt time.Time `json:"enrolledAt"`
	LastNumber uint64    `json:"lastSeckeyid"`
	Epoch      uint32    `json:"epoch"`
}

func viewOutlet(o *keyservice.Outlet) outletView {
	return outletView{o.ID, o.Role.String(), o.Disabled, o.EnrolledAt, o.LastNumber, o.LastEpoch}
}

const listPage = 500

// Run is the command.
func (c *outletListCmd) Run(e *env) error {
	return e.listOutlets(keyservice.OutletQuery{Contains: c.Search, Roles: []wire.Role{wire.RoleOutlet}})
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
		o, secrets, err := in.store.Outlet(e, c.ID)
		if err != nil {
			return err
		}
		keys, err := in.service.Keys(e, keyservice.KeyQuery{Outlet: c.ID, ByNumber: true, Limit: 10})
		if err != nil {
			return err
		}
		shown := struct {
			outletView
			Secrets []secretView `json:"secrets"`
			Keys    []keyView    `json:"keys"`
		}{outletView: viewOutlet(&o), Secrets: []secretView{}, Keys: []keyView{}}
		for _, s := range secrets {
			shown.Secrets = append(shown.Secrets, secretView{s.Epoch, s.CreatedAt, optional(s.FirstUsedAt)})
		}
		for i := range keys {
			shown.Keys = append(shown.Keys, viewKey(&keys[i]))
		}
		if e.JSON {
			return e.Show(shown, nil)
		}
		e.Say("outlet_line", o.ID, e.T("role_"+o.Role.String()), e.status(&o), text.Time(o.EnrolledAt))
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

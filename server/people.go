package main

import (
	"errors"
	"fmt"

	"hufu/server/keyservice"
	"hufu/shared/cli"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// operatorAddCmd enrols a person at a console.
type operatorAddCmd struct {
	ID        string `arg:"" help:"${help_person_id}"`
	Role      string `help:"${help_role}" enum:"operator,auditor" default:"operator"`
	TokenFile string `help:"${help_token_file}" placeholder:"FILE" type:"path"`
}

// Run is the command.
func (c *operatorAddCmd) Run(e *env) error {
	role := wire.RoleOperator
	if c.Role == wire.RoleAuditor.String() {
		role = wire.RoleAuditor
	}
	fmt.Fprintln(e.stderr, e.T("operator_warning"))
	return e.enrol(c.ID, role, c.TokenFile)
}

// operatorListCmd lists operators and auditors.
type operatorListCmd struct{}

// Run is the command.
func (c *operatorListCmd) Run(e *env) error {
	return e.listOutlets(keyservice.OutletQuery{Roles: []wire.Role{wire.RoleOperator, wire.RoleAuditor}}, 0)
}

type operatorEnableCmd struct {
	ID string `arg:"" help:"${help_person_id}"`
}

// Run is the command.
func (c *operatorEnableCmd) Run(e *env) error {
	return e.setDisabled(c.ID, false, "person_enabled", people)
}

type operatorDisableCmd struct {
	ID string `arg:"" help:"${help_person_id}"`
}

// Run is the command.
func (c *operatorDisableCmd) Run(e *env) error {
	return e.setDisabled(c.ID, true, "person_disabled", people)
}

// newSecretCmd hands out a token of the next epoch, for an outlet or a person.
type newSecretCmd struct {
	ID        string `arg:"" help:"${help_any_id}"`
	Cut       bool   `help:"${help_cut}"`
	TokenFile string `help:"${help_token_file}" placeholder:"FILE" type:"path"`
}

type outletNewSecretCmd struct{ newSecretCmd }

// Run is the command.
func (c *outletNewSecretCmd) Run(e *env) error { return c.run(e, outlets) }

type operatorNewSecretCmd struct{ newSecretCmd }

// Run is the command.
func (c *operatorNewSecretCmd) Run(e *env) error { return c.run(e, people) }

func (c *newSecretCmd) run(e *env, of kind) error {
	return e.with(func(in *installation) error {
		if err := in.is(e, c.ID, of); err != nil {
			return err
		}
		out, err := cli.NewTokenOut(c.TokenFile)
		if err != nil {
			return err
		}
		t, err := in.service.NewSecret(e, c.ID, c.Cut)
		if err != nil {
			return errors.Join(err, out.Discard())
		}
		defer t.Secret.Zero()
		if c.Cut {
			fmt.Fprintln(e.stderr, e.T("cut_done", c.ID))
		}
		return out.Deliver(e.Output, t)
	})
}

// kind tells whom a command is about: outlets, or people at a console.
type kind bool

const (
	outlets kind = false
	people  kind = true
)

// is refuses a client that is of the other kind, so that "outlet disable"
// cannot shut out an operator by a slip.
func (in *installation) is(e *env, id string, of kind) error {
	o, _, err := in.store.Outlet(e, id)
	if err != nil {
		return err
	}
	if (o.Role != wire.RoleOutlet) != bool(of) {
		return settings.With(settings.ExitRefused, errors.New(e.T("other_kind", id, e.T("role_"+o.Role.String()))))
	}
	return nil
}

// enrol enrols a client and hands out its token.
func (e *env) enrol(id string, role wire.Role, tokenFile string) error {
	if !wire.ValidID(id) {
		return settings.With(settings.ExitUsage, text.Errorf("err_id", id, wire.MaxID))
	}
	return e.with(func(in *installation) error {
		out, err := cli.NewTokenOut(tokenFile)
		if err != nil {
			return err
		}
		t, err := in.service.Enrol(e, id, role)
		if err != nil {
			return errors.Join(err, out.Discard())
		}
		defer t.Secret.Zero()
		return out.Deliver(e.Output, t)
	})
}

// listOutlets lists clients, of whatever role: at most limit; 0: all.
func (e *env) listOutlets(q keyservice.OutletQuery, limit int) error {
	return e.with(func(in *installation) error {
		rows := e.Rows("col_outlet", "col_role", "col_status", "col_seen", "col_freshness", "col_key", "col_ends", "col_enrolled")
		q.Limit = listPage
		for n := 0; ; {
			if limit > 0 {
				q.Limit = min(listPage, limit-n)
			}
			page, err := in.service.Outlets(e, q)
			if err != nil {
				return err
			}
			for i := range page {
				e.addOutlet(rows, &page[i])
			}
			n += len(page)
			if len(page) < q.Limit || limit > 0 && n >= limit {
				return rows.Write()
			}
			q.After = page[len(page)-1].ID
		}
	})
}

// setDisabled disables or enables a client.
func (e *env) setDisabled(id string, disabled bool, said string, of kind) error {
	return e.with(func(in *installation) error {
		if err := in.is(e, id, of); err != nil {
			return err
		}
		if err := in.service.SetDisabled(e, id, disabled); err != nil {
			return err
		}
		shown := struct {
			ID       string `json:"id"`
			Disabled bool   `json:"disabled"`
		}{id, disabled}
		return e.Show(shown, func() string { return e.T(said, id) })
	})
}

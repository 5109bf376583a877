package main

import (
	"errors"
	"fmt"

	"hufu/shared/cli"
	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// adminEnrolCmd enrols a client and hands out its token, once.
type adminEnrolCmd struct {
	named
	Role      string `help:"${help_admin_role}" enum:"outlet,operator,auditor" default:"outlet"`
	TokenFile string `help:"${help_token_file}" placeholder:"FILE" type:"path"`
}

var roles = map[string]wire.Role{"outlet": wire.RoleOutlet, "operator": wire.RoleOperator, "auditor": wire.RoleAuditor}

// Run is the command.
func (c *adminEnrolCmd) Run(e *env) error {
	if c.Role != wire.RoleOutlet.String() {
		fmt.Fprintln(e.stderr, e.T("operator_warning"))
	}
	err := e.tokenFor(c.named, c.TokenFile, &wire.Enrol{ID: c.ID, Role: roles[c.Role]})
	if errors.Is(err, wire.CodeBadBody) {
		return settings.With(settings.ExitRefused, text.Errorf("admin_exists", c.ID))
	}
	return err
}

// adminNewSecretCmd hands out a token of the next epoch.
type adminNewSecretCmd struct {
	named
	Cut       bool   `help:"${help_cut}"`
	Epoch     uint64 `help:"${help_admin_epoch}" placeholder:"N"`
	TokenFile string `help:"${help_token_file}" placeholder:"FILE" type:"path"`
	sure
}

// Run is the command.
func (c *adminNewSecretCmd) Run(e *env) error {
	if c.Epoch > wire.MaxEpoch {
		return settings.With(settings.ExitUsage, text.Errorf("admin_no_epoch", c.Epoch))
	}
	if c.Cut {
		if err := c.ask(e, e.T("admin_will_cut", c.ID)); err != nil {
			return err
		}
	}
	return noClient(c.ID, e.tokenFor(c.named, c.TokenFile, &wire.NewSecret{ID: c.ID, Cut: c.Cut, Epoch: c.Epoch}))
}

// tokenFor has a token made and delivers it. The file is there before anything
// is done, so that no token is lost for want of a place.
func (e *env) tokenFor(of named, path string, o wire.Operation) error {
	if err := of.check(); err != nil {
		return err
	}
	out, err := cli.NewTokenOut(path)
	if err != nil {
		return err
	}
	r, t, err := e.handOut(o)
	switch {
	case errors.Is(err, client.ErrLost):
		return errors.Join(&doubtError{of.ID, err}, out.Discard())
	case err != nil:
		return errors.Join(err, out.Discard())
	case t == nil:
		return errors.Join(settings.With(settings.ExitRefused, text.Errorf("admin_stale", of.ID, r.Epoch)), out.Discard())
	}
	defer t.Secret.Zero()
	return out.Deliver(e.Output, t)
}

// doubtError says that a token may have been made and is lost.
type doubtError struct {
	id string
	error
}

func (e *doubtError) Unwrap() error { return e.error }

// adminEnableCmd lets a client in again.
type adminEnableCmd struct{ named }

// Run is the command.
func (c *adminEnableCmd) Run(e *env) error {
	return e.setDisabled(c.named, &wire.Enable{ID: c.ID}, "admin_enabled", "admin_was_enabled")
}

// adminDisableCmd shuts a client out.
type adminDisableCmd struct {
	named
	sure
}

// Run is the command.
func (c *adminDisableCmd) Run(e *env) error {
	if err := c.ask(e, e.T("admin_will_disable", c.ID)); err != nil {
		return err
	}
	err := e.setDisabled(c.named, &wire.Disable{ID: c.ID}, "admin_disabled", "admin_was_disabled")
	if errors.Is(err, wire.CodeBadBody) {
		return settings.With(settings.ExitRefused, text.Errorf("admin_self"))
	}
	return err
}

func (e *env) setDisabled(of named, o wire.Operation, done, before string) error {
	if err := of.check(); err != nil {
		return err
	}
	var r wire.ChangedOK
	if err := e.operate(o, &r); err != nil {
		return noClient(of.ID, err)
	}
	return e.showChanged(of.ID, 0, r.Changed, func() string {
		if r.Changed {
			return e.Lang.T(done, of.ID)
		}
		return e.Lang.T(before, of.ID)
	})
}

func (e *env) showChanged(id string, seckeyid uint64, changed bool, words func() string) error {
	return e.Show(struct {
		ID       string `json:"id"`
		Seckeyid uint64 `json:"seckeyid,omitempty"`
		Changed  bool   `json:"changed"`
	}{id, seckeyid, changed}, words)
}

// ofKey is the key that an operation is about.
type ofKey struct {
	Outlet   string `arg:"" help:"${help_id}"`
	Seckeyid uint64 `arg:"" help:"${help_seckeyid}"`
}

func (k ofKey) check() error {
	if err := (named{k.Outlet}).check(); err != nil {
		return err
	}
	if k.Seckeyid < 1 || k.Seckeyid > wire.MaxSeckeyid {
		return settings.With(settings.ExitUsage, text.Errorf("admin_no_number", k.Seckeyid))
	}
	return nil
}

// noKey words that there is no such key, or that it has ended by itself.
func (k ofKey) noKey(err error) error {
	switch {
	case errors.Is(err, wire.CodeNoKey):
		return settings.With(settings.ExitRefused, text.Errorf("admin_no_key", k.Outlet, k.Seckeyid))
	case errors.Is(err, wire.CodeExpired):
		return settings.With(settings.ExitRefused, text.Errorf("admin_key_expired", k.Outlet, k.Seckeyid))
	}
	return err
}

// adminRevokeCmd ends any outlet's key for good.
type adminRevokeCmd struct {
	ofKey
	Reason uint8  `help:"${help_reason}" default:"1" placeholder:"N"`
	Note   string `help:"${help_note}" placeholder:"TEXT"`
	sure
}

// Run is the command.
func (c *adminRevokeCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return err
	}
	if !wire.ValidLine(c.Note, wire.MaxLine) {
		return settings.With(settings.ExitUsage, text.Errorf("admin_note", wire.MaxLine))
	}
	if err := c.ask(e, e.T("admin_will_revoke", c.Seckeyid, c.Outlet)); err != nil {
		return err
	}
	var r wire.ChangedOK
	err := e.operate(&wire.RevokeOf{Outlet: c.Outlet, Seckeyid: c.Seckeyid, Reason: wire.Reason(c.Reason), Note: c.Note}, &r)
	if err != nil {
		return c.noKey(err)
	}
	return e.showChanged(c.Outlet, c.Seckeyid, r.Changed, func() string {
		if r.Changed {
			return e.T("admin_revoked", c.Seckeyid, c.Outlet)
		}
		return e.T("admin_was_revoked", c.Seckeyid, c.Outlet)
	})
}

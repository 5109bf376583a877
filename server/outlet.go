package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// outletAddCmd enrols an outlet and hands out its token, once.
type outletAddCmd struct {
	ID        string `arg:"" help:"${help_id}"`
	TokenFile string `help:"${help_token_file}" placeholder:"FILE" type:"path"`
}

// Run is the command.
func (c *outletAddCmd) Run(e *env) error {
	return e.with(func(in *installation) error {
		out, err := newTokenOut(c.TokenFile)
		if err != nil {
			return err
		}
		t, err := in.service.Enrol(e, c.ID, wire.RoleOutlet)
		if err != nil {
			return errors.Join(err, out.discard())
		}
		defer t.Secret.Zero()
		return out.deliver(e, t)
	})
}

// tokenOut is where a token goes: a new file that only its owner can read, or
// standard output. The file is made before anything is enrolled, so that no
// token is lost for want of a place.
type tokenOut struct {
	file *os.File // nil: standard output
}

func newTokenOut(path string) (*tokenOut, error) {
	if path == "" {
		return &tokenOut{}, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--token-file: %w", err)
	}
	return &tokenOut{f}, nil
}

func (o *tokenOut) discard() error {
	if o.file == nil {
		return nil
	}
	return errors.Join(o.file.Close(), os.Remove(o.file.Name()))
}

func (o *tokenOut) deliver(e *env, t *wire.Token) error {
	token, err := t.Encode()
	if err != nil {
		return err
	}
	shown := struct {
		ID        string `json:"id"`
		Role      string `json:"role"`
		Epoch     uint64 `json:"epoch"`
		Token     string `json:"token,omitempty"`
		TokenFile string `json:"tokenFile,omitempty"`
	}{ID: t.ClientID, Role: t.Role.String(), Epoch: t.Epoch}
	if o.file == nil {
		shown.Token = token
		return e.Show(shown, func() string { return e.T("token_shown", t.ClientID, token) })
	}
	_, err = fmt.Fprintln(o.file, token)
	if err := errors.Join(err, o.file.Sync(), o.file.Close()); err != nil {
		return err
	}
	shown.TokenFile = o.file.Name()
	return e.Show(shown, func() string { return e.T("token_written", t.ClientID, o.file.Name()) })
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
	return e.with(func(in *installation) error {
		rows := e.Rows("col_outlet", "col_role", "col_status", "col_enrolled", "col_last")
		q := keyservice.OutletQuery{Contains: c.Search, Roles: []wire.Role{wire.RoleOutlet}, Limit: listPage}
		for {
			page, err := in.store.Outlets(e, q)
			if err != nil {
				return err
			}
			for i := range page {
				o := &page[i]
				rows.Add(viewOutlet(o), o.ID, e.T("role_"+o.Role.String()), e.status(o), text.Time(o.EnrolledAt), strconv.FormatUint(o.LastNumber, 10))
			}
			if len(page) < listPage {
				return rows.Write()
			}
			q.After = page[len(page)-1].ID
		}
	})
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
func (c *outletEnableCmd) Run(e *env) error { return e.setDisabled(c.ID, false, "outlet_enabled") }

type outletDisableCmd struct {
	ID string `arg:"" help:"${help_id}"`
}

// Run is the command.
func (c *outletDisableCmd) Run(e *env) error { return e.setDisabled(c.ID, true, "outlet_disabled") }

func (e *env) setDisabled(id string, disabled bool, said string) error {
	return e.with(func(in *installation) error {
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

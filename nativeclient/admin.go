package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// adminCmd is what operators and auditors do from a terminal, over the protocol.
type adminCmd struct {
	Overview  adminOverviewCmd  `cmd:"" help:"${help_admin_overview}"`
	Outlets   adminOutletsCmd   `cmd:"" help:"${help_admin_outlets}"`
	Outlet    adminOutletCmd    `cmd:"" help:"${help_admin_outlet}"`
	Key       adminKeyCmd       `cmd:"" help:"${help_admin_key}"`
	Events    adminEventsCmd    `cmd:"" help:"${help_admin_events}"`
	Enrol     adminEnrolCmd     `cmd:"" help:"${help_admin_enrol}"`
	NewSecret adminNewSecretCmd `cmd:"" help:"${help_new_secret}"`
	Enable    adminEnableCmd    `cmd:"" help:"${help_admin_enable}"`
	Disable   adminDisableCmd   `cmd:"" help:"${help_admin_disable}"`
	Revoke    adminRevokeCmd    `cmd:"" help:"${help_admin_revoke}"`
}

// withConsole opens a connection under the stored token and runs do. No segment
// is touched.
func (e *env) withConsole(o client.Options, do func(s *client.Session) error) error {
	t, err := e.loadToken()
	if err != nil {
		return err
	}
	defer t.Secret.Zero()
	d, err := e.dialer(t)
	if err != nil {
		return err
	}
	o.Clock, o.Role = bootClock, t.Role
	s, err := e.connect(d, t, o)
	if err != nil {
		return unreachable(err)
	}
	defer s.Close()
	return lost(do(s))
}

// operate has one operation done over a connection of its own.
func (e *env) operate(o wire.Operation, r wire.Result) error {
	return e.withConsole(client.Options{}, func(s *client.Session) error { return client.Operate(e, s, o, r) })
}

// sealTries bounds how often a key is agreed to seal one token under: another
// console of the same person takes its place when it agrees one. Whoever may not
// have a token made is told so before any is.
const sealTries = 3

// handOut has a token made. The server seals it under a key that was agreed on
// this connection (§5): one in memory, which is wiped afterwards.
func (e *env) handOut(o wire.Operation) (r *wire.EnrolledOK, t *wire.Token, err error) {
	holder := client.NewMemoryHolder(bootClock)
	keeper := client.NewKeeper(holder, client.KeeperOptions{Clock: bootClock})
	defer keeper.Close()
	err = e.withConsole(keeper.Attach(client.Options{}), func(s *client.Session) error {
		r, t, err = client.HandOut(e, s, o)
		for try := 0; try < sealTries && errors.Is(err, wire.CodeNoSealKey); try++ {
			agreed, failed := keeper.Negotiate(e, s)
			if failed != nil {
				return failed
			}
			r, t, err = client.HandOut(e, s, o)
			err = errors.Join(err, holder.Wipe(agreed.Seckeyid, wire.StateExpired))
		}
		return err
	})
	return r, t, err
}

// named is the client that an operation is about.
type named struct {
	ID string `arg:"" help:"${help_any_id}"`
}

// check refuses what is no identifier, before anything is asked.
func (n named) check() error {
	if !wire.ValidID(n.ID) {
		return settings.With(settings.ExitUsage, text.Errorf("err_id", n.ID, wire.MaxID))
	}
	return nil
}

// noClient words that there is no client of that id.
func noClient(id string, err error) error {
	if errors.Is(err, wire.CodeNoKey) {
		return settings.With(settings.ExitRefused, text.Errorf("admin_no_client", id))
	}
	return err
}

// sure is for what cannot be taken back, or shuts somebody out.
type sure struct {
	Yes bool `help:"${help_yes}"`
}

// ask has a person on a terminal confirm what will happen; scripts say --yes.
func (s sure) ask(e *env, what string) error {
	if s.Yes {
		return nil
	}
	if !isTerminal(e.stdin) {
		return settings.With(settings.ExitUsage, text.Errorf("admin_needs_yes", what))
	}
	fmt.Fprint(e.stderr, what+"\n"+e.T("admin_sure"))
	in := bufio.NewScanner(e.stdin)
	answer, err := ask(in)
	if err := ended(err); err != nil {
		return err
	}
	switch strings.ToLower(answer) {
	case "y", "yes", "是":
		return nil
	}
	return settings.With(settings.ExitUsage, text.Errorf("admin_not_done"))
}

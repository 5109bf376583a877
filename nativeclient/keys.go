package main

import (
	"errors"
	"time"

	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
	"hufu/shm"
)

// negotiateCmd agrees a fresh key, verifies it, and makes it the current one.
type negotiateCmd struct{}

// keyOut is a key as --json shows it.
type keyOut struct {
	ClientID    string     `json:"clientId"`
	ServerID    string     `json:"serverId"`
	Seckeyid    uint64     `json:"seckeyid"`
	Fingerprint string     `json:"fingerprint,omitempty"`
	State       string     `json:"state"`
	Expires     *time.Time `json:"expires,omitempty"`
}

// Run is the command.
func (c *negotiateCmd) Run(e *env) error {
	return e.withLink(func(l *link) error {
		if _, err := l.keeper.Reverify(e, l.Session); err != nil {
			return err
		}
		o, err := l.keeper.Negotiate(e, l.Session)
		if err != nil {
			return err
		}
		if _, err := l.writer.Current(l.token.ClientID); err == nil && !e.isCurrent(l, o.Seckeyid) {
			e.Say("switching", o.Seckeyid)
		}
		if err := l.keeper.Settle(e); err != nil {
			return err
		}
		expires := fromBoot(o.NotAfter)
		out := keyOut{l.token.ClientID, l.token.ServerID, o.Seckeyid, o.FP.String(), o.State.String(), &expires}
		return e.Show(out, func() string {
			return e.T("negotiated", o.Seckeyid, o.FP, e.Segment, expires.Local().Format(time.DateTime))
		})
	})
}

func (e *env) isCurrent(l *link, seckeyid uint64) bool {
	current, err := l.writer.Current(l.token.ClientID)
	current.Key.Zero()
	return err == nil && current.SeckeyID == seckeyid
}

// fromBoot shows a time of the boot clock by the machine's clock.
func fromBoot(at time.Duration) time.Time {
	return time.Now().Add(at - bootClock()).UTC().Truncate(time.Millisecond)
}

// which names a key: by its number, or the current one.
type which struct {
	Seckeyid uint64 `arg:"" optional:"" help:"${help_which}"`
}

var errNoCurrent = text.Errorf("err_no_current")

// number is the key that is meant.
func (w which) number(l *link) (uint64, error) {
	switch {
	case w.Seckeyid != 0:
		return w.Seckeyid, nil
	case l.before != 0:
		return l.before, nil
	}
	return 0, settings.With(settings.ExitSharedMemory, errNoCurrent)
}

// verifyCmd proves both ends hold the same key.
type verifyCmd struct{ which }

// Run is the command.
func (c *verifyCmd) Run(e *env) error {
	return e.withLink(func(l *link) error {
		n, err := c.number(l)
		if err != nil {
			return err
		}
		held, err := l.writer.Key(l.token.ClientID, n)
		held.Key.Zero()
		if err != nil {
			return l.notLiving(n)
		}
		state, err := l.keeper.Verify(e, l.Session, n)
		if errors.Is(err, client.ErrNoKey) {
			return l.notLiving(n)
		}
		if err != nil {
			return err
		}
		out := keyOut{ClientID: l.token.ClientID, ServerID: l.token.ServerID, Seckeyid: n, Fingerprint: held.Fingerprint.String(), State: state.String()}
		return e.Show(out, func() string {
			return e.T("verified", n, held.Fingerprint, e.T("state_"+state.String()))
		})
	})
}

// notLiving says what has become of a key that is not a living one here: what
// the server would say of it, if it once was.
func (l *link) notLiving(n uint64) error {
	entry, err := l.writer.Key(l.token.ClientID, n)
	entry.Key.Zero()
	switch {
	case errors.Is(err, shm.ErrNotUsable) && entry.State == shm.Revoked:
		return wire.CodeRevoked
	case errors.Is(err, shm.ErrNotUsable):
		return wire.CodeExpired
	}
	return settings.With(settings.ExitSharedMemory, text.Errorf("err_key", n, err))
}

// revokeCmd ends a key for good, at both ends.
type revokeCmd struct {
	which
	Reason uint8 `help:"${help_reason}" default:"1" placeholder:"N"`
}

// Run is the command.
func (c *revokeCmd) Run(e *env) error {
	return e.withLink(func(l *link) error {
		n, err := c.number(l)
		if err != nil {
			return err
		}
		l.asked.Store(n)
		if err := l.keeper.Revoke(e, l.Session, n, wire.Reason(c.Reason)); err != nil {
			return text.Errorf("err_key", n, err)
		}
		out := keyOut{ClientID: l.token.ClientID, ServerID: l.token.ServerID, Seckeyid: n, State: wire.StateRevoked.String()}
		return e.Show(out, func() string { return e.T("revoked", n, e.Segment) })
	})
}

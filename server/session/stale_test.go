package session_test

import (
	"sync"
	"testing"

	"hufu/server/keyservice"
	"hufu/server/session"
	"hufu/shared/wire"
)

// TestChangedDuringOpen: an enrolment that changes after an opening connection
// has looked it up, and of which the connection is told before it is open, is
// looked up again: whoever it no longer admits is closed.
func TestChangedDuringOpen(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	c.enrol(t, "later", wire.RoleOutlet)
	for _, row := range []struct {
		id      string
		change  func(token *wire.Token) error
		refused bool
	}{
		{"disabled", func(token *wire.Token) error { return c.SetDisabled(t.Context(), token.ClientID, true) }, true},
		{"cut", func(token *wire.Token) error {
			_, err := c.NewSecret(t.Context(), token.ClientID, true)
			return err
		}, true},
		{"superseded", func(token *wire.Token) error {
			next, err := c.NewSecret(t.Context(), token.ClientID, false)
			if err != nil {
				return err
			}
			return c.Opened(t.Context(), next.ClientID, next.Epoch)
		}, true},
		{"enabled", func(token *wire.Token) error {
			if err := c.SetDisabled(t.Context(), token.ClientID, true); err != nil {
				return err
			}
			return c.SetDisabled(t.Context(), token.ClientID, false)
		}, false},
	} {
		t.Run(row.id, func(t *testing.T) {
			token := c.enrol(t, row.id, wire.RoleOutlet)
			c.used(t, token)
			change := sync.OnceFunc(func() {
				if err := row.change(token); err != nil {
					t.Error(err)
				}
				c.toldAll(t)
			})
			c.store.onRead(func(string) { change() })
			defer c.store.onRead(nil)
			p := c.connect(t, token)
			if row.refused {
				p.closes(1008)
			} else {
				p.alive()
			}
		})
	}
}

// toldAll returns when everybody has been told of what has happened up to now:
// changes are told one after the other, and this makes one more.
func (c *centre) toldAll(t *testing.T) {
	told := make(chan struct{}, 1)
	defer c.Listen("later", func(keyservice.ChangeRow) {
		select {
		case told <- struct{}{}:
		default:
		}
	})()
	o, _, err := c.store.Store.Outlet(t.Context(), "later")
	if err == nil {
		err = c.SetDisabled(t.Context(), "later", !o.Disabled)
	}
	if err != nil {
		t.Error(err)
		return
	}
	<-told
}

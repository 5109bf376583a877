package session_test

import (
	"testing"

	"github.com/coder/websocket"

	"hufu/server/keyservice"
	"hufu/server/session"
	"hufu/shared/wire"
)

// TestPresence: a client is there from its first open connection to the end of
// its last one; who fails to open never is.
func TestPresence(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	c.store.presence.Store(true)
	token, other := c.enrol(t, "o", wire.RoleOutlet), c.enrol(t, "p", wire.RoleOutlet)
	is := func(id string, connected bool) bool {
		rows := must(c.Outlets(t.Context(), keyservice.OutletQuery{ID: id, Connected: &connected, Limit: 1}))(t)
		return len(rows) == 1
	}
	wrong := *other
	wrong.Secret[0] ^= 1
	failed := c.dial(t, &wrong)
	failed.write(websocket.MessageBinary, failed.anOpen())
	a, b := c.connect(t, token), c.connect(t, token)
	waitFor(t, "it is there", func() bool { return is("o", true) })
	a.ws.CloseNow()
	waitFor(t, "one connection is left", func() bool { return c.sessions.Open() == 1 })
	b.ws.CloseNow()
	waitFor(t, "it is gone", func() bool { return is("o", false) })
	if is("p", true) {
		t.Error("one who cannot open is there")
	}
	rows := must(c.store.Events(t.Context(), keyservice.EventQuery{Limit: 100, Kinds: []keyservice.Kind{keyservice.KindConnected, keyservice.KindDisconnected}}))(t)
	if len(rows) != 2 || rows[0].Kind != keyservice.KindDisconnected || rows[1].Kind != keyservice.KindConnected || rows[1].Outlet != "o" {
		t.Errorf("told: %+v", rows)
	}
}

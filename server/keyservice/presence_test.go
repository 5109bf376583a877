package keyservice_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// sights is what the change table has of who came and went, oldest first.
func (c *centre) sights(t *testing.T) string {
	t.Helper()
	rows := must(c.store.Store.Events(t.Context(), keyservice.EventQuery{Limit: 500,
		Kinds: []keyservice.Kind{keyservice.KindConnected, keyservice.KindDisconnected}}))(t)
	var words []string
	for _, r := range rows {
		words = append([]string{fmt.Sprint(r.Kind, " ", r.Outlet)}, words...)
	}
	return strings.Join(words, ", ")
}

func (c *centre) isConnected(t *testing.T, id string) bool {
	t.Helper()
	rows, err := c.Outlets(t.Context(), keyservice.OutletQuery{ID: id, Limit: 1})
	return err == nil && len(rows) == 1 && rows[0].Connected
}

// TestConnected: the first connection to either of two processes is told of,
// and the end of the last one; a listener hears it.
func TestConnected(t *testing.T) {
	one := openCentre(t, migrated(t), newRing(t))
	two := openCentreAt(t, one.path, one.ring, "there")
	one.run(t)
	two.run(t)
	one.enrol(t, "o", wire.RoleOutlet)
	var all heard
	defer two.ListenAll(all.tell)()
	first, second := one.Connected("o"), one.Connected("o")
	waitFor(t, soon, "it is connected", func() bool { return two.isConnected(t, "o") })
	elsewhere := two.Connected("o")
	waitFor(t, soon, "the other has told", two.Told)
	first()
	second()
	waitFor(t, soon, "both have told", one.Told)
	if !one.isConnected(t, "o") {
		t.Error("it is gone from one process and counts as gone from both")
	}
	elsewhere()
	waitFor(t, soon, "it is gone", func() bool { return !one.isConnected(t, "o") })
	if got := one.sights(t); got != "connected o, disconnected o" {
		t.Errorf("told: %s", got)
	}
	waitFor(t, soon, "a listener has heard it", func() bool {
		rows := all.all()
		return len(rows) > 0 && rows[len(rows)-1].Kind == keyservice.KindDisconnected
	})
}

// TestPresenceWhileTheStoreFails: nobody waits, and what could not be written
// is written later, as it is then; whoever came and went meanwhile is not
// mentioned.
func TestPresenceWhileTheStoreFails(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	for _, id := range []string{"stays", "leaves", "flaps"} {
		c.enrol(t, id, wire.RoleOutlet)
	}
	leaves := c.Connected("leaves")
	waitFor(t, soon, "one is connected", func() bool { return c.isConnected(t, "leaves") })
	c.store.set(nil, nil, errStore)
	c.Connected("stays")
	leaves()
	c.Connected("flaps")()
	waitFor(t, soon, "the failure is logged", func() bool { return strings.Contains(c.log.String(), "who is connected cannot be written") })
	if c.isConnected(t, "stays") || c.Told() {
		t.Error("written by a store that fails")
	}
	c.store.set(nil, nil, nil)
	waitFor(t, soon, "all is told", c.Told)
	if got := c.sights(t); got != "connected leaves, disconnected leaves, connected stays" &&
		got != "connected leaves, connected stays, disconnected leaves" {
		t.Errorf("told: %s", got)
	}
	if n := strings.Count(c.log.String(), "who is connected cannot be written"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
}

// TestPresenceAfterAPause: a process that was taken to be dead tells again of
// everybody who is connected to it.
func TestPresenceAfterAPause(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	c.enrol(t, "a", wire.RoleOutlet)
	c.enrol(t, "b", wire.RoleOutlet)
	c.Connected("a")
	waitFor(t, soon, "it is connected", func() bool { return c.isConnected(t, "a") })
	c.store.set(nil, nil, errStore) // it stands still
	other := keyservice.Process{ID: strings.Repeat("f", 16), Place: "here", Begins: true, At: c.now()}
	must(c.store.Store.Beat(t.Context(), other, 1))(t)
	if n := must(c.store.Store.Reap(t.Context(), 9))(t); n != 1 {
		t.Fatalf("%d presences were ended", n)
	}
	if c.isConnected(t, "a") {
		t.Fatal("a dead process has connections")
	}
	c.store.set(nil, nil, nil)
	c.Connected("b") // refused, so that the process begins again
	waitFor(t, soon, "both are told", func() bool { return c.isConnected(t, "a") && c.isConnected(t, "b") })
	if got := c.sights(t); got != "connected a, disconnected a, connected a, connected b" &&
		got != "connected a, disconnected a, connected b, connected a" {
		t.Errorf("told: %s", got)
	}
}

// TestPresenceAtTheEnd: a server that stops tells that everybody has gone; one
// that begins ends what another has left at the same place.
func TestPresenceAtTheEnd(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	stop := c.start(t, c.Run)
	c.enrol(t, "a", wire.RoleOutlet)
	c.enrol(t, "left", wire.RoleOutlet)
	gone := c.Connected("a")
	c.Connected("left")
	waitFor(t, soon, "both are connected", func() bool { return c.isConnected(t, "a") && c.isConnected(t, "left") })
	gone()
	stop()
	if c.isConnected(t, "a") || !c.isConnected(t, "left") {
		t.Error("what was left to tell was not told")
	}
	next := openCentre(t, c.path, c.ring)
	next.run(t)
	waitFor(t, soon, "what was left is ended", func() bool { return !next.isConnected(t, "left") })
}

// TestPresenceOfMany: very many come at once, and again, and go.
func TestPresenceOfMany(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	const many = 3000
	ids := make([]string, many)
	for i := range ids {
		ids[i] = fmt.Sprint("o", i)
	}
	if err := c.EnrolAll(t.Context(), ids, wire.RoleOutlet, func(*wire.Token) error { return nil }); err != nil {
		t.Fatal(err)
	}
	count := func() int { return must(c.Counts(t.Context()))(t).Connected }
	var wg sync.WaitGroup
	for _, id := range ids {
		wg.Go(func() {
			c.Connected(id)()
			c.Connected(id)
		})
	}
	wg.Wait()
	waitFor(t, soon, "all are connected", func() bool { return count() == many })
}

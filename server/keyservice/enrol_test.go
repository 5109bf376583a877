package keyservice_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

func TestEnrolTwice(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	before := o.last()
	for _, role := range []wire.Role{wire.RoleOutlet, wire.RoleOperator} {
		if _, err := c.Enrol(t.Context(), "o", role); !errors.Is(err, keyservice.ErrExists) {
			t.Errorf("enrolled again as %v: %v", role, err)
		}
	}
	if got := o.changes(before); len(got) != 0 {
		t.Errorf("recorded %q", brief(got))
	}
	for _, id := range []string{"", "a b", "twelve-bytes", "é", "a\x00"} {
		if _, err := c.Enrol(t.Context(), id, wire.RoleOutlet); err == nil {
			t.Errorf("%q was enrolled", id)
		}
	}
	if err := c.SetDisabled(t.Context(), "nobody", true); !errors.Is(err, keyservice.ErrNoOutlet) {
		t.Errorf("disable nobody: %v", err)
	}
}

// TestLookup: whoever is not enrolled, disabled, or names another epoch gets a
// dummy by the same path: always the same one for an id, another for others.
func TestLookup(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	o := c.enrol(t, "o", wire.RoleAuditor)
	look := func(id string, epoch uint64) *keyservice.Enrolment {
		t.Helper()
		return must(c.Lookup(t.Context(), id, epoch))(t)
	}
	if e := look("o", 1); !e.Known || e.Secret != o.token.Secret || e.Role != wire.RoleAuditor || !e.Unused {
		t.Errorf("enrolled: known %v, role %v, unused %v", e.Known, e.Role, e.Unused)
	}
	dummy := look("nobody", 1)
	for name, e := range map[string]*keyservice.Enrolment{
		"an unknown id": dummy, "another epoch": look("o", 2), "epoch 2^32+1": look("o", 1<<32+1),
	} {
		if e.Known || e.Secret == (wire.Secret{}) || e.Secret == o.token.Secret {
			t.Errorf("%s: known %v", name, e.Known)
		}
	}
	if again := look("nobody", 7); again.Secret != dummy.Secret {
		t.Error("the dummy secret of one id changes")
	}
	if other := look("nobody2", 1); other.Secret == dummy.Secret {
		t.Error("two ids have the same dummy secret")
	}
	if err := c.Opened(t.Context(), "o", 1); err != nil {
		t.Errorf("opened: %v", err)
	}
	before := o.last()
	if err := c.Opened(t.Context(), "o", 1); err != nil || len(o.changes(before)) != 0 {
		t.Errorf("opened again: %v, recorded %q", err, brief(o.changes(before)))
	}
	if e := look("o", 1); e.Unused {
		t.Error("still unused after opened")
	}
	for id, epoch := range map[string]uint64{"nobody": 1, "o": 2} {
		if err := c.Opened(t.Context(), id, epoch); code(t, err) != wire.CodeNotPermitted {
			t.Errorf("opened as %s, epoch %d: %v", id, epoch, err)
		}
	}
}

func TestDisabled(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	n := o.active()
	before := o.last()
	for range 2 { // twice is once
		if err := c.SetDisabled(t.Context(), "o", true); err != nil {
			t.Fatal(err)
		}
	}
	if e := must(c.Lookup(t.Context(), "o", 1))(t); e.Known || e.Secret == o.token.Secret {
		t.Error("a disabled one is known")
	}
	if err := c.Opened(t.Context(), "o", 1); code(t, err) != wire.CodeNotPermitted {
		t.Errorf("opened: %v", err)
	}
	if _, err := o.tryNegotiate(); code(t, err) != wire.CodeNotPermitted {
		t.Errorf("negotiate on a connection from before: %v", err)
	}
	if k := o.key(n); k.State != wire.StateActive {
		t.Errorf("disabling has changed the key to %v", k.State)
	}
	if err := c.SetDisabled(t.Context(), "o", false); err != nil {
		t.Fatal(err)
	}
	if e := must(c.Lookup(t.Context(), "o", 1))(t); !e.Known {
		t.Error("enabled again, and not known")
	}
	if got, want := brief(o.changes(before)), []string{"disabled 0", "enabled 0"}; !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// TestDamagedRow: a secret or key that was moved to another row, or damaged,
// does not open; it says nothing to the peer, and all to the log.
func TestDamagedRow(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	a, b := c.enrol(t, "a", wire.RoleOutlet), c.enrol(t, "b", wire.RoleOutlet)
	n := a.active()
	b.active()
	theirs := b.ledger(n)
	change := &keyservice.Change{Outlet: "a", Decide: func(l *keyservice.Ledger) error {
		key, secret := l.Living[0], l.Secrets[0]
		key.Sealed, secret.Sealed = theirs.Living[0].Sealed, theirs.Secrets[0].Sealed
		l.Writes.SetKeys, l.Writes.SetSecrets = append(l.Writes.SetKeys, key), append(l.Writes.SetSecrets, secret)
		return nil
	}}
	if err := c.store.Store.Apply(t.Context(), []*keyservice.Change{change}); err != nil || change.Err != nil {
		t.Fatal(err, change.Err)
	}
	if e := must(c.Lookup(t.Context(), "a", 1))(t); e.Known || e.Secret == b.token.Secret {
		t.Error("another's secret in its row is taken for its own")
	}
	if _, err := a.verify(n, true); code(t, err) != wire.CodeInternal {
		t.Errorf("verify over another's key: %v", err)
	}
	if got := a.key(n).State; got != wire.StateActive {
		t.Errorf("the failure has made it %v", got)
	}
	if strings.Count(c.log.String(), "level=ERROR") != 2 {
		t.Errorf("the log does not say it twice:\n%s", c.log)
	}
	if err := a.revoke(n, 1); err != nil { // to end a key needs no key
		t.Errorf("revoke: %v", err)
	}
}

// TestLookupWaitsForTheFollower: who was let in before the follower knows from
// where it tells would never hear of what happens meanwhile.
func TestLookupWaitsForTheFollower(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.store.set(nil, errStore, nil)
	c.start(t, c.Run)
	c.enrol(t, "o", wire.RoleOutlet)
	asked := make(chan error, 1)
	go func() {
		_, err := c.Lookup(t.Context(), "o", 1)
		asked <- err
	}()
	select {
	case err := <-asked:
		t.Fatalf("answered while nobody can be told of changes: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	c.store.set(nil, nil, nil)
	err := <-asked
	if errors.Is(err, wire.CodeBusy) { // it waits for 5 s, which the machine may have stood still
		_, err = c.Lookup(t.Context(), "o", 1)
	}
	if err != nil {
		t.Error(err)
	}
}

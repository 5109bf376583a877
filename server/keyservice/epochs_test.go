package keyservice_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

const week = 7 * 24 * time.Hour

// good tells which of the epochs 1 to 9 a client may open with now.
func (c *centre) good(t *testing.T, id string) (epochs []uint64) {
	t.Helper()
	for epoch := range uint64(9) {
		if must(c.Lookup(t.Context(), id, epoch+1))(t).Known {
			epochs = append(epochs, epoch+1)
		}
	}
	return epochs
}

// TestEpochs walks through §9: both epochs are good until the first open under
// the newer one; an unused one is replaced; epochs are never given out twice.
func TestEpochs(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	ctx := t.Context()
	for _, step := range []struct {
		what string
		do   func() error
		good []uint64
	}{
		{"a first token, replaced unused", func() error { _, err := c.NewSecret(ctx, "o", false); return err }, []uint64{2}},
		{"the first open", func() error { return c.Opened(ctx, "o", 2) }, []uint64{2}},
		{"opened again", func() error { return c.Opened(ctx, "o", 2) }, []uint64{2}},
		{"a new secret", func() error { _, err := c.NewSecret(ctx, "o", false); return err }, []uint64{2, 3}},
		{"another, the former unused", func() error { _, err := c.NewSecret(ctx, "o", false); return err }, []uint64{2, 4}},
		{"the old one still opens", func() error { return c.Opened(ctx, "o", 2) }, []uint64{2, 4}},
		{"the new one opens", func() error { return c.Opened(ctx, "o", 4) }, []uint64{4}},
		{"one that waits", func() error { _, err := c.NewSecret(ctx, "o", false); return err }, []uint64{4, 5}},
		{"cut", func() error { _, err := c.NewSecret(ctx, "o", true); return err }, []uint64{6}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := c.good(t, "o"); !slices.Equal(got, step.good) {
			t.Errorf("%s: good are %d, want %d", step.what, got, step.good)
		}
	}
	if err := c.Opened(ctx, "o", 4); code(t, err) != wire.CodeNotPermitted {
		t.Errorf("an epoch that was erased: %v", err)
	}
	want := []string{"enrolled 0", "new-secret 0", "opened 0", "new-secret 0", "new-secret 0", "opened 0", "new-secret 0", "cut 0"}
	if got := brief(o.changes(0)); !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestNewSecretIsTheTokens(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	first := must(c.Enrol(t.Context(), "p", wire.RoleAuditor))(t)
	second := must(c.NewSecret(t.Context(), "p", false))(t)
	if second.Epoch != 2 || second.Role != wire.RoleAuditor || second.ClientID != "p" || second.Secret == first.Secret {
		t.Errorf("the token is %v", second)
	}
	if e := must(c.Lookup(t.Context(), "p", 2))(t); e.Secret != second.Secret || e.Role != wire.RoleAuditor || !e.Unused {
		t.Errorf("looked up: known %v, role %v, unused %v", e.Known, e.Role, e.Unused)
	}
	if _, err := c.NewSecret(t.Context(), "nobody", false); !errors.Is(err, keyservice.ErrNoOutlet) {
		t.Errorf("of nobody: %v", err)
	}
}

// TestCutRevokes: a cut erases the secrets and revokes every living key, and
// leaves those that have ended.
func TestCutRevokes(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	other := c.enrol(t, "other", wire.RoleOutlet)
	retired, active := o.active(), o.active()
	pending, kept := o.negotiate(), other.active()
	before := o.last()
	if _, err := c.NewSecret(t.Context(), "o", true); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{retired, active, pending} {
		if k := o.key(n); k.State != wire.StateRevoked || k.Reason != wire.ReasonSecretCut || o.hasMaterial(n) {
			t.Errorf("key %d: %v, reason %v, material %v", n, k.State, k.Reason, o.hasMaterial(n))
		}
	}
	if k := other.key(kept); k.State != wire.StateActive {
		t.Errorf("another outlet's key: %v", k.State)
	}
	want := []string{"cut 0", "revoked 1 reason 5", "revoked 2 reason 5", "revoked 3 reason 5"}
	if got := brief(o.changes(before)); !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// TestUnusedSecrets: what nobody has opened with for 7 days is erased, a first
// token as well, and what is in use stays.
func TestUnusedSecrets(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	ctx := t.Context()
	c.enrol(t, "first", wire.RoleOutlet)
	c.enrol(t, "used", wire.RoleOutlet)
	if err := c.Opened(ctx, "used", 1); err != nil {
		t.Fatal(err)
	}
	must(c.NewSecret(ctx, "used", false))(t)
	c.advance(week - time.Second)
	c.enrol(t, "late", wire.RoleOutlet)
	time.Sleep(1500 * time.Millisecond) // the sweeper has been round
	if got := c.good(t, "first"); !slices.Equal(got, []uint64{1}) {
		t.Errorf("before the week is over: %d", got)
	}
	c.advance(2 * time.Second)
	waitFor(t, soon, "an unused first token to go", func() bool { return len(c.good(t, "first")) == 0 })
	waitFor(t, soon, "an unused newer secret to go", func() bool { return len(c.good(t, "used")) == 1 })
	for id, want := range map[string][]uint64{"used": {1}, "late": {1}} {
		if got := c.good(t, id); !slices.Equal(got, want) {
			t.Errorf("%s: good are %d, want %d", id, got, want)
		}
	}
	if token := must(c.NewSecret(ctx, "used", false))(t); token.Epoch != 3 {
		t.Errorf("the next epoch is %d, want 3: 2 was given out", token.Epoch)
	}
}

// TestReseal: everything moves to the new ring key and opens as before.
func TestReseal(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	n := o.active()
	must(c.ring.Add(time.Now()))(t)
	must(c.ring.Promote())(t)
	if got := must(c.Reseal(t.Context(), "o"))(t); got != 2 {
		t.Errorf("%d values sealed anew, want a secret and a key", got)
	}
	if got := must(c.Reseal(t.Context(), "o"))(t); got != 0 {
		t.Errorf("%d values sealed anew the second time", got)
	}
	stale := 0
	if err := c.CheckSealed(t.Context(), "o", func(b []byte) {
		if c.ring.Stale(b) {
			stale++
		}
	}); err != nil || stale != 0 {
		t.Errorf("%d values stand under the older key, %v", stale, err)
	}
	if state, err := o.verify(n, true); state != wire.StateActive || err != nil {
		t.Errorf("verify: %v, %v", state, err)
	}
}

// TestRestored: no number and no epoch is given out twice, and what may have
// been revoked since the backup is not usable.
func TestRestored(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	retired, active := o.active(), o.active()
	if err := c.Restored(t.Context(), "o"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint64{retired, active} {
		if k := o.key(n); k.State != wire.StateExpired || o.hasMaterial(n) {
			t.Errorf("key %d: %v", n, k.State)
		}
	}
	if n := o.negotiate(); n != active+1<<32+1 {
		t.Errorf("the next number is %d, want %d", n, active+1<<32+1)
	}
	if token := must(c.NewSecret(t.Context(), "o", false))(t); token.Epoch != 1+1<<16+1 {
		t.Errorf("the next epoch is %d", token.Epoch)
	}
}

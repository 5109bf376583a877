package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/shared/wire"
)

func enrol(id string) *keyservice.Change {
	return &keyservice.Change{Outlet: id, Decide: func(l *keyservice.Ledger) error {
		if l.Outlet != nil {
			return keyservice.ErrExists
		}
		l.Writes.NewOutlet = &keyservice.Outlet{ID: id, Role: wire.RoleOutlet, EnrolledAt: time.UnixMilli(1)}
		return nil
	}}
}

// apply applies changes none of which may be refused.
func apply(t *testing.T, s keyservice.Store, changes ...*keyservice.Change) {
	t.Helper()
	if err := s.Apply(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		if c.Err != nil {
			t.Fatalf("%s: %v", c.Outlet, c.Err)
		}
	}
}

// TestLock: Decide waits for whoever holds the outlet, and sees what that one
// has committed.
func TestLock(t *testing.T) {
	url := pgtest.Database(t)
	s := open(t, url)
	apply(t, s, enrol("a"))
	tx := begin(t, connect(t, url))
	if _, err := tx.Exec(t.Context(), `UPDATE outlet SET last_number = 7 WHERE id = 'a'`); err != nil {
		t.Fatal(err)
	}
	saw := make(chan uint64, 1)
	done := make(chan error, 1)
	go func() {
		done <- s.Apply(t.Context(), []*keyservice.Change{{Outlet: "a", Decide: func(l *keyservice.Ledger) error {
			saw <- l.Outlet.LastNumber
			return nil
		}}})
	}()
	select {
	case <-saw:
		t.Error("Decide did not wait for the lock")
	case <-time.After(100 * time.Millisecond):
	}
	commit(t, tx)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := <-saw; n != 7 {
		t.Errorf("Decide saw number %d", n)
	}
}

// openHasty opens the store with so short a timeout that the machine may stand
// still for longer while it is opened.
func openHasty(t *testing.T, url string, timeout time.Duration) (s *postgres.Store) {
	t.Helper()
	until(t, "it opens in time", func() bool {
		var err error
		s, err = postgres.Open(t.Context(), url, postgres.Options{Timeout: timeout})
		return err == nil
	})
	t.Cleanup(func() { s.Close() })
	return s
}

// TestBusy: an outlet that somebody else holds for too long.
func TestBusy(t *testing.T) {
	url := pgtest.Database(t)
	s := open(t, url)
	hasty := openHasty(t, url, 200*time.Millisecond)
	apply(t, s, enrol("a"))
	tx := begin(t, connect(t, url))
	if _, err := tx.Exec(t.Context(), `SELECT FROM outlet FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	nothing := &keyservice.Change{Outlet: "a", Decide: func(*keyservice.Ledger) error { return nil }}
	if err := hasty.Apply(t.Context(), []*keyservice.Change{nothing}); !errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("a locked outlet: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.Apply(ctx, []*keyservice.Change{nothing})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("a caller who gives up: %v", err)
	}
	commit(t, tx)
	apply(t, s, nothing)
}

// TestStuckSession: a session of ours that hangs within a transaction is
// ended, and holds neither locks nor the horizon any longer.
func TestStuckSession(t *testing.T) {
	url := pgtest.Database(t)
	s := open(t, url)
	hasty := openHasty(t, url, 300*time.Millisecond)
	apply(t, s, enrol("a"))
	hung := &keyservice.Change{Outlet: "a", Decide: func(l *keyservice.Ledger) error {
		time.Sleep(900 * time.Millisecond)
		l.Writes.SetOutlet = true
		return nil
	}}
	if err := hasty.Apply(t.Context(), []*keyservice.Change{hung}); err == nil {
		t.Error("the hung transaction was committed")
	}
	apply(t, s, &keyservice.Change{Outlet: "a", Decide: func(*keyservice.Ledger) error { return nil }})
}

// TestReadOnly: a standby, or a database that was told to refuse writes.
func TestReadOnly(t *testing.T) {
	s := open(t, pgtest.Database(t)+"&default_transaction_read_only=on")
	if err := s.Probe(t.Context(), time.UnixMilli(1)); !errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("Probe: %v", err)
	}
	if err := s.Apply(t.Context(), []*keyservice.Change{enrol("a")}); !errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("Apply: %v", err)
	}
}

// TestCrash kills a cluster of its own between the decision and the commit,
// and brings it back.
func TestCrash(t *testing.T) {
	ctx := t.Context()
	cluster, err := pgtest.Start(ctx, pgtest.FSync(), pgtest.TCP())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	}()
	url := cluster.URL("postgres")
	if err := postgres.Migrate(ctx, url); err != nil {
		t.Fatal(err)
	}
	s := open(t, url)
	apply(t, s, enrol("kept"))

	crashed := enrol("lost")
	decide := crashed.Decide
	crashed.Decide = func(l *keyservice.Ledger) error {
		if err := cluster.Kill(); err != nil {
			t.Error(err)
		}
		return decide(l)
	}
	err = s.Apply(ctx, []*keyservice.Change{crashed})
	if errors.Is(err, keyservice.ErrInDoubt) == errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("killed before the commit, of which one thing has to be said: %v", err)
	}
	if err := s.Probe(ctx, time.UnixMilli(1)); !errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("Probe without a server: %v", err)
	}
	if err := s.Apply(ctx, []*keyservice.Change{enrol("b")}); !errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("Apply without a server: %v", err)
	}
	if _, err := s.Head(ctx); !errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("Head without a server: %v", err)
	}
	if err := cluster.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Outlet(ctx, "kept"); err != nil {
		t.Errorf("what was acknowledged: %v", err)
	}
	if _, _, err := s.Outlet(ctx, "lost"); !errors.Is(err, keyservice.ErrNoOutlet) {
		t.Errorf("what was not committed: %v", err)
	}
	apply(t, s, enrol("b"))
}

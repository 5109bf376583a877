package publish_test

import (
	"errors"
	"testing"
	"time"

	"hufu/shared/wire"
	"hufu/shm"
)

// TestPublish: what an outlet agrees on stands in the segment of the server
// before it is answered, and soon in that of another process, under the same
// number and with the same bytes.
func TestPublish(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *site) {
		server, elsewhere := s.start(t, how{}), s.start(t, how{follows: true})
		here, there := server.reader(t), elsewhere.reader(t)
		a, b := server.enrol(t, "a", wire.RoleOutlet), server.enrol(t, "b", wire.RoleOutlet)
		anna := server.enrol(t, "anna", wire.RoleOperator)

		first := a.negotiate()
		other := b.active()
		b.awaits(there, other, shm.Active)
		for _, r := range []*shm.Reader{here, there} {
			if _, err := r.Key("a", first); !errors.Is(err, shm.ErrNotFound) {
				t.Errorf("a pending key stands there: %v", err)
			}
		}
		a.verify(first)
		a.wants(here, first, shm.Active)
		a.awaits(there, first, shm.Active)
		e, err := here.Key("a", first)
		must(t, err)
		if left := e.NotAfter.Sub(shm.Now()); left > lifetime || left < lifetime-patience || e.Generation != first {
			t.Errorf("its end is %v ahead, generation %d", left, e.Generation)
		}

		second := a.active()
		a.wants(here, second, shm.Active)
		a.wants(here, first, shm.Retired)
		a.awaits(there, second, shm.Active)
		a.awaits(there, first, shm.Retired)
		for _, r := range []*shm.Reader{here, there} {
			e, err := r.Key("a", first)
			must(t, err)
			if left := e.NotAfter.Sub(shm.Now()); left > grace || left < grace-patience {
				t.Errorf("a retired key's end is %v ahead", left)
			}
		}

		a.revoke(second)
		a.wants(here, second, shm.Revoked)
		a.wants(here, first, shm.Retired)
		a.awaits(there, second, shm.Revoked)
		if _, err := here.Current("a"); !errors.Is(err, shm.ErrNoCurrent) {
			t.Errorf("there is a current key: %v", err)
		}
		_, err = server.NewSecret(t.Context(), "a", true)
		must(t, err)
		a.wants(here, first, shm.Revoked)
		a.awaits(there, first, shm.Revoked)

		// What another process does to a key.
		must(t, server.RevokeKey(t.Context(), "b", other, 2, ""))
		b.wants(here, other, shm.Revoked)
		b.awaits(there, other, shm.Revoked)

		third := b.active()
		must(t, server.SetDisabled(t.Context(), "b", true))
		anna.active()
		b.awaits(there, third, shm.Active)
		for _, r := range []*shm.Reader{here, there} {
			if list := r.Entries("anna"); len(list) > 0 {
				t.Errorf("a person's key stands there: %v", list)
			}
		}
		b.wants(here, third, shm.Active)
	})
}

// TestRotations: at no moment of many rotations a reader at the centre is
// without a current key, beside the server or elsewhere.
func TestRotations(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *site) {
		server, elsewhere := s.start(t, how{}), s.start(t, how{follows: true})
		here, there := server.reader(t), elsewhere.reader(t)
		a := server.enrol(t, "a", wire.RoleOutlet)
		n := a.active()
		a.awaits(there, n, shm.Active)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				for _, r := range []*shm.Reader{here, there} {
					if _, err := r.Current("a"); err != nil {
						t.Errorf("no current key: %v", err)
						return
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
		defer func() { close(stop); <-stopped }()
		for range 30 {
			n = a.active()
			a.wants(here, n, shm.Active)
			a.wants(here, n-1, shm.Retired)
		}
		a.awaits(there, n, shm.Active)
	})
}

// TestAnswered: an outlet is answered although the segment cannot follow, and
// not much later. The segment follows when it can.
func TestAnswered(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	server := s.start(t, how{})
	r := server.reader(t)
	a := server.enrol(t, "a", wire.RoleOutlet)
	first := a.active()
	server.store.setAway(true)
	var second uint64
	for _, ask := range []func(){func() { second = a.active() }, func() { a.revoke(first) }} {
		began := time.Now()
		ask()
		if took := time.Since(began); took > 15*time.Second { // by then the client has given up (§6)
			t.Errorf("an answer took %v", took)
		}
	}
	if !server.answeredEarly() {
		t.Error("nothing is said of it")
	}
	a.wants(r, first, shm.Active)
	server.store.setAway(false)
	a.awaits(r, first, shm.Revoked)
	a.awaits(r, second, shm.Active)
}

// TestStoreAway: what stands there stays while the store is away, what ends is
// wiped, and the rest follows when it is back.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *site) {
		server := s.start(t, how{})
		a, b := server.enrol(t, "a", wire.RoleOutlet), server.enrol(t, "b", wire.RoleOutlet)
		kept, gone := a.active(), b.active()
		// A place whose clock is so far ahead that a key ends soon, but not before it has been seen.
		ahead := lifetime - 20*time.Second
		late := s.start(t, how{follows: true, clock: func() time.Time { return time.Now().Add(ahead) }})
		elsewhere := s.start(t, how{follows: true})
		soon, there := late.reader(t), elsewhere.reader(t)
		for _, r := range []*shm.Reader{soon, there} {
			a.awaits(r, kept, shm.Active)
			b.awaits(r, gone, shm.Active)
		}
		late.store.setAway(true)
		elsewhere.store.setAway(true)
		b.revoke(gone)
		next := a.active()

		eventually(t, func() bool { return late.publisher.Stats().Used == 0 }, func() string { return "ends are wiped" })
		a.wants(soon, kept, shm.Expired)
		eventually(t, func() bool { return elsewhere.log.has("store is away") }, func() string { return "it is noticed" })
		a.wants(there, kept, shm.Active)

		elsewhere.store.setAway(false)
		b.awaits(there, gone, shm.Revoked)
		a.awaits(there, next, shm.Active)
		a.awaits(there, kept, shm.Retired)
	})
}

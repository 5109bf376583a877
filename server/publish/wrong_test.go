package publish_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/server/publish"
	"hufu/server/seal"
	"hufu/shared/wire"
	"hufu/shm"
)

// TestStartOver: what is right in a segment that is there stays untouched; the
// rest becomes right, whatever it was.
func TestStartOver(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	server := s.start(t, how{})
	elsewhere := s.start(t, how{follows: true})
	a, b, c := server.enrol(t, "a", wire.RoleOutlet), server.enrol(t, "b", wire.RoleOutlet), server.enrol(t, "c", wire.RoleOutlet)
	r := elsewhere.reader(t)
	a1, b1, c1 := a.active(), b.active(), c.active()
	a2 := a.active()
	a.awaits(r, a2, shm.Active)
	b.awaits(r, b1, shm.Active)
	c.awaits(r, c1, shm.Active)
	elsewhere.stop()
	before := r.Entries("a")

	// Meanwhile: b rotates, c is revoked; and in the segment a stranger's keys
	// appear, one under a number that the store is about to give out, active
	// ones with greater numbers, and one of an outlet that nobody knows.
	b2 := b.active()
	c.revoke(c1)
	w, err := shm.OpenWriter(elsewhere.segment)
	must(t, err)
	for _, e := range []struct {
		client, server string
		number         uint64
	}{{"b", serverID, b2}, {"b", "other", 900}, {"c", serverID, 7}, {"nobody", serverID, 1}} {
		must(t, w.Put(shm.Entry{ClientID: e.client, ServerID: e.server, SeckeyID: e.number, State: shm.Active, Key: shm.Key{1},
			NotBefore: shm.Now(), NotAfter: shm.Now().Add(time.Hour)}, nil))
	}
	must(t, w.Wipe("b", b2, shm.Expired))
	must(t, w.Close())

	again := s.start(t, how{follows: true, segment: &elsewhere.segment})
	again.filled(t)
	b.awaits(r, b2, shm.Active)
	b.wants(r, b1, shm.Retired)
	c.awaits(r, c1, shm.Revoked)
	for _, e := range []struct {
		client string
		number uint64
	}{{"b", 900}, {"c", 7}, {"nobody", 1}} {
		eventually(t, func() bool {
			_, err := r.Key(e.client, e.number)
			return errors.Is(err, shm.ErrNotUsable)
		}, func() string { return fmt.Sprint(e, " is wiped") })
	}
	after := r.Entries("a")
	if fmt.Sprint(after) != fmt.Sprint(before) || after[0].NotBefore != before[0].NotBefore || after[1].NotAfter > before[1].NotAfter {
		t.Errorf("a's keys were touched: %v, before %v", after, before)
	}
	a.wants(r, a1, shm.Retired)
	if used := again.publisher.Stats().Used; used != 4 {
		t.Errorf("%d keys stand there", used)
	}
}

// TestEndsEarlier: an end in the segment is never put off, whatever the clock
// says at the next start.
func TestEndsEarlier(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	server, elsewhere := s.start(t, how{}), s.start(t, how{follows: true})
	a := server.enrol(t, "a", wire.RoleOutlet)
	r := elsewhere.reader(t)
	n := a.active()
	a.awaits(r, n, shm.Active)
	end := func() shm.BootTime {
		e, err := r.Key("a", n)
		must(t, err)
		return e.NotAfter
	}
	first := end()
	for _, change := range []time.Duration{-24 * time.Hour, 10 * time.Minute, 0} {
		elsewhere.stop()
		elsewhere = s.start(t, how{follows: true, segment: &elsewhere.segment, clock: func() time.Time { return time.Now().Add(change) }})
		elsewhere.filled(t)
		got := end()
		if got > first || change > 0 && got > first.Add(-change+patience) {
			t.Errorf("with a clock that is %v ahead the end is %v after the first", change, got.Sub(first))
		}
	}
}

// TestClockBehind: a clock behind the server's is noticed by the times of its
// changes, and ends come forward; up to a bound.
func TestClockBehind(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	server := s.start(t, how{})
	behind := 20 * time.Second
	late := s.start(t, how{follows: true, clock: func() time.Time { return time.Now().Add(-behind) }})
	r := late.reader(t)
	a, b := server.enrol(t, "a", wire.RoleOutlet), server.enrol(t, "b", wire.RoleOutlet)
	for _, c := range []*client{a, b} {
		n := c.active()
		c.awaits(r, n, shm.Active)
		eventually(t, func() bool {
			e, err := r.Current(c.peer.ClientID)
			must(t, err)
			return e.NotAfter.Sub(shm.Now()) <= lifetime
		}, func() string { return "its end is no later than the server's" })
	}
	if !late.log.has("clock is behind") {
		t.Error("nothing is said of the clock")
	}
	// A server that is a day ahead does not end what others keep.
	mad := s.start(t, how{clock: func() time.Time { return time.Now().Add(24 * time.Hour) }})
	m := mad.enrol(t, "m", wire.RoleOutlet)
	m.negotiate()
	mad.stop() // before it ends a's next key
	n := a.active()
	a.awaits(r, n, shm.Active)
	if e, err := r.Key("a", n); err != nil || e.NotAfter.Sub(shm.Now()) < lifetime-3*time.Minute {
		t.Errorf("its end has come forward by too much: %v", e.NotAfter.Sub(shm.Now()))
	}
}

// TestRoom: a segment that is too small is refused at the start; one that
// becomes too small says so, and takes what it can as soon as it can.
func TestRoom(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	small := newSegment(t, 4)
	server := s.start(t, how{segment: &small})
	r := server.reader(t)
	var outlets []*client
	for i := range 6 {
		c := server.enrol(t, fmt.Sprint("o", i), wire.RoleOutlet)
		c.active()
		outlets = append(outlets, c)
	}
	eventually(t, func() bool { return server.publisher.Stats() == publish.Stats{Capacity: 4, Used: 4, Unpublished: 2} },
		func() string { return fmt.Sprint(server.publisher.Stats()) })
	eventually(t, func() bool { return server.log.has("keys are missing") }, func() string { return "a warning" })
	outlets[0].revoke(1)
	outlets[1].revoke(1)
	eventually(t, func() bool { return server.publisher.Stats() == publish.Stats{Capacity: 4, Used: 4} },
		func() string { return fmt.Sprint(server.publisher.Stats()) })
	outlets[4].wants(r, 1, shm.Active)
	outlets[5].wants(r, 1, shm.Active)
	outlets[2].active()
	server.stop()

	again := s.service(t)
	var room *publish.RoomError
	small.Capacity = 4
	if _, err := publish.Open(t.Context(), again, small, slog.New(slog.DiscardHandler)); !errors.As(err, &room) || room.Usable != 5 || room.Advised() != 10 {
		t.Errorf("a segment that is too small: %v", err)
	}
}

// TestCapacity: asked for another capacity, the segment is made anew and readers follow.
func TestCapacity(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	server := s.start(t, how{})
	a := server.enrol(t, "a", wire.RoleOutlet)
	n := a.active()
	elsewhere := s.start(t, how{follows: true})
	r := elsewhere.reader(t)
	a.awaits(r, n, shm.Active)
	for _, capacity := range []int{200, 8} {
		elsewhere.stop()
		elsewhere.segment.Capacity = capacity
		elsewhere = s.start(t, how{follows: true, segment: &elsewhere.segment})
		a.awaits(r, n, shm.Active)
		if got := r.Info().Total; got != capacity {
			t.Errorf("capacity %d, want %d", got, capacity)
		}
	}
}

// TestDeleted: a segment that is deleted, either file or both, comes again.
func TestDeleted(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	server := s.start(t, how{})
	r := server.reader(t)
	a := server.enrol(t, "a", wire.RoleOutlet)
	n := a.active()
	path := filepath.Join(server.segment.Dir, server.segment.Name)
	for _, files := range [][]string{{path}, {path + ".confirm"}, {path, path + ".confirm"}} {
		for i, file := range files {
			if err := os.Remove(file); i == 0 || !errors.Is(err, fs.ErrNotExist) { // the second may be about to come again
				must(t, err)
			}
		}
		a.awaits(r, n, shm.Active)
		next := a.active() // published although nobody has looked since
		if server.answeredEarly() {
			a.awaits(r, next, shm.Active)
		}
		a.wants(server.reader(t), next, shm.Active)
		a.awaits(r, next, shm.Active)
		a.awaits(r, n, shm.Retired)
		n = next
	}
}

// TestRing: keys sealed under a ring key that is not here yet stay as they
// stand or are missing, which is said, and come as soon as the ring does.
func TestRing(t *testing.T) {
	t.Parallel()
	s := onSQLite(t)
	ringFile := filepath.Join(t.TempDir(), "ring.json")
	ring, err := seal.Create(ringFile, serverID)
	must(t, err)
	s.ring = ring
	copied := filepath.Join(t.TempDir(), "copy.json")
	copyFile(t, ringFile, copied)
	old, err := seal.Load(copied)
	must(t, err)

	server, elsewhere := s.start(t, how{}), s.start(t, how{follows: true, ring: old})
	r := elsewhere.reader(t)
	a, b := server.enrol(t, "a", wire.RoleOutlet), server.enrol(t, "b", wire.RoleOutlet)
	n := a.active()
	a.awaits(r, n, shm.Active)
	_, err = ring.Add(time.Now())
	must(t, err)
	_, err = ring.Promote()
	must(t, err)
	_, err = server.Reseal(t.Context(), "a")
	must(t, err)
	m := b.active()
	eventually(t, func() bool { return elsewhere.publisher.Stats().Unpublished == 1 }, func() string { return fmt.Sprint(elsewhere.publisher.Stats()) })
	if !elsewhere.log.has("not all keys of an outlet are published") {
		t.Error("nothing is said of it")
	}
	next := a.active()
	a.awaits(r, n, shm.Retired) // its seal does not open here, its entry is known by the fingerprint
	copyFile(t, ringFile, copied)
	b.awaits(r, m, shm.Active)
	a.awaits(r, next, shm.Active)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to+".new", b, 0o600))
	must(t, os.Rename(to+".new", to))
}

// TestRandom: after many operations of many outlets, with publishers that
// stop, lose their segment and cannot read, all segments have what the outlets have.
func TestRandom(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *site) {
		server, elsewhere := s.start(t, how{}), s.start(t, how{follows: true})
		segment := elsewhere.segment
		readers := []*shm.Reader{server.reader(t), elsewhere.reader(t)}
		var outlets []*client
		for i := range 12 {
			outlets = append(outlets, server.enrol(t, fmt.Sprint("o", i), wire.RoleOutlet))
		}
		for range 400 {
			c := outlets[rand.IntN(len(outlets))]
			switch rand.IntN(40) {
			case 0:
				elsewhere.stop()
				elsewhere = s.start(t, how{follows: true, segment: &segment})
			case 1:
				if err := os.Remove(filepath.Join(segment.Dir, segment.Name)); !errors.Is(err, fs.ErrNotExist) { // it may be away still
					must(t, err)
				}
			case 2:
				elsewhere.store.setAway(true)
			case 3, 4, 5, 6:
				elsewhere.store.setAway(false)
			case 7, 8, 9, 10, 11, 12:
				if n := uint64(len(c.held)); n > 0 {
					if err := server.RevokeKey(context.Background(), c.peer.ClientID, 1+rand.Uint64N(n), 1, ""); err != nil && !errors.Is(err, wire.CodeExpired) {
						t.Fatal(err)
					}
				}
			case 13, 14, 15:
				c.negotiate()
			default:
				if len(c.held) < 5 {
					c.active()
				}
			}
		}
		elsewhere.store.setAway(false)
		for _, r := range readers {
			for _, c := range outlets {
				keys, _, err := server.UsablePage(t.Context(), keyservice.UsableQuery{Outlets: []string{c.peer.ClientID}})
				must(t, err)
				for _, k := range keys {
					c.awaits(r, k.Seckeyid, shm.State(k.State))
				}
				eventually(t, func() bool {
					usable := 0
					for _, e := range r.Entries(c.peer.ClientID) {
						if e.Usable {
							usable++
						}
					}
					return usable == len(keys)
				}, func() string { return fmt.Sprint(c.peer.ClientID, " has other keys than ", len(keys)) })
			}
		}
	})
}

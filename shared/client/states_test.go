package client

import (
	"testing"
	"time"

	"testing/synctest"

	"pgregory.net/rapid"

	"hufu/shared/wire"
)

func TestStatesOnlyGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, want := NewStates(), map[uint64]wire.State{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			n := rapid.Uint64Range(1, 20).Draw(t, "number")
			state := wire.State(rapid.IntRange(1, 5).Draw(t, "state"))
			want[n] = max(want[n], state)
			if got := s.Saw(n, state); got != want[n] || s.At(n) != want[n] {
				t.Fatalf("key %d is %s, want %s", n, got, want[n])
			}
			if s.MayEnter(n) != (want[n] < wire.StateExpired) {
				t.Fatalf("key %d, %s, may be entered: %v", n, want[n], s.MayEnter(n))
			}
		}
	})
}

func TestStatesAreBounded(t *testing.T) {
	s := NewStates()
	for n := uint64(1); n <= 10*maxStates; n++ {
		s.Saw(n, wire.StateRevoked)
		if s.MayEnter(n) || s.MayEnter(1) {
			t.Fatalf("after %d numbers a revoked one may be entered", n)
		}
	}
	if len(s.seen) > maxStates {
		t.Errorf("%d are kept", len(s.seen))
	}
	if !s.MayEnter(10*maxStates + 1) {
		t.Error("a fresh number may not be entered")
	}
}

// TestPushedStates: pushes of unknown numbers count, lower states do not, and
// verify answers with the greatest.
func TestPushedStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{States: NewStates()}
		s := mustRun(t, o, func(p *peer) {
			p.open()
			p.push(900, wire.StateRevoked)
			p.push(900, wire.StateRetired)
			m := p.request().(*wire.Negotiate)
			ok, held := p.agree(m, 901, 3600)
			p.reply(m, ok)
			p.push(901, wire.StateRetired)
			v := p.request().(*wire.Verify)
			p.reply(v, &wire.VerifyOK{Confirm: held.ProveServer(p.conn, v.Q, 901, v.Confirm), State: wire.StateActive})
		})
		fresh, err := s.Negotiate(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		state, err := s.Verify(t.Context(), 901, fresh.Held)
		if state != wire.StateRetired || err != nil {
			t.Errorf("verified as %s, %v", state, err)
		}
		if o.States.At(900) != wire.StateRevoked {
			t.Errorf("key 900 is %s", o.States.At(900))
		}
	})
}

func TestElapsedClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := ElapsedClock()
		last := clock()
		for range 5 {
			time.Sleep(time.Hour)
			if now := clock(); now != last+time.Hour {
				t.Errorf("%v after %v", now, last)
			} else {
				last = now
			}
		}
	})
}

package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

var errUnfit = errors.New("this does not fit the outlet now")

// testTwoProcesses lets many goroutines change the same outlets through two
// handles, and then looks for anything lost, doubled or torn.
func testTwoProcesses(t *testing.T, data Data) {
	handles := []keyservice.Store{data(t), data(t)}
	outlets := []string{"o1", "o2", "o3", "o4"}
	enrol(t, handles[0], outlets...)

	type number struct {
		outlet string
		n      uint64
	}
	var mu sync.Mutex
	acked := make(map[number]wire.State) // the greatest state that was acknowledged
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(g)))
			for range 25 {
				var batch []*keyservice.Change
				reached := make([]map[number]wire.State, 0, len(outlets))
				for _, i := range r.Perm(len(outlets))[:1+r.IntN(len(outlets))] {
					id, verb := outlets[i], r.IntN(4)
					got := make(map[number]wire.State)
					reached = append(reached, got)
					batch = append(batch, &keyservice.Change{Outlet: id, Decide: func(l *keyservice.Ledger) error {
						clear(got)
						return step(book{l}, verb, func(n uint64, to wire.State) { got[number{id, n}] = to })
					}})
				}
				if err := apply(t, handles[g%2], batch...); err != nil {
					t.Errorf("Apply: %v", err)
					return
				}
				mu.Lock()
				for i, c := range batch {
					if c.Err != nil {
						if !errors.Is(c.Err, errUnfit) {
							t.Errorf("%s: %v", c.Outlet, c.Err)
						}
						continue
					}
					for k, to := range reached[i] {
						acked[k] = max(acked[k], to)
					}
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()

	s := handles[1]
	for _, id := range outlets {
		l := ledger(t, s, id, 0)
		rows := keys(t, s, keyservice.KeyQuery{Outlet: id, ByNumber: true})
		if uint64(len(rows)) != l.Outlet.LastNumber {
			t.Errorf("%s: %d keys, the last number is %d", id, len(rows), l.Outlet.LastNumber)
		}
		active, living := 0, 0
		for i, k := range rows {
			if i > 0 && (k.Seckeyid >= rows[i-1].Seckeyid || k.N >= rows[i-1].N) {
				t.Errorf("%s: number %d (row %d) after %d (row %d)", id, k.Seckeyid, k.N, rows[i-1].Seckeyid, rows[i-1].N)
			}
			if want := acked[number{id, k.Seckeyid}]; k.State != want {
				t.Errorf("%s %d: in state %v, acknowledged was %v", id, k.Seckeyid, k.State, want)
			}
			states := must(s.States(t.Context(), id, k.Seckeyid))(t)
			for j := range states[1:] {
				if states[j+1].State <= states[j].State {
					t.Errorf("%s %d: states %+v", id, k.Seckeyid, states)
				}
			}
			if k.State == wire.StateActive {
				active++
			}
			if k.State <= wire.StateRetired {
				living++
			}
		}
		if active > 1 || living != len(l.Living) {
			t.Errorf("%s: %d active; %d living, of which %d have material", id, active, living, len(l.Living))
		}
	}
	moves := 0
	for k := range acked {
		moves += len(must(s.States(t.Context(), k.outlet, k.n))(t))
	}
	lines, _ := changes(t, s, keyservice.Position{}, 1e6)
	if len(lines) != moves+len(outlets) {
		t.Errorf("%d lines in the change table for %d states and %d enrolments", len(lines), moves, len(outlets))
	}
}

// step does what the service would: negotiate, verify the newest pending key,
// revoke or expire a living one.
func step(b book, verb int, reached func(n uint64, to wire.State)) error {
	move := func(n uint64, to wire.State) {
		b.move(n, to, at(1), 0, "")
		reached(n, to)
	}
	if verb == 0 || len(b.Living) == 0 {
		reached(b.negotiate(at(0)), wire.StatePending)
		return nil
	}
	newest := b.Living[len(b.Living)-1]
	switch verb {
	case 1:
		if newest.State != wire.StatePending {
			return fmt.Errorf("%w: %v", errUnfit, newest.State)
		}
		move(newest.Seckeyid, wire.StateActive)
		for _, k := range b.Living[:len(b.Living)-1] {
			switch k.State {
			case wire.StateActive:
				move(k.Seckeyid, wire.StateRetired)
			case wire.StatePending:
				move(k.Seckeyid, wire.StateExpired)
			}
		}
	case 2:
		move(newest.Seckeyid, wire.StateRevoked)
	case 3:
		move(b.Living[0].Seckeyid, wire.StateExpired)
	}
	return nil
}

package keyservice_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// TestGroupCommit: many changes at once, over one outlet, few and many. Each
// is answered after its own commit, one outlet's in order, and they share
// transactions where they can.
func TestGroupCommit(t *testing.T) {
	const changes = 150
	for _, outlets := range []int{1, 5, 75} {
		t.Run(fmt.Sprintf("%d outlets", outlets), func(t *testing.T) {
			c := newCentre(t)
			ids := make([]string, outlets)
			answered := make([]atomic.Int64, outlets)
			var wg sync.WaitGroup
			for i := range ids {
				ids[i] = fmt.Sprintf("o%d", i)
				wg.Go(func() {
					if _, err := c.Enrol(t.Context(), ids[i], wire.RoleOutlet); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			c.store.batches = nil
			var begun atomic.Int64
			c.store.before = func() {
				waitFor(t, soon, "all to have begun", func() bool { return begun.Load() == changes })
			}
			for i := range changes {
				wg.Go(func() {
					begun.Add(1)
					id := ids[i%outlets]
					if i%7 == 3 { // its Decide fails
						if _, err := c.Enrol(t.Context(), id, wire.RoleOutlet); !errors.Is(err, keyservice.ErrExists) {
							t.Errorf("change %d: %v", i, err)
						}
						return
					}
					p := &keyservice.Peer{ClientID: id, Role: wire.RoleOutlet}
					if _, err := c.Administer(t.Context(), p, &wire.Administer{}, 1); code(t, err) != wire.CodeNotPermitted {
						t.Errorf("change %d: %v", i, err)
					}
					// Refused, and recorded: a reader of its own sees as many as were answered.
					n := answered[i%outlets].Add(1)
					rows, err := c.store.Store.Events(t.Context(), keyservice.EventQuery{Outlet: id,
						Kinds: []keyservice.Kind{keyservice.KindRefused}, Limit: 500})
					if err != nil || int64(len(rows)) < n {
						t.Errorf("change %d was answered before its commit (%v)", i, err)
					}
				})
			}
			wg.Wait()
			total := 0
			for _, batch := range c.store.batches {
				total += len(batch)
				slices.Sort(batch)
				if len(slices.Compact(slices.Clone(batch))) != len(batch) {
					t.Errorf("one outlet twice in a transaction: %v", batch)
				}
			}
			if total != changes {
				t.Errorf("%d changes went to the store, want %d", total, changes)
			}
			if n := len(c.store.batches); outlets > 1 && n > changes/2 {
				t.Errorf("%d transactions for %d changes", n, changes)
			}
		})
	}
}

// TestOrderOfOneOutlet: what was handed over first is decided first.
func TestOrderOfOneOutlet(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	others := c.enrol(t, "others", wire.RoleOutlet)
	hold := make(chan struct{})
	var held atomic.Bool
	c.store.before = func() {
		if held.CompareAndSwap(false, true) {
			<-hold
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { others.SetDisabled(t.Context(), "others", true) }) // occupies the store
	waitFor(t, soon, "the store to be occupied", held.Load)
	handOver := func(change func()) {
		before := c.Queued()
		wg.Go(change)
		waitFor(t, soon, "it to be handed over", func() bool { return c.Queued() > before })
	}
	for i := range 20 {
		handOver(func() { c.RevokeKey(t.Context(), "o", uint64(i), 0, "") }) // nothing to record, only weight
		handOver(func() { c.SetDisabled(t.Context(), "o", i%2 == 0) })
	}
	close(hold)
	wg.Wait()
	var got []string
	for _, r := range o.changes(0) {
		if r.Kind == keyservice.KindDisabled || r.Kind == keyservice.KindEnabled {
			got = append(got, string(r.Kind))
		}
	}
	if want := slices.Repeat([]string{"disabled", "enabled"}, 10); !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// TestStoreFails: what a peer learns of a failing store, and that nothing was done.
func TestStoreFails(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	n := o.active()
	for _, test := range []struct {
		err  error
		want wire.Code
	}{
		{fmt.Errorf("full: %w", keyservice.ErrBusy), wire.CodeBusy},
		{context.DeadlineExceeded, wire.CodeBusy},
		{fmt.Errorf("commit: %w", keyservice.ErrInDoubt), wire.CodeInternal},
		{fmt.Errorf("commit: %w: %w", keyservice.ErrInDoubt, context.DeadlineExceeded), wire.CodeInternal},
		{fmt.Errorf("commit: %w: %w", keyservice.ErrInDoubt, keyservice.ErrBusy), wire.CodeInternal},
		{errStore, wire.CodeInternal},
	} {
		c.store.set(test.err, nil, test.err)
		for name, answer := range map[string]func() error{
			"negotiate": func() error { _, err := o.tryNegotiate(); return err },
			"verify":    func() error { _, err := o.verify(n, true); return err },
			"revoke":    func() error { return o.revoke(n, 1) },
			"receipt":   func() error { return o.receipt(n, wire.StateRevoked) },
			"view":      func() error { _, _, err := o.view(wire.Filter{}, 0, 1); return err },
			"refusal":   func() error { _, _, err := o.view(wire.Filter{Outlet: "x"}, 0, 1); return err },
			"pushes":    func() error { _, err := c.Unreceipted(t.Context(), "o"); return err },
		} {
			if got := code(t, answer()); got != test.want {
				t.Errorf("%v: %s is answered %v, want %v", test.err, name, got, test.want)
			}
		}
	}
	c.store.set(nil, nil, nil)
	if state, err := o.verify(n, true); err != nil || state != wire.StateActive {
		t.Errorf("afterwards: %v, %v", state, err)
	}
}

// TestStop: whoever waits when the writer stops is answered, and whatever was
// answered well is committed.
func TestStop(t *testing.T) {
	for range 5 {
		c := openCentre(t, migrated(t), newRing(t))
		stop := c.start(t, c.RunWriter)
		for i := range 4 {
			c.enrol(t, fmt.Sprintf("o%d", i), wire.RoleOutlet)
		}
		var wg sync.WaitGroup
		var done [200]error
		for i := range done {
			wg.Go(func() {
				done[i] = c.RevokeKey(context.Background(), fmt.Sprintf("o%d", i%4), 1, 0, "")
			})
			if i == 100 {
				wg.Go(stop)
			}
		}
		wg.Wait()
		for i, err := range done {
			if !errors.Is(err, wire.CodeNoKey) && !errors.Is(err, wire.CodeBusy) {
				t.Errorf("change %d: %v", i, err)
			}
		}
		if _, err := c.Enrol(t.Context(), "late", wire.RoleOutlet); code(t, err) != wire.CodeBusy {
			t.Errorf("after the end: %v", err)
		}
	}
}

// TestCallerGivesUp: a caller that has gone before its turn is not committed for.
func TestCallerGivesUp(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t)) // nobody writes
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 300 { // more than the queue takes
		wg.Go(func() {
			if err := c.SetDisabled(ctx, "o", true); err == nil {
				t.Error("answered well by nobody")
			}
		})
	}
	<-ctx.Done()
	c.start(t, c.RunWriter)() // starts, and stops: those in the queue are answered
	wg.Wait()
}

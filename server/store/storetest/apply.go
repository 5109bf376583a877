package storetest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

func testEnrol(t *testing.T, data Data) {
	s := data(t)
	if _, _, err := s.Outlet(t.Context(), "a"); !errors.Is(err, keyservice.ErrNoOutlet) {
		t.Fatalf("Outlet of nobody: %v", err)
	}
	do(t, s, "a", func(b book) { b.enrol("a", wire.RoleOperator, at(5)) })
	o, secrets, err := s.Outlet(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "outlet", o, keyservice.Outlet{ID: "a", Role: wire.RoleOperator, EnrolledAt: at(5), LastEpoch: 1})
	equal(t, "secrets", secrets, []keyservice.Secret{{Epoch: 1, Sealed: sealedOf(1), CreatedAt: at(5)}})
	l := ledger(t, s, "a", 0)
	equal(t, "ledger's outlet", *l.Outlet, o)
	equal(t, "ledger's secrets", l.Secrets, secrets)

	do(t, s, "a", func(b book) { b.Outlet.Disabled, b.Writes.SetOutlet = true, true })
	if o, _, _ = s.Outlet(t.Context(), "a"); !o.Disabled {
		t.Error("the outlet is not disabled")
	}
	if _, _, err := s.Outlet(t.Context(), "A"); !errors.Is(err, keyservice.ErrNoOutlet) {
		t.Errorf("ids are not told apart by case: %v", err)
	}
	if _, _, err := s.Outlet(t.Context(), "not\x00an id"); !errors.Is(err, keyservice.ErrNoOutlet) {
		t.Errorf("Outlet of what is no id: %v", err)
	}
}

func testEnrolTwice(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a")
	batch := []*keyservice.Change{
		change("b", 0, func(b book) { b.enrol("b", wire.RoleOutlet, at(1)) }),
		change("a", 0, func(b book) { b.enrol("a", wire.RoleOperator, at(1)) }),
		change("c", 0, func(b book) { b.enrol("c", wire.RoleOutlet, at(1)) }),
	}
	if err := s.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if batch[0].Err != nil || !errors.Is(batch[1].Err, keyservice.ErrExists) || batch[2].Err != nil {
		t.Fatalf("errors: %v, %v, %v", batch[0].Err, batch[1].Err, batch[2].Err)
	}
	if o, _, _ := s.Outlet(t.Context(), "a"); o.Role != wire.RoleOutlet {
		t.Error("the second enrolment has overwritten the first")
	}
	if got := events(t, s, keyservice.EventQuery{}); len(got) != 3 {
		t.Errorf("%d events, want 3", len(got))
	}
}

func testSecrets(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a")
	do(t, s, "a", func(b book) {
		b.Outlet.LastEpoch, b.Writes.SetOutlet = 2, true
		b.Writes.NewSecrets = []keyservice.Secret{{Epoch: 2, Sealed: sealedOf(2), CreatedAt: at(10)}}
	})
	l := ledger(t, s, "a", 0)
	if len(l.Secrets) != 2 || l.Secrets[0].Epoch != 2 || l.Secrets[1].Epoch != 1 {
		t.Fatalf("secrets: %+v", l.Secrets)
	}
	do(t, s, "a", func(b book) {
		b.Writes.UsedSecrets = []keyservice.Secret{{Epoch: 2, FirstUsedAt: at(20)}}
		b.Writes.SetSecrets = []keyservice.Secret{{Epoch: 2, Sealed: sealedOf(9)}}
		b.Writes.DropSecrets = []uint32{1}
	})
	_, secrets, err := s.Outlet(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "secrets", secrets, []keyservice.Secret{{Epoch: 2, Sealed: sealedOf(9), CreatedAt: at(10), FirstUsedAt: at(20)}})
	do(t, s, "a", func(b book) {
		b.Outlet.LastEpoch, b.Writes.SetOutlet = wire.MaxEpoch, true
		b.Writes.NewSecrets = []keyservice.Secret{{Epoch: wire.MaxEpoch, Sealed: sealedOf(3), CreatedAt: at(30)}}
	})
	if l := ledger(t, s, "a", 0); l.Outlet.LastEpoch != wire.MaxEpoch || l.Secrets[0].Epoch != wire.MaxEpoch {
		t.Errorf("the greatest epoch: %+v", l)
	}
}

func testLifeOfAKey(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a")
	do(t, s, "a", func(b book) { b.negotiate(at(0)) })
	want := keyservice.LivingKey{Seckeyid: 1, State: wire.StatePending, Created: at(0), Expires: at(3600),
		EndsAt: at(60), FP: fpOf(1), Sealed: sealedOf(1)}
	l := ledger(t, s, "a", 1)
	equal(t, "living", l.Living, []keyservice.LivingKey{want})
	equal(t, "named", *l.Named, keyservice.NamedKey{Seckeyid: 1, State: wire.StatePending, FP: fpOf(1)})
	if l.Outlet.LastNumber != 1 {
		t.Errorf("last number %d", l.Outlet.LastNumber)
	}

	do(t, s, "a", func(b book) { b.move(1, wire.StateActive, at(1), 0, "a") })
	want.State, want.EndsAt = wire.StateActive, at(3601)
	equal(t, "living", ledger(t, s, "a", 0).Living, []keyservice.LivingKey{want})

	do(t, s, "a", func(b book) { b.move(1, wire.StateRetired, at(100), wire.ReasonSuperseded, "") })
	want.State, want.EndsAt = wire.StateRetired, at(700)
	l = ledger(t, s, "a", 1)
	equal(t, "living", l.Living, []keyservice.LivingKey{want})
	equal(t, "named", *l.Named, keyservice.NamedKey{Seckeyid: 1, State: wire.StateRetired, Reason: wire.ReasonSuperseded, FP: fpOf(1)})

	do(t, s, "a", func(b book) { b.move(1, wire.StateRevoked, at(200), wire.ReasonKeyCompromised, "op") })
	l = ledger(t, s, "a", 1)
	if len(l.Living) != 0 {
		t.Errorf("a revoked key lives: %+v", l.Living)
	}
	equal(t, "named", *l.Named, keyservice.NamedKey{Seckeyid: 1, State: wire.StateRevoked, Reason: wire.ReasonKeyCompromised, FP: fpOf(1)})
	equal(t, "row", keys(t, s, keyservice.KeyQuery{}), []keyservice.KeyRow{{
		N: 1, Outlet: "a", Seckeyid: 1, State: wire.StateRevoked, Negotiated: at(0), Verified: at(1), Retired: at(100),
		Expires: at(3600), Ended: at(200), Reason: wire.ReasonKeyCompromised, By: "op", FP: fpOf(1),
	}})
	if l := ledger(t, s, "a", 2); l.Named != nil {
		t.Errorf("a key that is not there was loaded: %+v", l.Named)
	}
	enrol(t, s, "b")
	if l := ledger(t, s, "b", 1); l.Named != nil {
		t.Errorf("another's key was loaded: %+v", l.Named)
	}
}

// testHandover: in one change the newer key becomes active, the older one is
// retired and a pending one expires, in the order least kind to the store.
func testHandover(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a")
	do(t, s, "a", func(b book) { b.move(b.negotiate(at(0)), wire.StateActive, at(1), 0, "a") })
	do(t, s, "a", func(b book) { b.negotiate(at(2)); b.negotiate(at(3)) })
	do(t, s, "a", func(b book) {
		b.move(3, wire.StateActive, at(4), 0, "a")
		b.move(1, wire.StateRetired, at(4), wire.ReasonSuperseded, "")
		b.move(2, wire.StateExpired, at(4), wire.ReasonSuperseded, "")
	})
	var got []wire.State
	for _, k := range keys(t, s, keyservice.KeyQuery{Outlet: "a", ByNumber: true}) {
		got = append(got, k.State)
	}
	equal(t, "states", got, []wire.State{wire.StateActive, wire.StateExpired, wire.StateRetired})
	living := ledger(t, s, "a", 0).Living
	if len(living) != 2 || living[0].Seckeyid != 1 || living[1].Seckeyid != 3 {
		t.Errorf("living, ascending: %+v", living)
	}
	// A key that takes several steps at once.
	do(t, s, "a", func(b book) {
		n := b.negotiate(at(5))
		b.move(3, wire.StateRetired, at(6), wire.ReasonSuperseded, "")
		b.move(n, wire.StateActive, at(6), 0, "a")
		b.move(n, wire.StateRetired, at(7), wire.ReasonRoutine, "")
		b.move(n, wire.StateRevoked, at(8), wire.ReasonOutletClosed, "op")
	})
	equal(t, "states", len(must(s.States(t.Context(), "a", 4))(t)), 4)
	if living := ledger(t, s, "a", 0).Living; len(living) != 2 {
		t.Errorf("living: %+v", living)
	}
}

func testRotation(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a")
	do(t, s, "a", func(b book) { b.negotiate(at(0)); b.negotiate(at(1)) })
	do(t, s, "a", func(b book) { b.Writes.SetKeys = []keyservice.LivingKey{{Seckeyid: 2, Sealed: sealedOf(77)}} })
	living := ledger(t, s, "a", 0).Living
	equal(t, "sealed", [][]byte{living[0].Sealed, living[1].Sealed}, [][]byte{sealedOf(1), sealedOf(77)})
	if living[1].State != wire.StatePending || living[1].EndsAt != at(61) {
		t.Errorf("a rotation has changed more than the material: %+v", living[1])
	}
}

func testLedgerOfNobody(t *testing.T, data Data) {
	s := data(t)
	l := ledger(t, s, "nobody", 7)
	if l.Outlet != nil || l.Secrets != nil || l.Living != nil || l.Named != nil {
		t.Errorf("ledger of nobody: %+v", l)
	}
	do(t, s, "nobody", func(b book) {
		b.note(keyservice.ChangeRow{At: at(1), Kind: keyservice.KindRefused, Outlet: "nobody", Note: "不认识 nobody"})
	})
	if got := events(t, s, keyservice.EventQuery{Outlet: "nobody"}); len(got) != 1 || got[0].Note != "不认识 nobody" {
		t.Errorf("events: %+v", got)
	}
	if err := s.Apply(t.Context(), nil); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
}

func testDecideFails(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a", "b")
	refuse := errors.New("refused")
	batch := []*keyservice.Change{
		{Outlet: "a", Err: errors.New("left over"), Decide: func(l *keyservice.Ledger) error {
			book{l}.negotiate(at(1)) // recorded, and then not wanted
			return refuse
		}},
		change("b", 0, func(b book) { b.negotiate(at(1)) }),
	}
	batch[1].Err = errors.New("left over")
	if err := s.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if batch[0].Err != refuse || batch[1].Err != nil {
		t.Fatalf("errors: %v, %v", batch[0].Err, batch[1].Err)
	}
	if got := keys(t, s, keyservice.KeyQuery{}); len(got) != 1 || got[0].Outlet != "b" {
		t.Errorf("keys: %+v", got)
	}
	if l := ledger(t, s, "a", 0); l.Outlet.LastNumber != 0 {
		t.Error("the refused change was written in part")
	}
}

func testOutletTwice(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a")
	c := func() *keyservice.Change { return change("a", 0, func(b book) { b.negotiate(at(1)) }) }
	if err := s.Apply(t.Context(), []*keyservice.Change{c(), c()}); err == nil {
		t.Error("two changes of one outlet were taken in one batch")
	}
	if got := keys(t, s, keyservice.KeyQuery{}); len(got) != 0 {
		t.Errorf("keys: %+v", got)
	}
}

// testViolations puts what the schema must refuse between two good changes.
func testViolations(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "bad", "good1", "good2")
	do(t, s, "bad", func(b book) { // 1 active, 2 retired, 3 expired, 4 revoked, 5 and 6 pending
		for range 6 {
			b.negotiate(at(0))
		}
		b.move(2, wire.StateActive, at(1), 0, "")
		b.move(2, wire.StateRetired, at(1), 0, "")
		b.move(1, wire.StateActive, at(1), 0, "")
		b.move(3, wire.StateExpired, at(1), 0, "")
		b.move(4, wire.StateRevoked, at(1), 0, "")
	})
	before := keys(t, s, keyservice.KeyQuery{Outlet: "bad"})
	key := func(edit func(k *keyservice.LivingKey)) func(b book) {
		return func(b book) { b.negotiate(at(2)); edit(&b.Writes.NewKeys[0]) }
	}
	line := func(edit func(c *keyservice.ChangeRow)) func(b book) {
		return func(b book) {
			c := keyservice.ChangeRow{At: at(1), Kind: keyservice.KindOpened, Outlet: "bad"}
			edit(&c)
			b.note(c)
		}
	}
	step := func(n uint64, to wire.State) func(b book) {
		return func(b book) { b.move(n, to, at(2), 0, "") }
	}
	for name, record := range map[string]func(b book){
		"a number again":          func(b book) { b.negotiateAs(1, at(2)) },
		"the number 0":            func(b book) { b.negotiateAs(0, at(2)) },
		"a number of 2^53":        func(b book) { b.negotiateAs(wire.MaxSeckeyid+1, at(2)) },
		"a number of 2^64-1":      func(b book) { b.negotiateAs(1<<64-1, at(2)) },
		"no material":             key(func(k *keyservice.LivingKey) { k.Sealed = nil }),
		"a life of 59 s":          key(func(k *keyservice.LivingKey) { k.Expires = k.Created.Add(59e9) }),
		"a life of 31 days":       key(func(k *keyservice.LivingKey) { k.Expires = k.Created.Add(31 * 24 * 3600e9) }),
		"no time":                 key(func(k *keyservice.LivingKey) { k.EndsAt = k.EndsAt.AddDate(-3000, 0, 0) }),
		"a second active key":     step(5, wire.StateActive),
		"active again":            step(1, wire.StateActive),
		"retired to active":       step(2, wire.StateActive),
		"pending to retired":      step(5, wire.StateRetired),
		"to pending":              step(5, wire.StatePending),
		"to state 6":              step(5, 6),
		"to state 0":              step(5, 0),
		"expired to active":       step(3, wire.StateActive),
		"expired to revoked":      step(3, wire.StateRevoked),
		"revoked to expired":      step(4, wire.StateExpired),
		"revoked again":           step(4, wire.StateRevoked),
		"a key that is not there": step(99, wire.StateRevoked),
		"an actor that is no id":  func(b book) { b.move(5, wire.StateRevoked, at(2), 0, "o p") },
		"an actor of 12":          func(b book) { b.move(5, wire.StateRevoked, at(2), 0, "abcdefghijkl") },
		"a receipt for no state":  func(b book) { b.receipt(1, wire.StateRevoked) },
		"a receipt for living":    func(b book) { b.receipt(1, wire.StateActive) },
		"a receipt, wrong state":  func(b book) { b.receipt(3, wire.StateRevoked) },
		"an epoch again": func(b book) {
			b.Writes.NewSecrets = []keyservice.Secret{{Epoch: 1, Sealed: sealedOf(1), CreatedAt: at(1)}}
		},
		"the epoch 0": func(b book) {
			b.Writes.NewSecrets = []keyservice.Secret{{Epoch: 0, Sealed: sealedOf(1), CreatedAt: at(1)}}
		},
		"a secret without its box": func(b book) { b.Writes.NewSecrets = []keyservice.Secret{{Epoch: 2, CreatedAt: at(1)}} },
		"numbers that shrink":      func(b book) { b.Outlet.LastNumber, b.Writes.SetOutlet = 0, true },
		"epochs that shrink":       func(b book) { b.Outlet.LastEpoch, b.Writes.SetOutlet = 0, true },
		"a note of 201 bytes":      line(func(c *keyservice.ChangeRow) { c.Note = strings.Repeat("x", 201) }),
		"a note with a zero byte":  line(func(c *keyservice.ChangeRow) { c.Note = "a\x00b" }),
		"a kind of its own form":   line(func(c *keyservice.ChangeRow) { c.Kind = "No Kind" }),
		"a change at no time":      line(func(c *keyservice.ChangeRow) { c.At = c.At.AddDate(-3000, 0, 0) }),
		"a change of no state":     line(func(c *keyservice.ChangeRow) { c.State = 6 }),
		"a change of 2^53":         line(func(c *keyservice.ChangeRow) { c.Seckeyid = wire.MaxSeckeyid + 1 }),
	} {
		t.Run(name, func(t *testing.T) {
			head := len(events(t, s, keyservice.EventQuery{Outlet: "good1"}))
			batch := []*keyservice.Change{
				change("good1", 0, func(b book) { b.negotiate(at(3)) }),
				change("bad", 0, record),
				change("good2", 0, func(b book) { b.negotiate(at(3)) }),
			}
			if err := s.Apply(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			if batch[0].Err != nil || batch[2].Err != nil {
				t.Errorf("the others were disturbed: %v, %v", batch[0].Err, batch[2].Err)
			}
			if batch[1].Err == nil || errors.Is(batch[1].Err, keyservice.ErrBusy) || errors.Is(batch[1].Err, keyservice.ErrInDoubt) {
				t.Errorf("it was not refused as it should be: %v", batch[1].Err)
			}
			if got := len(events(t, s, keyservice.EventQuery{Outlet: "good1"})); got != head+1 {
				t.Errorf("good1 has %d new lines", got-head)
			}
			equal(t, "keys", keys(t, s, keyservice.KeyQuery{Outlet: "bad"}), before)
			if l := ledger(t, s, "bad", 0); l.Outlet.LastNumber != 6 || len(l.Secrets) != 1 || len(l.Living) != 4 {
				t.Errorf("a part of it was written: %+v", l)
			}
		})
	}
	for _, id := range []string{"", "a b", "ä", "abcdefghijkl", "a\x00"} {
		c := change(id, 0, func(b book) { b.enrol(id, wire.RoleOutlet, at(1)) })
		if err := s.Apply(t.Context(), []*keyservice.Change{c}); err == nil && c.Err == nil {
			t.Errorf("%q was enrolled", id)
		}
	}
}

func (b book) receipt(n uint64, state wire.State) {
	b.Writes.Receipts = append(b.Writes.Receipts, keyservice.Receipt{Seckeyid: n, State: state, At: at(500), Conn: "c1"})
}

func testCancelled(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a")
	ctx := cancelled()
	c := change("a", 0, func(b book) { b.negotiate(at(1)) })
	err := s.Apply(ctx, []*keyservice.Change{c})
	if !errors.Is(err, context.Canceled) || errors.Is(err, keyservice.ErrInDoubt) || errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("Apply: %v", err)
	}
	for name, call := range map[string]func() error{
		"Outlet":       func() error { _, _, err := s.Outlet(ctx, "a"); return err },
		"Outlets":      func() error { _, err := s.Outlets(ctx, keyservice.OutletQuery{Limit: 1}); return err },
		"Keys":         func() error { _, err := s.Keys(ctx, keyservice.KeyQuery{Limit: 1}); return err },
		"States":       func() error { _, err := s.States(ctx, "a", 1); return err },
		"Due":          func() error { _, err := s.Due(ctx, at(0), 1); return err },
		"Unreceipted":  func() error { _, err := s.Unreceipted(ctx, "a", 1); return err },
		"Changes":      func() error { _, _, err := s.Changes(ctx, keyservice.Position{}, 1); return err },
		"Head":         func() error { _, err := s.Head(ctx); return err },
		"Events":       func() error { _, err := s.Events(ctx, keyservice.EventQuery{Limit: 1}); return err },
		"Installation": func() error { _, err := s.Installation(ctx); return err },
		"Install":      func() error { return s.Install(ctx, keyservice.Installation{ServerID: "s", RingCheck: []byte{1}}) },
		"Probe":        func() error { return s.Probe(ctx, at(0)) },
	} {
		if err := call(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := keys(t, s, keyservice.KeyQuery{}); len(got) != 0 {
		t.Errorf("a cancelled change was written: %+v", got)
	}
	// Whoever gives up while a decision is made either has it written or not.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c = change("a", 0, func(b book) { b.negotiate(at(1)); cancel() })
	err = s.Apply(ctx, []*keyservice.Change{c})
	if got := keys(t, s, keyservice.KeyQuery{}); (err == nil) != (len(got) == 1) {
		t.Errorf("Apply says %v, and %d keys are there", err, len(got))
	}
}

func testClosed(t *testing.T, data Data) {
	s, other := data(t), data(t)
	enrol(t, s, "a")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("closed again: %v", err)
	}
	if err := s.Apply(t.Context(), []*keyservice.Change{change("a", 0, func(book) {})}); err == nil {
		t.Error("a closed store takes changes")
	}
	if _, _, err := s.Outlet(t.Context(), "a"); err == nil || errors.Is(err, keyservice.ErrNoOutlet) {
		t.Errorf("a closed store answers: %v", err)
	}
	if _, _, err := other.Outlet(t.Context(), "a"); err != nil {
		t.Errorf("the other handle: %v", err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

// Package storetest is the conformance suite of keyservice.Store: every store
// passes all of it.
package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// Data opens one more handle on the same data, as another process would. The
// handle is closed when the test ends.
type Data func(t *testing.T) keyservice.Store

// Run runs the suite. Each call of fresh makes data that is empty and has the
// program's schema.
func Run(t *testing.T, fresh func(t *testing.T) Data) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, data Data)
	}{
		{"Enrol", testEnrol},
		{"EnrolTwice", testEnrolTwice},
		{"ApplyAll", testApplyAll},
		{"Secrets", testSecrets},
		{"LifeOfAKey", testLifeOfAKey},
		{"Handover", testHandover},
		{"Rotation", testRotation},
		{"LedgerOfNobody", testLedgerOfNobody},
		{"DecideFails", testDecideFails},
		{"OutletTwiceInABatch", testOutletTwice},
		{"ViolationsAreAlone", testViolations},
		{"Cancelled", testCancelled},
		{"Closed", testClosed},
		{"Outlets", testOutlets},
		{"Due", testDue},
		{"Unused", testUnused},
		{"Keys", testKeys},
		{"KeysByTime", testKeysByTime},
		{"KeysPaging", testKeysPaging},
		{"KeysModel", testKeysModel},
		{"Usable", testUsable},
		{"RevokedOf", testRevokedOf},
		{"States", testStates},
		{"Receipts", testReceipts},
		{"Changes", testChanges},
		{"Head", testHead},
		{"Events", testEvents},
		{"EventsOfKinds", testEventsOfKinds},
		{"Tally", testTally},
		{"Watermark", testWatermark},
		{"Follow", testFollow},
		{"Watch", testWatch},
		{"Presence", testPresence},
		{"PresenceOfTwo", testPresenceOfTwo},
		{"PresenceOfTheDead", testPresenceOfTheDead},
		{"PresenceRace", testPresenceRace},
		{"Freshness", testFreshness},
		{"OutletFilters", testOutletFilters},
		{"Installation", testInstallation},
		{"InstallRace", testInstallRace},
		{"RingCheck", testRingCheck},
		{"Probe", testProbe},
		{"EnrolRace", testEnrolRace},
		{"TwoProcesses", testTwoProcesses},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, fresh(t)) })
	}
}

// epoch is the time at which the tests' clock starts.
var epoch = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// at is the time n seconds after epoch.
func at(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }

const (
	lifetime = time.Hour
	pending  = time.Minute
	grace    = 10 * time.Minute
)

func sealedOf(b byte) []byte { return slices.Repeat([]byte{b}, 124) }

// book records into a Ledger's Writes, as keyservice does.
type book struct{ *keyservice.Ledger }

func (b book) enrol(id string, role wire.Role, when time.Time) {
	o := keyservice.Outlet{ID: id, Role: role, EnrolledAt: when, LastEpoch: 1}
	b.Outlet = &o
	b.Writes.NewOutlet = &o
	b.Writes.NewSecrets = append(b.Writes.NewSecrets, keyservice.Secret{Epoch: 1, Sealed: sealedOf(1), CreatedAt: when})
	b.note(keyservice.ChangeRow{At: when, Kind: keyservice.KindEnrolled, Outlet: id, By: "op"})
}

// negotiate gives out the next number.
func (b book) negotiate(when time.Time) uint64 {
	b.Outlet.LastNumber++
	n := b.Outlet.LastNumber
	b.negotiateAs(n, when)
	return n
}

func (b book) negotiateAs(n uint64, when time.Time) {
	b.Writes.SetOutlet = true
	k := keyservice.LivingKey{
		Seckeyid: n, State: wire.StatePending, Created: when, Expires: when.Add(lifetime), EndsAt: when.Add(pending),
		FP: fpOf(n), Sealed: sealedOf(byte(n)),
	}
	b.Living = append(b.Living, k)
	b.Writes.NewKeys = append(b.Writes.NewKeys, k)
	b.note(keyservice.ChangeRow{At: when, Kind: keyservice.KindNegotiated, Outlet: b.Outlet.ID, Seckeyid: n,
		State: wire.StatePending, By: b.Outlet.ID})
}

var kinds = map[wire.State]keyservice.Kind{
	wire.StateActive: keyservice.KindVerified, wire.StateRetired: keyservice.KindRetired,
	wire.StateExpired: keyservice.KindExpired, wire.StateRevoked: keyservice.KindRevoked,
}

// move brings a key to a state.
func (b book) move(n uint64, to wire.State, when time.Time, reason wire.Reason, by string) {
	end := when.Add(lifetime)
	if to == wire.StateRetired {
		end = when.Add(grace)
	}
	b.Writes.Moves = append(b.Writes.Moves, keyservice.Move{Seckeyid: n, EndsAt: end,
		StateRow: keyservice.StateRow{State: to, At: when, Reason: reason, By: by}})
	b.note(keyservice.ChangeRow{At: when, Kind: kinds[to], Outlet: b.Outlet.ID, Seckeyid: n, State: to, Reason: reason, By: by})
}

func (b book) note(c keyservice.ChangeRow) { b.Writes.Changes = append(b.Writes.Changes, c) }

func fpOf(n uint64) [8]byte { return [8]byte{1: 0xfb, 6: byte(n >> 8), 7: byte(n)} }

// change is a Change that names a key, or 0, and cannot fail.
func change(outlet string, named uint64, record func(b book)) *keyservice.Change {
	return &keyservice.Change{Outlet: outlet, Seckeyid: named, Decide: func(l *keyservice.Ledger) error {
		record(book{l})
		return nil
	}}
}

// patiently calls f again while the store is busy: of several that write all
// the time one may come to its turn too late.
func patiently(f func() error) error {
	end := time.Now().Add(patience)
	for {
		if err := f(); !errors.Is(err, keyservice.ErrBusy) || time.Now().After(end) {
			return err
		}
	}
}

func apply(t *testing.T, s keyservice.Store, changes ...*keyservice.Change) error {
	return patiently(func() error { return s.Apply(t.Context(), changes) })
}

// do applies one change that must succeed.
func do(t *testing.T, s keyservice.Store, outlet string, record func(b book)) {
	t.Helper()
	c := change(outlet, 0, record)
	if err := apply(t, s, c); err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if c.Err != nil {
		t.Fatalf("change: %v", c.Err)
	}
}

// enrol applies the enrolment of outlets.
func enrol(t *testing.T, s keyservice.Store, ids ...string) {
	t.Helper()
	for _, id := range ids {
		do(t, s, id, func(b book) { b.enrol(id, wire.RoleOutlet, epoch) })
	}
}

// ledger returns what a change of the outlet that names a key gets to see.
func ledger(t *testing.T, s keyservice.Store, outlet string, named uint64) keyservice.Ledger {
	t.Helper()
	var l keyservice.Ledger
	c := change(outlet, named, func(b book) { l = *b.Ledger })
	if err := s.Apply(t.Context(), []*keyservice.Change{c}); err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return l
}

// must returns v, or fails the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func events(t *testing.T, s keyservice.Store, q keyservice.EventQuery) []keyservice.ChangeRow {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 500
	}
	return must(s.Events(t.Context(), q))(t)
}

func keys(t *testing.T, s keyservice.Store, q keyservice.KeyQuery) []keyservice.KeyRow {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 500
	}
	return must(s.Keys(t.Context(), q))(t)
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

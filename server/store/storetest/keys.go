package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

func testKeys(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a", "b")
	for i := range 3 {
		do(t, s, "a", func(b book) { b.negotiate(at(i)) })
		do(t, s, "b", func(b book) { b.negotiate(at(i)) })
	}
	do(t, s, "a", func(b book) { b.move(1, wire.StateExpired, at(60), wire.ReasonRoutine, "") })
	do(t, s, "a", func(b book) { b.move(2, wire.StateActive, at(60), 0, "a") })
	do(t, s, "b", func(b book) { b.move(3, wire.StateRevoked, at(60), wire.ReasonKeyCompromised, "op") })
	n := map[string]uint64{}
	for _, k := range keys(t, s, keyservice.KeyQuery{}) {
		n[fmt.Sprint(k.Outlet, k.Seckeyid)] = k.N
	}
	all := []string{"b3", "a3", "b2", "a2", "b1", "a1"}
	states := func(s ...wire.State) []wire.State { return s }
	for _, c := range []struct {
		name string
		q    keyservice.KeyQuery
		want []string
	}{
		{"all", keyservice.KeyQuery{}, all},
		{"limit", keyservice.KeyQuery{Limit: 4}, all[:4]},
		{"one outlet", keyservice.KeyQuery{Outlet: "a"}, []string{"a3", "a2", "a1"}},
		{"one outlet by number", keyservice.KeyQuery{Outlet: "b", ByNumber: true}, []string{"b3", "b2", "b1"}},
		{"nobody", keyservice.KeyQuery{Outlet: "A"}, nil},
		{"no id", keyservice.KeyQuery{Outlet: "\x00"}, nil},
		{"before n", keyservice.KeyQuery{BeforeN: n["a2"]}, []string{"b1", "a1"}},
		{"before the greatest n", keyservice.KeyQuery{BeforeN: wire.MaxInteger}, all},
		{"before any n", keyservice.KeyQuery{BeforeN: 1<<64 - 1}, all},
		{"before n 1", keyservice.KeyQuery{BeforeN: 1}, nil},
		{"before n of one outlet", keyservice.KeyQuery{Outlet: "a", BeforeN: n["b3"]}, []string{"a3", "a2", "a1"}},
		{"before number 3", keyservice.KeyQuery{Outlet: "a", BeforeKey: 3, ByNumber: true}, []string{"a2", "a1"}},
		{"before number 3, all", keyservice.KeyQuery{BeforeKey: 3}, []string{"b2", "a2", "b1", "a1"}},
		{"before both", keyservice.KeyQuery{Outlet: "a", BeforeKey: 3, BeforeN: n["a2"], ByNumber: true}, []string{"a1"}},
		{"pending", keyservice.KeyQuery{States: states(1)}, []string{"a3", "b2", "b1"}},
		{"active", keyservice.KeyQuery{States: states(2)}, []string{"a2"}},
		{"living", keyservice.KeyQuery{States: states(1, 2, 3)}, []string{"a3", "b2", "a2", "b1"}},
		{"expired", keyservice.KeyQuery{States: states(4)}, []string{"a1"}},
		{"revoked", keyservice.KeyQuery{States: states(5)}, []string{"b3"}},
		{"ended", keyservice.KeyQuery{States: states(4, 5)}, []string{"b3", "a1"}},
		{"active or revoked", keyservice.KeyQuery{States: states(2, 5)}, []string{"b3", "a2"}},
		{"retired", keyservice.KeyQuery{States: states(3)}, nil},
		{"of outlet a, ended", keyservice.KeyQuery{Outlet: "a", States: states(4, 5)}, []string{"a1"}},
		{"no states", keyservice.KeyQuery{States: []wire.State{}}, nil},
		{"unknown states", keyservice.KeyQuery{States: states(0, 9, 255)}, nil},
	} {
		equal(t, c.name, names(keys(t, s, c.q)), c.want)
	}
}

func names(rows []keyservice.KeyRow) (names []string) {
	for _, k := range rows {
		names = append(names, fmt.Sprint(k.Outlet, k.Seckeyid))
	}
	return names
}

// testKeysByTime goes through every meeting of a life with a window.
func testKeysByTime(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a", "b", "c")
	do(t, s, "a", func(b book) {
		b.negotiate(at(95))                            // a1: verified at 100, expired at 200
		b.negotiate(at(300))                           // a2: never verified, expired at 360
		b.negotiate(at(400))                           // a3: verified and revoked in the same moment, 410
		b.negotiate(at(500))                           // a4: verified at 510, living to 4110
		b.move(1, wire.StateActive, at(100), 0, "a")   //
		b.move(1, wire.StateRetired, at(150), 0, "a")  //
		b.move(1, wire.StateExpired, at(200), 0, "")   //
		b.move(2, wire.StateExpired, at(360), 0, "")   //
		b.move(3, wire.StateActive, at(410), 0, "a")   //
		b.move(3, wire.StateRevoked, at(410), 0, "op") //
		b.move(4, wire.StateActive, at(510), 0, "a")   //
	})
	do(t, s, "b", func(b book) { b.negotiate(at(600)) }) // b1: pending
	none := -1
	for _, c := range []struct {
		from, to int
		want     []string
	}{
		{none, none, []string{"b1", "a4", "a3", "a2", "a1"}},
		{none, 0, nil},
		{none, 100, nil},
		{none, 101, []string{"a1"}},
		{95, 100, nil}, // negotiated, not verified yet
		{100, 101, []string{"a1"}},
		{99, 101, []string{"a1"}},
		{150, 160, []string{"a1"}},
		{199, 200, []string{"a1"}},
		{200, 201, nil}, // the end is exclusive
		{200, 300, nil},
		{300, 301, []string{"a2"}},
		{301, 359, nil}, // a key never verified is a moment
		{299, 300, nil},
		{410, 411, []string{"a3"}},
		{409, 410, nil},
		{411, 510, nil},
		{409, 412, []string{"a3"}},
		{510, 511, []string{"a4"}},
		{4109, 4110, []string{"a4"}}, // the end of the living is to come
		{4110, 9999, nil},
		{600, 601, []string{"b1", "a4"}},
		{601, 700, []string{"a4"}},
		{411, none, []string{"b1", "a4"}},
		{200, none, []string{"b1", "a4", "a3", "a2"}},
		{199, none, []string{"b1", "a4", "a3", "a2", "a1"}},
		{0, 9999, []string{"b1", "a4", "a3", "a2", "a1"}},
		{150, 150, nil},
		{160, 150, nil},
	} {
		var q keyservice.KeyQuery
		if c.from != none {
			q.From = at(c.from)
		}
		if c.to != none {
			q.To = at(c.to)
		}
		equal(t, fmt.Sprintf("[%d, %d)", c.from, c.to), names(keys(t, s, q)), c.want)
	}
	ms := func(n int, d time.Duration) time.Time { return at(n).Add(d * time.Millisecond) }
	for _, c := range []struct {
		from, to time.Time
		want     []string
	}{
		{ms(200, -1), ms(200, 0), []string{"a1"}},
		{ms(410, 0), ms(410, 1), []string{"a3"}},
		{ms(410, 1), ms(410, 2), nil},
		{ms(300, 1), ms(300, 2), nil},
		{ms(4110, -1), ms(4110, 5), []string{"a4"}},
	} {
		equal(t, fmt.Sprint(c.from, c.to), names(keys(t, s, keyservice.KeyQuery{From: c.from, To: c.to})), c.want)
	}
	equal(t, "with the other filters", names(keys(t, s, keyservice.KeyQuery{Outlet: "a", From: at(150), To: at(520),
		States: []wire.State{wire.StateExpired, wire.StateRevoked}, BeforeKey: 3, ByNumber: true})), []string{"a2", "a1"})
	// The longest life, and the clock of another server that is behind.
	do(t, s, "c", func(b book) {
		b.negotiate(at(1e6))
		k := &b.Writes.NewKeys[0]
		k.Expires = k.Created.Add(wire.MaxLifetime * time.Second)
		b.move(1, wire.StateActive, at(1e6-3600), 0, "c")
		b.Writes.Moves[0].EndsAt = k.Expires
	})
	last := at(1e6 + wire.MaxLifetime)
	equal(t, "last moment", names(keys(t, s, keyservice.KeyQuery{From: last.Add(-time.Millisecond), To: last})), []string{"c1"})
	equal(t, "after it", names(keys(t, s, keyservice.KeyQuery{From: last})), []string(nil))
	equal(t, "first moment", names(keys(t, s, keyservice.KeyQuery{From: at(1e6 - 3600), To: at(1e6 - 3599)})), []string{"c1"})
}

// testKeysPaging: the pages together are the whole, in both orders, also
// while newer keys arrive.
func testKeysPaging(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a", "b")
	for i := range 23 {
		do(t, s, "a", func(b book) { b.negotiate(at(i)) })
		if i%3 == 0 {
			do(t, s, "b", func(b book) { b.negotiate(at(i)) })
		}
	}
	for _, q := range []keyservice.KeyQuery{
		{}, {Outlet: "a"}, {Outlet: "a", ByNumber: true}, {From: at(5), To: at(17)},
		{Outlet: "b", States: []wire.State{wire.StatePending}},
	} {
		whole := keys(t, s, q)
		for _, limit := range []int{1, 2, 7, 500} {
			q := q
			q.Limit = limit
			var got []keyservice.KeyRow
			for {
				page := keys(t, s, q)
				got = append(got, page...)
				if len(page) < limit {
					break
				}
				if q.ByNumber {
					q.BeforeKey = page[limit-1].Seckeyid
				} else {
					q.BeforeN = page[limit-1].N
				}
				if len(got) == limit { // after the first page
					do(t, s, "b", func(b book) { b.negotiate(at(1000)) })
				}
			}
			equal(t, fmt.Sprintf("%+v", q), got, whole)
			if q.Outlet == "b" || q.Outlet == "" && q.From.IsZero() {
				whole = keys(t, s, keyservice.KeyQuery{Outlet: q.Outlet, States: q.States})
			}
		}
	}
}

func testStates(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a")
	do(t, s, "a", func(b book) { b.negotiate(at(1)); b.negotiate(at(1)) })
	// The clock may go back between two steps; their order is that of states.
	do(t, s, "a", func(b book) { b.move(1, wire.StateActive, at(10), 0, "a") })
	do(t, s, "a", func(b book) { b.move(1, wire.StateRetired, at(9), wire.ReasonSuperseded, "") })
	do(t, s, "a", func(b book) {
		b.move(1, wire.StateRevoked, at(8), wire.Reason(200), "op")
		b.Writes.Changes[0].Note = "seen at a fair"
		b.note(keyservice.ChangeRow{At: at(8), Kind: keyservice.KindMismatch, Outlet: "a", Seckeyid: 1, Note: "of no state"})
	})
	do(t, s, "a", func(b book) { b.move(2, wire.StateExpired, at(8), 0, "") }) // its note is its own
	equal(t, "states", must(s.States(t.Context(), "a", 1))(t), []keyservice.StateRow{
		{State: wire.StatePending, At: at(1), By: "a"},
		{State: wire.StateActive, At: at(10), By: "a"},
		{State: wire.StateRetired, At: at(9), Reason: wire.ReasonSuperseded},
		{State: wire.StateRevoked, At: at(8), Reason: 200, By: "op", Note: "seen at a fair"},
	})
	equal(t, "states", must(s.States(t.Context(), "a", 2))(t), []keyservice.StateRow{
		{State: wire.StatePending, At: at(1), By: "a"}, {State: wire.StateExpired, At: at(8)}})
	for _, c := range []struct {
		outlet string
		n      uint64
	}{{"a", 3}, {"b", 1}, {"a", 1<<64 - 1}, {"a", 0}, {"", 1}, {"\x00", 1}} {
		if got := must(s.States(t.Context(), c.outlet, c.n))(t); len(got) != 0 {
			t.Errorf("states of %q %d: %+v", c.outlet, c.n, got)
		}
	}
}

func testReceipts(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a", "b")
	for _, id := range []string{"a", "b"} {
		do(t, s, id, func(b book) {
			for range 5 {
				b.negotiate(at(1))
			}
			for n := range uint64(4) {
				b.move(n+1, wire.StateRevoked, at(2), wire.Reason(n), "op")
			}
			b.move(5, wire.StateExpired, at(2), wire.ReasonRoutine, "")
		})
	}
	do(t, s, "a", func(b book) { b.receipt(3, wire.StateRevoked); b.receipt(5, wire.StateExpired) })
	want := []keyservice.Revoked{{Seckeyid: 4, Reason: 3}, {Seckeyid: 2, Reason: 1}, {Seckeyid: 1, Reason: 0}}
	equal(t, "unreceipted", must(s.Unreceipted(t.Context(), "a", 64))(t), want)
	equal(t, "at most 2", must(s.Unreceipted(t.Context(), "a", 2))(t), want[:2])
	if got := must(s.Unreceipted(t.Context(), "c", 64))(t); len(got) != 0 {
		t.Errorf("unreceipted of nobody: %+v", got)
	}
	equal(t, "b's", len(must(s.Unreceipted(t.Context(), "b", 64))(t)), 4)
	type q = keyservice.KeyQuery
	all := keys(t, s, q{Unreceipted: true})
	for _, c := range []struct {
		name, want string
		q          q
	}{
		{"without a receipt, of all", "b4 b3 b2 b1 a4 a2 a1", q{}},
		{"the first of them", "b4 b3", q{Limit: 2}},
		{"and what follows", "a4 a2 a1", q{BeforeN: all[3].N}},
		{"of one", "a4 a2 a1", q{Outlet: "a"}},
		{"of one, by number", "a2 a1", q{Outlet: "a", ByNumber: true, BeforeKey: 4}},
		{"of another state", "", q{States: []wire.State{wire.StateExpired}}},
		{"of this state", "b4 b3 b2 b1 a4 a2 a1", q{States: []wire.State{wire.StateRevoked}}},
		{"since a time", "", q{From: at(500)}},
	} {
		c.q.Unreceipted = true
		var got []string
		for _, k := range keys(t, s, c.q) {
			got = append(got, fmt.Sprint(k.Outlet, k.Seckeyid))
		}
		equal(t, c.name, strings.Join(got, " "), c.want)
	}

	if n := ledger(t, s, "a", 3).Named; n.ReceiptAt != at(500) {
		t.Errorf("named: %+v", n)
	}
	if n := ledger(t, s, "a", 4).Named; !n.ReceiptAt.IsZero() {
		t.Errorf("named: %+v", n)
	}
	// The first receipt stays.
	do(t, s, "a", func(b book) {
		b.Writes.Receipts = []keyservice.Receipt{{Seckeyid: 3, State: wire.StateRevoked, At: at(900), Conn: "c2"}}
	})
	rows := keys(t, s, keyservice.KeyQuery{Outlet: "a"})
	var got []time.Time
	for _, k := range slices.Backward(rows) {
		got = append(got, k.Receipt)
	}
	equal(t, "receipts", got, []time.Time{{}, {}, at(500), {}, at(500)})
	equal(t, "receipts of a key", must(s.Receipts(t.Context(), "a", 3))(t),
		[]keyservice.Receipt{{Seckeyid: 3, State: wire.StateRevoked, At: at(500), Conn: "c1"}})
	for _, c := range []struct {
		outlet string
		n      uint64
	}{{"a", 4}, {"b", 3}, {"a", 1<<64 - 1}, {"", 3}, {"\x00", 3}} {
		if got := must(s.Receipts(t.Context(), c.outlet, c.n))(t); len(got) != 0 {
			t.Errorf("receipts of %q %d: %+v", c.outlet, c.n, got)
		}
	}
}

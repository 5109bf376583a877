package storetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// rotated enrols a client of a role with a revoked, an expired, a retired, an
// active and a pending key, numbered 1 to 5.
func rotated(t *testing.T, s keyservice.Store, id string, role wire.Role) {
	t.Helper()
	do(t, s, id, func(b book) { b.enrol(id, role, epoch) })
	for n := range uint64(5) {
		do(t, s, id, func(b book) { b.negotiateAs(n+1, at(int(n))) })
	}
	do(t, s, id, func(b book) { b.move(1, wire.StateRevoked, at(10), 2, "op") })
	do(t, s, id, func(b book) { b.move(2, wire.StateExpired, at(11), wire.ReasonRoutine, "") })
	do(t, s, id, func(b book) { b.move(3, wire.StateActive, at(12), 0, id) })
	do(t, s, id, func(b book) {
		b.move(3, wire.StateRetired, at(13), wire.ReasonSuperseded, "")
		b.move(4, wire.StateActive, at(13), 0, id)
	})
}

func refs(rows []keyservice.UsableRow) (list []keyservice.KeyRef) {
	for _, r := range rows {
		list = append(list, keyservice.KeyRef{Outlet: r.Outlet, Seckeyid: r.Seckeyid})
	}
	return list
}

func testUsable(t *testing.T, data Data) {
	s := data(t)
	if got := must(s.Usable(t.Context(), keyservice.UsableQuery{Limit: 5}))(t); len(got) != 0 {
		t.Errorf("an empty store has %+v", got)
	}
	// In order of bytes: upper case before lower.
	for _, id := range []string{"b", "a", "B-1"} {
		rotated(t, s, id, wire.RoleOutlet)
	}
	rotated(t, s, "anna", wire.RoleOperator)
	rotated(t, s, "otto", wire.RoleAuditor)
	enrol(t, s, "fresh")
	want := []keyservice.KeyRef{{Outlet: "B-1", Seckeyid: 3}, {Outlet: "B-1", Seckeyid: 4}, {Outlet: "a", Seckeyid: 3},
		{Outlet: "a", Seckeyid: 4}, {Outlet: "b", Seckeyid: 3}, {Outlet: "b", Seckeyid: 4}}

	all := must(s.Usable(t.Context(), keyservice.UsableQuery{}))(t)
	if got := refs(all); !slices.Equal(got, want) {
		t.Fatalf("all usable keys: %v, want %v", got, want)
	}
	if n := must(s.CountUsable(t.Context()))(t); n != len(want) {
		t.Errorf("%d usable keys, want %d", n, len(want))
	}
	living := ledger(t, s, "a", 0).Living
	for i, k := range []keyservice.LivingKey{living[0], living[1]} {
		if got := all[2+i].LivingKey; fmt.Sprint(got) != fmt.Sprint(k) {
			t.Errorf("key %d is read as %+v, its ledger has %+v", k.Seckeyid, got, k)
		}
	}

	for limit := 1; limit <= len(want)+1; limit++ {
		var got []keyservice.KeyRef
		q := keyservice.UsableQuery{Limit: limit}
		for {
			page := refs(must(s.Usable(t.Context(), q))(t))
			got = append(got, page...)
			if len(page) < limit {
				break
			}
			q.After = page[limit-1]
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %v, want %v", limit, got, want)
		}
	}
	some := refs(must(s.Usable(t.Context(), keyservice.UsableQuery{Outlets: []string{"b", "nobody", "anna", "fresh", "B-1"}}))(t))
	if w := append(slices.Clone(want[:2]), want[4:]...); !slices.Equal(some, w) {
		t.Errorf("of some outlets: %v, want %v", some, w)
	}
	if got := must(s.Usable(t.Context(), keyservice.UsableQuery{Outlets: []string{}}))(t); len(got) != 0 {
		t.Errorf("of no outlets: %+v", got)
	}
}

func testRevokedOf(t *testing.T, data Data) {
	s := data(t)
	rotated(t, s, "a", wire.RoleOutlet)
	rotated(t, s, "b", wire.RoleOutlet)
	rotated(t, s, "anna", wire.RoleOperator)
	do(t, s, "b", func(b book) { b.move(4, wire.StateRevoked, at(20), wire.ReasonRoutine, "") })
	var ask []keyservice.KeyRef
	for _, id := range []string{"b", "anna", "nobody"} {
		for n := range uint64(6) {
			ask = append(ask, keyservice.KeyRef{Outlet: id, Seckeyid: n + 1})
		}
	}
	for n := range uint64(2500) { // more than one statement takes
		ask = append(ask, keyservice.KeyRef{Outlet: "nobody", Seckeyid: n + 100})
	}
	got := must(s.RevokedOf(t.Context(), ask))(t)
	slices.SortFunc(got, func(a, b keyservice.KeyRef) int {
		return cmp.Or(cmp.Compare(a.Outlet, b.Outlet), cmp.Compare(a.Seckeyid, b.Seckeyid))
	})
	want := []keyservice.KeyRef{{Outlet: "anna", Seckeyid: 1}, {Outlet: "b", Seckeyid: 1}, {Outlet: "b", Seckeyid: 4}}
	if !slices.Equal(got, want) {
		t.Errorf("revoked: %v, want %v", got, want)
	}
	if got := must(s.RevokedOf(t.Context(), nil))(t); len(got) != 0 {
		t.Errorf("of none: %v", got)
	}
}

package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

func testOutlets(t *testing.T, data Data) {
	s := data(t)
	for id, role := range map[string]wire.Role{
		"Paris": wire.RoleOutlet, "paris-2": wire.RoleOutlet, "a_b": wire.RoleOutlet, "axb": wire.RoleOperator,
		"0.1": wire.RoleAuditor, "Zz": wire.RoleOutlet, "_": wire.RoleOperator,
	} {
		do(t, s, id, func(b book) { b.enrol(id, role, at(1)) })
	}
	all := []string{"0.1", "Paris", "Zz", "_", "a_b", "axb", "paris-2"}
	for _, c := range []struct {
		name string
		q    keyservice.OutletQuery
		want []string
	}{
		{"all, by bytes", keyservice.OutletQuery{}, all},
		{"a part in any case", keyservice.OutletQuery{Contains: "pArIs"}, []string{"Paris", "paris-2"}},
		{"no wildcards: _", keyservice.OutletQuery{Contains: "a_b"}, []string{"a_b"}},
		{"no wildcards: .", keyservice.OutletQuery{Contains: "."}, []string{"0.1"}},
		{"no wildcards: %", keyservice.OutletQuery{Contains: "%"}, nil},
		{"a zero byte", keyservice.OutletQuery{Contains: "a\x00"}, nil},
		{"longer than an id", keyservice.OutletQuery{Contains: "abcdefghijkl"}, nil},
		{"the sign for Kelvin", keyservice.OutletQuery{Contains: "K"}, nil},
		{"one role", keyservice.OutletQuery{Roles: []wire.Role{wire.RoleOperator}}, []string{"_", "axb"}},
		{"two roles", keyservice.OutletQuery{Roles: []wire.Role{wire.RoleOperator, wire.RoleAuditor}}, []string{"0.1", "_", "axb"}},
		{"no roles", keyservice.OutletQuery{Roles: []wire.Role{}}, nil},
		{"role and part", keyservice.OutletQuery{Roles: []wire.Role{wire.RoleOutlet}, Contains: "b"}, []string{"a_b"}},
		{"after, exclusive", keyservice.OutletQuery{After: "_"}, []string{"a_b", "axb", "paris-2"}},
		{"after what is not there", keyservice.OutletQuery{After: "b"}, []string{"paris-2"}},
		{"after all", keyservice.OutletQuery{After: "z"}, nil},
		{"limit", keyservice.OutletQuery{Limit: 2}, all[:2]},
	} {
		if c.q.Limit == 0 {
			c.q.Limit = 500
		}
		var got []string
		for _, o := range must(s.Outlets(t.Context(), c.q))(t) {
			got = append(got, o.ID)
		}
		equal(t, c.name, got, c.want)
	}
	var got []string
	q := keyservice.OutletQuery{Limit: 2}
	for {
		page := must(s.Outlets(t.Context(), q))(t)
		for _, o := range page {
			got = append(got, o.ID)
			q.After = o.ID
		}
		if len(page) < q.Limit {
			break
		}
	}
	equal(t, "all pages", got, all)
	o := must(s.Outlets(t.Context(), keyservice.OutletQuery{Contains: "0.1", Limit: 1}))(t)
	equal(t, "outlet", o, []keyservice.OutletRow{{Outlet: keyservice.Outlet{ID: "0.1", Role: wire.RoleAuditor, EnrolledAt: at(1), LastEpoch: 1}}})
}

func testDue(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "c", "a", "b", "d")
	do(t, s, "c", func(b book) { b.negotiate(at(0)); b.negotiate(at(0)) })                     // two end at 60
	do(t, s, "a", func(b book) { b.negotiate(at(1)) })                                         // ends at 61
	do(t, s, "b", func(b book) { b.move(b.negotiate(at(0)), wire.StateActive, at(1), 0, "") }) // ends at 3601
	for _, c := range []struct {
		now, limit int
		want       []string
	}{
		{59, 9, nil}, {60, 9, []string{"c"}}, {61, 9, []string{"a", "c"}}, {61, 1, []string{"a"}},
		{3600, 9, []string{"a", "c"}}, {3601, 9, []string{"a", "b", "c"}},
	} {
		equal(t, fmt.Sprint("due at ", c.now), must(s.Due(t.Context(), at(c.now), c.limit))(t), c.want)
	}
	do(t, s, "a", func(b book) { b.move(1, wire.StateExpired, at(61), wire.ReasonRoutine, "") })
	equal(t, "due after the expiry", must(s.Due(t.Context(), at(100), 9))(t), []string{"c"})
}

func testUnused(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "c", "a", "b") // with secrets made at 0
	do(t, s, "a", func(b book) {
		b.Outlet.LastEpoch, b.Writes.SetOutlet = 2, true
		b.Writes.UsedSecrets = []keyservice.Secret{{Epoch: 1, FirstUsedAt: at(1)}}
		b.Writes.NewSecrets = []keyservice.Secret{{Epoch: 2, Sealed: sealedOf(2), CreatedAt: at(10)}}
	})
	for _, c := range []struct {
		before, limit int
		want          []string
	}{
		{0, 9, nil}, {1, 9, []string{"b", "c"}}, {1, 1, []string{"b"}}, {10, 9, []string{"b", "c"}}, {11, 9, []string{"a", "b", "c"}},
	} {
		equal(t, fmt.Sprint("unused before ", c.before), must(s.Unused(t.Context(), at(c.before), c.limit))(t), c.want)
	}
	do(t, s, "b", func(b book) { b.Writes.DropSecrets = []uint32{1} })
	equal(t, "unused", must(s.Unused(t.Context(), at(5), 9))(t), []string{"c"})
	if o, secrets, err := s.Outlet(t.Context(), "b"); err != nil || o.ID != "b" || secrets != nil {
		t.Errorf("an outlet without a secret: %+v, %+v, %v", o, secrets, err)
	}
}

func testInstallation(t *testing.T, data Data) {
	s := data(t)
	if _, err := s.Installation(t.Context()); !errors.Is(err, keyservice.ErrNotInstalled) {
		t.Fatalf("Installation of an empty store: %v", err)
	}
	first := keyservice.Installation{ServerID: "centre", RingCheck: sealedOf(4), CreatedAt: at(1)}
	for _, i := range []keyservice.Installation{first, {ServerID: "other", RingCheck: sealedOf(5), CreatedAt: at(2)}} {
		if err := s.Install(t.Context(), i); err != nil {
			t.Fatal(err)
		}
		equal(t, "installation", must(s.Installation(t.Context()))(t), first)
	}
	equal(t, "as the other handle sees it", must(data(t).Installation(t.Context()))(t), first)
}

func testInstallRace(t *testing.T, data Data) {
	handles := []keyservice.Store{data(t), data(t)}
	seen := make([]keyservice.Installation, 8)
	var all sync.WaitGroup
	for i := range seen {
		all.Go(func() {
			s := handles[i%2]
			err := s.Install(t.Context(), keyservice.Installation{
				ServerID: fmt.Sprint("s", i), RingCheck: sealedOf(byte(i)), CreatedAt: at(i)})
			if err != nil {
				t.Errorf("Install: %v", err)
			}
			if seen[i], err = s.Installation(t.Context()); err != nil {
				t.Errorf("Installation: %v", err)
			}
		})
	}
	all.Wait()
	for _, i := range seen[1:] {
		equal(t, "installation", i, seen[0])
	}
}

func testProbe(t *testing.T, data Data) {
	s := data(t)
	for i := range 3 {
		if err := s.Probe(t.Context(), at(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := events(t, s, keyservice.EventQuery{}); len(got) != 0 {
		t.Errorf("a probe leaves events: %+v", got)
	}
}

// testEnrolRace: of many who enrol the same ids at once, in overlapping
// batches and through two handles, one succeeds for each id.
func testEnrolRace(t *testing.T, data Data) {
	handles := []keyservice.Store{data(t), data(t)}
	ids := []string{"e1", "e2", "e3", "e4", "e5", "e6"}
	var mu sync.Mutex
	won := make(map[string]int)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			order := slices.Clone(ids)
			if i%4 >= 2 {
				slices.Reverse(order)
			}
			var batch []*keyservice.Change
			for _, id := range order {
				batch = append(batch, &keyservice.Change{Outlet: id, Decide: func(l *keyservice.Ledger) error {
					if l.Outlet != nil {
						return keyservice.ErrExists
					}
					book{l}.enrol(id, wire.RoleOutlet, at(i))
					return nil
				}})
			}
			if err := apply(t, handles[i%2], batch...); err != nil {
				t.Errorf("Apply: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, c := range batch {
				switch {
				case c.Err == nil:
					won[c.Outlet]++
				case !errors.Is(c.Err, keyservice.ErrExists):
					t.Errorf("%s: %v", c.Outlet, c.Err)
				}
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		if won[id] != 1 {
			t.Errorf("%s was enrolled %d times", id, won[id])
		}
	}
	if got := events(t, handles[0], keyservice.EventQuery{}); len(got) != len(ids) {
		t.Errorf("%d events, want %d", len(got), len(ids))
	}
}

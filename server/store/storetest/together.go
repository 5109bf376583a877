package storetest

import (
	"errors"
	"testing"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// testApplyAll: all or nothing, whatever the reason and wherever in the batch.
func testApplyAll(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "there")
	refusal := errors.New("refused")
	fresh := func(id string) *keyservice.Change {
		return change(id, 0, func(b book) { b.enrol(id, wire.RoleOutlet, at(1)) })
	}
	refusing := &keyservice.Change{Outlet: "r", Decide: func(*keyservice.Ledger) error { return refusal }}
	violating := change("v", 0, func(b book) { b.enrol("v", 9, at(1)) }) // there is no role 9
	for name, c := range map[string]struct {
		batch []*keyservice.Change
		want  error // nil: any
	}{
		"one exists":         {[]*keyservice.Change{fresh("a"), fresh("there"), fresh("c")}, keyservice.ErrExists},
		"the last refuses":   {[]*keyservice.Change{fresh("a"), fresh("b"), refusing}, refusal},
		"the first refuses":  {[]*keyservice.Change{refusing, fresh("a")}, refusal},
		"one violates":       {[]*keyservice.Change{fresh("a"), violating, fresh("c")}, nil},
		"an outlet is twice": {[]*keyservice.Change{fresh("a"), fresh("a")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.ApplyAll(t.Context(), c.batch)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			for _, id := range []string{"a", "b", "c", "r", "v"} {
				if _, _, err := s.Outlet(t.Context(), id); !errors.Is(err, keyservice.ErrNoOutlet) {
					t.Errorf("%s: %v", id, err)
				}
			}
		})
	}
	if err := s.ApplyAll(t.Context(), []*keyservice.Change{fresh("a"), fresh("b"), fresh("c")}); err != nil {
		t.Fatal(err)
	}
	if got := must(s.Outlets(t.Context(), keyservice.OutletQuery{Limit: 9}))(t); len(got) != 4 {
		t.Errorf("%d outlets, want 4", len(got))
	}
}

func testRingCheck(t *testing.T, data Data) {
	s := data(t)
	install := keyservice.Installation{ServerID: "HQ", RingCheck: []byte("first"), CreatedAt: at(1)}
	if err := s.Install(t.Context(), install); err != nil {
		t.Fatal(err)
	}
	if err := s.SetRingCheck(t.Context(), []byte("second")); err != nil {
		t.Fatal(err)
	}
	install.RingCheck = []byte("second")
	equal(t, "installation", must(s.Installation(t.Context()))(t), install)
}

package keyservice_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// heard collects what a listener is told.
type heard struct {
	mu   sync.Mutex
	rows []keyservice.ChangeRow
}

func (h *heard) tell(r keyservice.ChangeRow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows = append(h.rows, r)
}

func (h *heard) all() []keyservice.ChangeRow {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.rows)
}

// twoProcesses is a server and, over the same file, a command beside it.
func twoProcesses(t *testing.T) (server, beside *centre) {
	server = openCentre(t, migrated(t), newRing(t))
	server.run(t)
	beside = openCentre(t, server.path, server.ring)
	beside.start(t, beside.RunWriter)
	return server, beside
}

// TestListenAll: a process that only follows is told of every client's
// changes, in order, until it cancels.
func TestListenAll(t *testing.T) {
	server, beside := twoProcesses(t)
	follower := openCentre(t, server.path, server.ring)
	var all heard
	cancel := follower.ListenAll(all.tell)
	follower.start(t, follower.RunFollower)
	waitFor(t, soon, "the follower to know its place", func() bool {
		_, err := follower.Lookup(t.Context(), "nobody", 1)
		return err == nil
	})
	a, b := server.enrol(t, "a", wire.RoleOutlet), server.enrol(t, "b", wire.RoleOutlet)
	n := a.active()
	if err := beside.RevokeKey(t.Context(), "a", n, 2, ""); err != nil {
		t.Fatal(err)
	}
	if err := beside.SetDisabled(t.Context(), "b", true); err != nil {
		t.Fatal(err)
	}
	want := append(a.changes(0), b.changes(0)...)
	slices.SortFunc(want, func(x, y keyservice.ChangeRow) int { return cmp.Compare(x.N, y.N) })
	waitFor(t, soon, "all changes of both", func() bool { return len(all.all()) == len(want) })
	if got := all.all(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", brief(got), brief(want))
	}
	cancel()
	if err := beside.SetDisabled(t.Context(), "b", false); err != nil {
		t.Fatal(err)
	}
	var later heard
	defer follower.ListenAll(later.tell)()
	if err := beside.SetDisabled(t.Context(), "b", true); err != nil {
		t.Fatal(err)
	}
	waitFor(t, soon, "one more change", func() bool { return len(later.all()) > 0 })
	if got := all.all(); len(got) != len(want) {
		t.Errorf("told %q after cancel", brief(got[len(want):]))
	}
}

func TestFollowAnotherProcess(t *testing.T) {
	server, beside := twoProcesses(t)
	o := server.enrol(t, "o", wire.RoleOutlet)
	var mine, others heard
	defer server.Listen("o", mine.tell)()
	defer server.Listen("p", others.tell)()
	n := o.active()
	waitFor(t, soon, "its own changes", func() bool { return len(mine.all()) >= 2 })
	for why, act := range map[string]func() error{
		"revoked":  func() error { return beside.RevokeKey(t.Context(), "o", n, 2, "stolen") },
		"disabled": func() error { return beside.SetDisabled(t.Context(), "o", true) },
	} {
		if err := act(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, soon, why, func() bool {
			return slices.ContainsFunc(mine.all(), func(r keyservice.ChangeRow) bool { return string(r.Kind) == why })
		})
	}
	if got := others.all(); len(got) != 0 {
		t.Errorf("another client was told of %q", brief(got))
	}
}

// TestFollowStorm: changes by two processes while the store fails now and
// then; nothing is lost, and nothing is told out of order.
func TestFollowStorm(t *testing.T) {
	server, beside := twoProcesses(t)
	const outlets, each = 6, 60
	lists := make([]heard, outlets)
	var wg sync.WaitGroup
	for i := range lists {
		id := fmt.Sprintf("o%d", i)
		server.enrol(t, id, wire.RoleOutlet)
		defer server.Listen(id, lists[i].tell)()
		for _, c := range []*centre{server, beside} {
			wg.Go(func() {
				p := &keyservice.Peer{ClientID: id, Role: wire.RoleOutlet}
				for done := 0; done < each; {
					_, err := c.Administer(t.Context(), p, &wire.Administer{}, 1)
					switch code(t, err) {
					case wire.CodeNotPermitted:
						done++
					case wire.CodeBusy: // the other process writes all the time
					default:
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Go(func() {
		for range 3 {
			time.Sleep(50 * time.Millisecond)
			server.store.set(nil, errStore, nil)
			time.Sleep(20 * time.Millisecond)
			server.store.set(nil, nil, nil)
		}
	})
	wg.Wait()
	for i := range lists {
		var want []uint64
		waitFor(t, soon, "the last change", func() bool {
			rows := must(server.store.Store.Events(t.Context(), keyservice.EventQuery{Outlet: fmt.Sprintf("o%d", i),
				Kinds: []keyservice.Kind{keyservice.KindRefused}, Limit: 500}))(t)
			want = nil
			for _, r := range rows {
				want = append(want, r.N)
			}
			slices.Reverse(want)
			told := lists[i].all()
			return len(told) > 0 && told[len(told)-1].N == want[len(want)-1]
		})
		var got []uint64
		for _, r := range lists[i].all() {
			if r.Kind == keyservice.KindRefused {
				got = append(got, r.N)
			}
		}
		if len(want) != 2*each || !slices.Equal(got, want) {
			t.Errorf("o%d was told %d of %d changes: %v", i, len(got), 2*each, got)
		}
	}
}

func TestListenUntilCancelled(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	c.enrol(t, "o", wire.RoleOutlet)
	var one, two heard
	cancel := c.Listen("o", one.tell)
	defer c.Listen("o", two.tell)()
	act := func(off bool) {
		if err := c.SetDisabled(t.Context(), "o", off); err != nil {
			t.Fatal(err)
		}
	}
	act(true)
	isLast := func(h *heard, kind keyservice.Kind) bool {
		rows := h.all()
		return len(rows) > 0 && rows[len(rows)-1].Kind == kind
	}
	waitFor(t, soon, "both to be told", func() bool { return isLast(&one, keyservice.KindDisabled) && isLast(&two, keyservice.KindDisabled) })
	cancel()
	told := len(one.all())
	act(false)
	waitFor(t, soon, "the other to be told", func() bool { return isLast(&two, keyservice.KindEnabled) })
	if len(one.all()) != told {
		t.Error("told after cancel")
	}
}

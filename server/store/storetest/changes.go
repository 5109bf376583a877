package storetest

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

// changes reads one page of the change table. Numbers are as they were given.
func changes(t *testing.T, s keyservice.Store, after keyservice.Position, limit int) ([]keyservice.ChangeRow, keyservice.Position) {
	t.Helper()
	rows, safe, err := s.Changes(t.Context(), after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return rows, safe
}

func testChanges(t *testing.T, data Data) {
	s := data(t)
	rows, safe := changes(t, s, keyservice.Position{}, 10)
	if len(rows) != 0 {
		t.Fatalf("changes of an empty store: %+v", rows)
	}
	written := []keyservice.ChangeRow{
		{At: at(1), Kind: keyservice.KindNegotiated, Outlet: "a", Seckeyid: wire.MaxSeckeyid, State: wire.StatePending, By: "a"},
		{At: at(2), Kind: keyservice.KindRevoked, Outlet: "a", Seckeyid: 1, State: wire.StateRevoked, Reason: 255, By: "op", Note: "a “note” ✓"},
		{At: at(3), Kind: keyservice.KindRefused},
	}
	do(t, s, "a", func(b book) { b.Writes.Changes = slices.Clone(written) })
	if rows, safe = changes(t, s, safe, 10); len(rows) != 3 {
		t.Fatalf("changes: %+v", rows)
	}
	for i := range rows {
		if i > 0 && rows[i].N <= rows[i-1].N || rows[i].N == 0 {
			t.Errorf("numbers do not grow: %+v", rows)
		}
		written[i].N = rows[i].N
	}
	equal(t, "changes", rows, written)
	if again, _ := changes(t, s, safe, 10); len(again) != 0 {
		t.Errorf("listed again: %+v", again)
	}
	slices.Reverse(written)
	equal(t, "events", events(t, s, keyservice.EventQuery{}), written)

	// One batch has the order of its changes, whatever the order of the ids.
	batch := []*keyservice.Change{}
	for _, id := range []string{"z", "b", "q", "a"} {
		batch = append(batch, change(id, 0, func(b book) {
			for i := range 3 {
				b.note(keyservice.ChangeRow{At: at(i), Kind: keyservice.KindOpened, Outlet: id})
			}
		}))
	}
	if err := s.Apply(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	rows, _ = changes(t, s, safe, 100)
	order := ""
	for _, c := range rows {
		order += fmt.Sprint(c.Outlet, c.At.Unix()-epoch.Unix(), " ")
	}
	equal(t, "order", order, "z0 z1 z2 b0 b1 b2 q0 q1 q2 a0 a1 a2 ")

	// Small pages lead to the end.
	n := 0
	for p, pages := (keyservice.Position{}), 0; ; pages++ {
		rows, next := changes(t, s, p, 4)
		n += len(rows)
		if p == next {
			break
		}
		if p = next; pages > 100 {
			t.Fatal("the pages do not end")
		}
	}
	if n != 15 {
		t.Errorf("%d changes in pages, want 15", n)
	}
}

func testHead(t *testing.T, data Data) {
	s := data(t)
	for i := range 3 {
		head, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if rows, _ := changes(t, s, head, 10); len(rows) != 0 {
			t.Errorf("after the head lie %+v", rows)
		}
		do(t, s, "a", func(b book) { b.note(keyservice.ChangeRow{At: at(i), Kind: keyservice.KindOpened, Outlet: "a"}) })
		if rows, _ := changes(t, s, head, 10); len(rows) != 1 || rows[0].At != at(i) {
			t.Errorf("after the head lie %+v", rows)
		}
	}
}

func testEvents(t *testing.T, data Data) {
	s := data(t)
	lines := []keyservice.ChangeRow{
		{At: at(1), Kind: keyservice.KindEnrolled, Outlet: "a"},
		{At: at(2), Kind: keyservice.KindEnrolled, Outlet: "b"},
		{At: at(3), Kind: keyservice.KindNegotiated, Outlet: "a", Seckeyid: 1, State: 1},
		{At: at(3), Kind: keyservice.KindRefused},
		{At: at(5), Kind: keyservice.KindSecretGone, Outlet: "a"},
	}
	do(t, s, "a", func(b book) { b.Writes.Changes = slices.Clone(lines) })
	whole := events(t, s, keyservice.EventQuery{})
	n := func(i int) uint64 { return whole[len(whole)-1-i].N }
	for _, c := range []struct {
		name string
		q    keyservice.EventQuery
		want []int
	}{
		{"all", keyservice.EventQuery{}, []int{4, 3, 2, 1, 0}},
		{"limit", keyservice.EventQuery{Limit: 2}, []int{4, 3}},
		{"one outlet", keyservice.EventQuery{Outlet: "a"}, []int{4, 2, 0}},
		{"nobody", keyservice.EventQuery{Outlet: "c"}, nil},
		{"no id", keyservice.EventQuery{Outlet: "\x00"}, nil},
		{"from", keyservice.EventQuery{From: at(3)}, []int{4, 3, 2}},
		{"to, exclusive", keyservice.EventQuery{To: at(3)}, []int{1, 0}},
		{"from and to", keyservice.EventQuery{From: at(2), To: at(5)}, []int{3, 2, 1}},
		{"from after to", keyservice.EventQuery{From: at(5), To: at(2)}, nil},
		{"one kind", keyservice.EventQuery{Kinds: []keyservice.Kind{keyservice.KindEnrolled}}, []int{1, 0}},
		{"kinds", keyservice.EventQuery{Kinds: []keyservice.Kind{keyservice.KindSecretGone, keyservice.KindRefused}}, []int{4, 3}},
		{"no kinds", keyservice.EventQuery{Kinds: []keyservice.Kind{}}, nil},
		{"before", keyservice.EventQuery{BeforeN: n(2)}, []int{1, 0}},
		{"before any", keyservice.EventQuery{BeforeN: 1<<64 - 1}, []int{4, 3, 2, 1, 0}},
		{"a kind twice", keyservice.EventQuery{Kinds: []keyservice.Kind{keyservice.KindRefused, keyservice.KindRefused}}, []int{3}},
		{"after", keyservice.EventQuery{AfterN: n(2)}, []int{4, 3}},
		{"after any", keyservice.EventQuery{AfterN: 1<<64 - 1}, nil},
		{"between", keyservice.EventQuery{AfterN: n(1), BeforeN: n(4)}, []int{3, 2}},
		{"the oldest first", keyservice.EventQuery{Oldest: true}, []int{0, 1, 2, 3, 4}},
		{"the oldest after", keyservice.EventQuery{Oldest: true, AfterN: n(1), Limit: 2}, []int{2, 3}},
		{"the oldest of kinds", keyservice.EventQuery{Oldest: true, Limit: 2,
			Kinds: []keyservice.Kind{keyservice.KindSecretGone, keyservice.KindEnrolled}}, []int{0, 1}},
		{"all of them", keyservice.EventQuery{Outlet: "a", From: at(1), To: at(4), BeforeN: n(2),
			Kinds: []keyservice.Kind{keyservice.KindEnrolled}}, []int{0}},
	} {
		var want []uint64
		for _, i := range c.want {
			want = append(want, n(i))
		}
		var got []uint64
		for _, e := range events(t, s, c.q) {
			got = append(got, e.N)
		}
		equal(t, c.name, got, want)
	}
}

// testFollow: a follower with small pages sees every change that many writers
// make through two handles, and each one once if it leaves out known numbers.
func testFollow(t *testing.T, data Data) {
	handles := []keyservice.Store{data(t), data(t)}
	reader := data(t)
	position := must(reader.Head(t.Context()))(t)
	const writers, each = 8, 20
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				c := change(fmt.Sprint("w", w), 0, func(b book) {
					for k := range 3 {
						b.note(keyservice.ChangeRow{At: at(i), Kind: keyservice.KindOpened, Outlet: fmt.Sprint("w", w), Seckeyid: uint64(k)})
					}
				})
				if err := apply(t, handles[w%2], c); err != nil || c.Err != nil {
					t.Errorf("Apply: %v, %v", err, c.Err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	seen := make(map[uint64]bool)
	last := make(map[string]uint64)
	for finished := false; ; {
		rows, next := changes(t, reader, position, 5)
		for _, c := range rows {
			if seen[c.N] {
				continue
			}
			seen[c.N] = true
			if c.N < last[c.Outlet] {
				t.Errorf("%s: change %d was listed after %d", c.Outlet, c.N, last[c.Outlet])
			}
			last[c.Outlet] = c.N
		}
		idle := next == position
		position = next
		select {
		case <-done:
			if finished && idle {
				if len(seen) != writers*each*3 {
					t.Errorf("%d changes were seen, want %d", len(seen), writers*each*3)
				}
				return
			}
			finished = true
		default:
		}
	}
}

// patience bounds every wait for something that has to happen.
const patience = 30 * time.Second

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen within %s: %s", patience, what)
		}
	}
}

// testWatch: whoever watches is woken when it has begun and after changes that
// another process makes, until it ends.
func testWatch(t *testing.T, data Data) {
	s, other := data(t), data(t)
	var woken atomic.Int64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.Watch(ctx, func() { woken.Add(1) }) }()
	eventually(t, "it has begun", func() bool { return woken.Load() > 0 })
	for i := range 3 {
		before := woken.Load()
		do(t, other, "a", func(b book) { b.note(keyservice.ChangeRow{At: at(i), Kind: keyservice.KindOpened, Outlet: "a"}) })
		eventually(t, "it is woken by a change", func() bool { return woken.Load() > before })
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
}

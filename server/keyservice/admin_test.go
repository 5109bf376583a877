package keyservice_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// operate asks for an operation and decodes its result.
func operate[R any, P interface {
	*R
	wire.Result
}](c *client, o wire.Operation) *R {
	c.Helper()
	doc := must(wire.EncodeOperation(o))(c.T)
	ok, err := c.Administer(c.Context(), c.peer, &wire.Administer{RequestHead: c.head(), Doc: doc}, 1)
	if err != nil {
		c.Fatalf("%s: %v", o.Op(), err)
	}
	var r R
	if err := wire.DecodeResult(ok.Doc, P(&r)); err != nil {
		c.Fatalf("%s: %v", o.Op(), err)
	}
	return &r
}

// TestOverview: counts of what there is, and what happened by the hour, over an
// hour's end and more than a day.
func TestOverview(t *testing.T) {
	c := newCentre(t) // at 08:00
	op := c.enrol(t, "op", wire.RoleOperator)
	a, b := c.enrol(t, "a", wire.RoleOutlet), c.enrol(t, "b", wire.RoleOutlet)
	c.enrol(t, "never", wire.RoleOutlet)
	if err := c.SetDisabled(t.Context(), "never", true); err != nil {
		t.Fatal(err)
	}
	a.active()
	second := a.active() // retires the first
	n := b.active()
	if err := c.RevokeKey(t.Context(), "b", n, wire.ReasonKeyCompromised, ""); err != nil {
		t.Fatal(err)
	}
	bad := b.negotiate()
	if _, err := b.verify(bad, false); code(t, err) != wire.CodeMismatch {
		t.Fatal(err)
	}
	got := operate[wire.OverviewOK](op, &wire.Overview{})
	if want := (wire.OutletCounts{All: 3, Disabled: 1, Fresh: 1, Stale: 1}); got.Outlets != want {
		t.Errorf("outlets: %+v, want %+v", got.Outlets, want)
	}
	if got.Keys.Active != 1 || got.Keys.Retired != 1 || got.Keys.Pending != 0 || got.Ended.Revoked != 1 || got.Ended.Expired != 1 {
		t.Errorf("keys %+v, ended %+v", got.Keys, got.Ended)
	}
	if got.Now != uint64(c.now().UnixMilli()) || len(got.Hours) != 24 || len(got.Last) != 10 {
		t.Fatalf("%d hours, %d last events", len(got.Hours), len(got.Last))
	}
	eight := uint64(c.now().Truncate(time.Hour).UnixMilli())
	if want := (wire.Hour{At: eight, Negotiated: 4, Verified: 3, Mismatch: 1, Revoked: 1, Expired: 1}); got.Hours[23] != want {
		t.Errorf("the running hour: %+v, want %+v", got.Hours[23], want)
	}
	if got.Hours[0].At != eight-23*3600_000 || got.Last[0].Kind != "expired" || got.Last[0].N <= got.Last[9].N {
		t.Errorf("%+v, %+v", got.Hours[0], got.Last)
	}

	// At the next hour the first is still open, then it is kept, and then gone.
	eightIs := func(at int, want wire.Hour) {
		t.Helper()
		if got := operate[wire.OverviewOK](op, &wire.Overview{}); got.Hours[at] != want {
			t.Errorf("%+v, want %+v", got.Hours[at], want)
		}
	}
	want := got.Hours[23]
	c.advance(45 * time.Minute) // a's retired key ends at 08:10, its active one at 09:00
	want.Expired = 2
	eightIs(23, want)
	c.advance(30 * time.Minute)
	eightIs(22, want)
	c.advance(5 * time.Hour)
	eightIs(17, want)
	eightIs(17, want)
	c.advance(24 * time.Hour)
	for _, h := range operate[wire.OverviewOK](op, &wire.Overview{}).Hours {
		if h != (wire.Hour{At: h.At}) {
			t.Errorf("a day later: %+v", h)
		}
	}
	if row := a.key(second); row.State != wire.StateExpired {
		t.Errorf("%+v", row)
	}
}

// TestOutlets goes through outlets by pages and filters.
func TestOutlets(t *testing.T) {
	c := newCentre(t)
	au := c.enrol(t, "auditor", wire.RoleAuditor)
	for i := range 25 {
		o := c.enrol(t, fmt.Sprintf("o-%02d", i), wire.RoleOutlet)
		if i%5 == 0 {
			o.active()
		}
		if i%10 == 1 {
			if err := c.SetDisabled(t.Context(), o.peer.ClientID, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	ids := func(q wire.Outlets) (all []string) {
		t.Helper()
		for q.Limit = 4; ; {
			page := operate[wire.OutletsOK](au, &q)
			for _, row := range page.Rows {
				all = append(all, row.ID)
			}
			if q.After = page.After; q.After == "" {
				return all
			}
		}
	}
	yes, no, fresh := true, false, wire.FreshnessFresh
	for _, x := range []struct {
		q    wire.Outlets
		want int
	}{
		{wire.Outlets{}, 25}, {wire.Outlets{Query: "O-1"}, 10}, {wire.Outlets{Query: "no one"}, 0}, {wire.Outlets{Disabled: &yes}, 3},
		{wire.Outlets{Disabled: &no}, 22}, {wire.Outlets{Freshness: &fresh}, 5}, {wire.Outlets{Connected: &yes}, 0}, {wire.Outlets{Connected: &no}, 25},
		{wire.Outlets{Roles: []wire.Role{}}, 0}, {wire.Outlets{Roles: []wire.Role{wire.RoleAuditor}}, 1},
		{wire.Outlets{Roles: []wire.Role{wire.RoleAuditor, wire.RoleOutlet}}, 26},
	} {
		got := ids(x.q)
		if len(got) != x.want || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
			t.Errorf("%+v: %d: %q, want %d", x.q, len(got), got, x.want)
		}
	}
	row := operate[wire.OutletOK](au, &wire.OutletOf{ID: "o-05"})
	now := uint64(c.now().UnixMilli())
	want := wire.OutletRow{ID: "o-05", Role: wire.RoleOutlet, Enrolled: now, Epoch: 1, Number: 1, Freshness: wire.FreshnessFresh,
		Active: &wire.ActiveKey{Seckeyid: 1, FP: row.Rows[0].FP, Expires: now + uint64(lifetime.Milliseconds()), Ends: now + uint64(lifetime.Milliseconds())}}
	if !reflect.DeepEqual(row.Outlet, want) || len(row.Secrets) != 1 || row.Secrets[0].Epoch != 1 || len(row.Rows) != 1 {
		t.Errorf("%+v, want %+v; %+v", row.Outlet, want, row)
	}
}

// TestEvents goes through the record by pages that are cut where a reply is full.
func TestEvents(t *testing.T) {
	c := newCentre(t)
	au := c.enrol(t, "au", wire.RoleAuditor)
	const lines = 700
	change := &keyservice.Change{Outlet: "o", Decide: func(l *keyservice.Ledger) error {
		for i := range lines {
			l.Writes.Changes = append(l.Writes.Changes, keyservice.ChangeRow{At: c.now(), Kind: keyservice.KindRefused, Outlet: "o", Note: fmt.Sprintf("%0200d", i)})
		}
		return nil
	}}
	if err := c.store.Store.Apply(t.Context(), []*keyservice.Change{change}); err != nil || change.Err != nil {
		t.Fatal(err, change.Err)
	}
	seen, pages := 0, 0
	for q := (wire.Events{Outlet: "o", Limit: 500}); ; pages++ {
		page := operate[wire.EventsOK](au, &q)
		for _, row := range page.Rows {
			seen++
			if want := fmt.Sprintf("%0200d", lines-seen); row.Note != want {
				t.Fatalf("line %d: %s", seen, row.Note)
			}
		}
		if q.Before = page.Before; q.Before == 0 {
			break
		}
	}
	if seen != lines || pages < 2 { // and the last
		t.Errorf("%d lines in %d pages", seen, pages)
	}
	for _, q := range []wire.Events{{Kinds: []string{}, Limit: 5}, {Kinds: []string{"boom"}, Limit: 5}, {From: 5, To: 5, Limit: 5}, {Outlet: "nobody", Limit: 5}} {
		if page := operate[wire.EventsOK](au, &q); len(page.Rows) != 0 || page.Before != 0 {
			t.Errorf("%+v: %+v", q, page)
		}
	}
	if page := operate[wire.EventsOK](au, &wire.Events{Kinds: []string{"enrolled", "boom"}, Limit: 5}); len(page.Rows) != 1 {
		t.Errorf("%+v", page)
	}
}

// staged is a store whose change table is a test's: rows come when they are put
// there, and writers are those that the test says.
type staged struct {
	keyservice.Store
	mu      sync.Mutex
	rows    []keyservice.ChangeRow // in the order in which they became visible
	writers []string
	err     error
}

func (s *staged) commit(ns ...uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range ns {
		s.rows = append(s.rows, keyservice.ChangeRow{N: n, At: time.UnixMilli(1000).UTC(), Kind: keyservice.KindOpened, Outlet: "o"})
	}
}

func (s *staged) write(writers ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers = writers
}

func (s *staged) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Changes takes a position for how many rows have been read.
func (s *staged) Changes(_ context.Context, after keyservice.Position, limit int) ([]keyservice.ChangeRow, keyservice.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := slices.Clone(s.rows[after.N:])
	rows = rows[:min(len(rows), limit)]
	after.N += uint64(len(rows))
	return rows, after, s.err
}

func (s *staged) Head(context.Context) (keyservice.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return keyservice.Position{N: uint64(len(s.rows))}, s.err
}

func (s *staged) Watch(ctx context.Context, wake func()) error {
	<-ctx.Done()
	return ctx.Err()
}

func (s *staged) Watermark(context.Context) (w keyservice.Watermark, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		w.N = max(w.N, r.N)
	}
	w.Writers = slices.Clone(s.writers)
	return w, s.err
}

func (s *staged) Events(_ context.Context, q keyservice.EventQuery) ([]keyservice.ChangeRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := slices.DeleteFunc(slices.Clone(s.rows), func(r keyservice.ChangeRow) bool { return r.N <= q.AfterN })
	slices.SortFunc(rows, func(a, b keyservice.ChangeRow) int { return int(a.N) - int(b.N) })
	if !q.Oldest {
		slices.Reverse(rows)
	}
	return rows[:min(len(rows), q.Limit)], s.err
}

// watching is a watcher and what it has been told.
type watching struct {
	*testing.T
	w *keyservice.Watcher
}

func (w watching) take(n int) (rows []wire.EventRow) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), soon)
	defer cancel()
	for len(rows) < n {
		some, err := w.w.Wait(ctx)
		if err != nil || !some {
			w.Fatalf("%d of %d events, then %v, %v", len(rows), n, some, err)
		}
		rows = append(rows, w.w.Take(n-len(rows))...)
	}
	return rows
}

// brief is events in a form that is easily compared: n, and by which to resume.
func (w watching) brief(n int) (all []string) {
	w.Helper()
	for _, r := range w.take(n) {
		resume := r.N
		if r.Settled != nil {
			resume = *r.Settled
		}
		all = append(all, fmt.Sprintf("%d/%d", r.N, resume))
	}
	return all
}

func (w watching) wants(want ...string) {
	w.Helper()
	if got := w.brief(len(want)); !slices.Equal(got, want) {
		w.Errorf("told %q, want %q", got, want)
	}
}

// wantsNext is wants for one number with which everything has been told: by it
// to resume, or by the one before if a watermark was taken just before it came.
func (w watching) wantsNext(n uint64) {
	w.Helper()
	got := w.brief(1)[0]
	if got != fmt.Sprintf("%d/%d", n, n) && got != fmt.Sprintf("%d/%d", n, n-1) {
		w.Errorf("told %q, want %d", got, n)
	}
}

// TestFeedOutOfOrder: a number that was given out first and becomes visible last
// reaches those who watch and those who come back, and the number by which they
// resume does not pass it before.
func TestFeedOutOfOrder(t *testing.T) {
	c := newCentre(t)
	stage := &staged{Store: c.store.Store}
	service := must(keyservice.New(keyservice.Config{ServerID: serverID, Now: c.now}, stage, c.ring))(t)
	c.start(t, service.Run)
	peers := 0
	watch := func(since ...uint64) (watching, uint64) {
		t.Helper()
		o := &wire.Watch{}
		if len(since) > 0 {
			o.Since = &since[0]
		}
		peers++
		p := &keyservice.Peer{ClientID: fmt.Sprint("p", peers), Role: wire.RoleAuditor}
		ok, err := service.Administer(t.Context(), p, &wire.Administer{Doc: must(wire.EncodeOperation(o))(t)}, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Unwatch)
		var r wire.WatchOK
		if err := wire.DecodeResult(ok.Doc, &r); err != nil {
			t.Fatal(err)
		}
		return watching{t, p.Watcher()}, r.N
	}
	stage.commit(1, 2, 3)
	w, n := watch()
	if n != 3 {
		t.Errorf("watching from %d, want 3", n)
	}
	stage.write("slow", "quick") // slow takes 4, quick takes 5
	stage.commit(5)
	stage.write("slow")
	w.wants("5/3")
	late, n := watch(3)
	if n != 3 {
		t.Errorf("watching from %d, want 3", n)
	}
	late.wants("5/3")
	time.Sleep(150 * time.Millisecond) // so that the next one sees a new watermark
	stage.write("slow", "other")       // other takes 6
	stage.commit(6)
	stage.write("slow")
	w.wants("6/3")
	late.wants("6/3")
	time.Sleep(150 * time.Millisecond)
	stage.commit(4)
	stage.write()
	if got := w.brief(1); got[0] != "4/6" && got[0] != "4/3" {
		t.Errorf("told %q", got)
	}
	late.take(1)
	time.Sleep(150 * time.Millisecond)
	stage.commit(7)
	w.wantsNext(7)
	late.wantsNext(7)
	again, _ := watch(3)
	again.wants("4/4", "5/5", "6/6", "7/7")

	// The store is away for a while: nobody loses anything.
	stage.fail(errStore)
	stage.commit(8)
	time.Sleep(50 * time.Millisecond)
	stage.fail(nil)
	w.wantsNext(8)

	// One that takes long has the first watermark wait, and then do without.
	lone := must(keyservice.New(keyservice.Config{ServerID: serverID, Now: c.now}, stage, c.ring))(t)
	stage.write("hangs")
	p := &keyservice.Peer{ClientID: "p", Role: wire.RoleAuditor}
	var ok *wire.AdministerOK
	var err error
	waitFor(t, soon, "an answer", func() bool { // it has 5 s, of which it waits for 2
		ok, err = lone.Administer(t.Context(), p, &wire.Administer{Doc: must(wire.EncodeOperation(&wire.Watch{}))(t)}, 1)
		return !errors.Is(err, wire.CodeBusy)
	})
	var r wire.WatchOK
	if err != nil || wire.DecodeResult(ok.Doc, &r) != nil || r.N != 0 {
		t.Errorf("watching from %d while a transaction hangs, want 0: everything again; %v", r.N, err)
	}
	p.Unwatch()
	p.Unwatch()
}

// TestFeedModel: writers that take numbers and make them visible in any order,
// watchers that come, go and come back: nobody misses a number.
func TestFeedModel(t *testing.T) {
	c := newCentre(t)
	stage := &staged{Store: c.store.Store}
	service := must(keyservice.New(keyservice.Config{ServerID: serverID, Now: c.now}, stage, c.ring))(t)
	c.start(t, service.Run)
	const numbers = 400
	done := make(chan struct{})
	go func() {
		defer close(done)
		open := map[string]uint64{} // writer: its number
		n := uint64(0)
		for i := range 2 * numbers {
			if n < numbers && (len(open) == 0 || i%3 != 2 && len(open) < 5) {
				n++
				open[fmt.Sprint("t", n)] = n
				stage.write(keysOf(open)...)
			} else if len(open) > 0 {
				for w, v := range open { // any
					stage.commit(v)
					delete(open, w)
					break
				}
				stage.write(keysOf(open)...)
			}
			time.Sleep(500 * time.Microsecond)
		}
		for w, v := range open {
			stage.commit(v)
			delete(open, w)
			stage.write(keysOf(open)...)
		}
	}()
	var all sync.WaitGroup
	for id := range 4 {
		all.Go(func() { comeAndGo(t, service, fmt.Sprint("p", id), numbers) })
	}
	all.Wait()
	<-done
}

func keysOf(open map[string]uint64) (names []string) {
	for name := range open {
		names = append(names, name)
	}
	return names
}

// comeAndGo watches with many connections, one after the other, until all
// numbers have been told.
func comeAndGo(t *testing.T, service *keyservice.Service, id string, numbers int) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	told := map[uint64]bool{}
	since := uint64(0)
	for len(told) < numbers && ctx.Err() == nil {
		p := &keyservice.Peer{ClientID: id, Role: wire.RoleOperator}
		doc, err := wire.EncodeOperation(&wire.Watch{Since: &since})
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := service.Administer(ctx, p, &wire.Administer{Doc: doc}, 1); err != nil {
			t.Errorf("%s: %v", id, err)
			return
		}
		for range 37 { // then the connection breaks
			some, err := p.Watcher().Wait(ctx)
			if err != nil || !some {
				break
			}
			for _, r := range p.Watcher().Take(3) {
				if r.Kind == wire.EventLost {
					t.Errorf("%s: lost at %d", id, r.N)
				}
				told[r.N] = true
				resume := r.N
				if r.Settled != nil {
					resume = *r.Settled
				}
				since = max(since, resume)
			}
			if len(told) >= numbers {
				break
			}
		}
		p.Unwatch()
	}
	if len(told) != numbers {
		t.Errorf("%s was told %d of %d", id, len(told), numbers)
	}
}

// TestShutOut: an operator whose disabling or cut is committed does nothing any
// more, though the connection has not heard of it.
func TestShutOut(t *testing.T) {
	c := newCentre(t)
	op, cut := c.enrol(t, "op", wire.RoleOperator), c.enrol(t, "cut", wire.RoleOperator)
	c.enrol(t, "o", wire.RoleOutlet)
	op.active()
	cut.active()
	operate[wire.ChangedOK](op, &wire.Disable{ID: "o"})
	if err := c.SetDisabled(t.Context(), "op", true); err != nil {
		t.Fatal(err)
	}
	must(c.NewSecret(t.Context(), "cut", true))(t)
	for _, o := range []wire.Operation{&wire.Enable{ID: "o"}, &wire.Enrol{ID: "x", Role: wire.RoleOutlet}, &wire.NewSecret{ID: "o"}, &wire.Disable{ID: "o"},
		&wire.RevokeOf{Outlet: "o", Seckeyid: 1}} {
		for _, p := range []*client{op, cut} {
			doc := must(wire.EncodeOperation(o))(t)
			if _, err := p.Administer(t.Context(), p.peer, &wire.Administer{RequestHead: p.head(), Doc: doc}, 1); code(t, err) != wire.CodeNotPermitted {
				t.Errorf("%s by %s: %v", o.Op(), p.peer.ClientID, err)
			}
		}
	}
	if o := must(c.Outlets(t.Context(), keyservice.OutletQuery{ID: "o", Limit: 1}))(t); !o[0].Disabled || o[0].LastEpoch != 1 {
		t.Errorf("%+v", o)
	}
}

// TestSealKeys: of the keys that were agreed on a connection the one that is
// active seals, whatever else was agreed there and elsewhere.
func TestSealKeys(t *testing.T) {
	c := newCentre(t)
	op := c.enrol(t, "op", wire.RoleOperator)
	c.enrol(t, "o", wire.RoleOutlet)
	sealedBy := func(want uint64) {
		t.Helper()
		doc := must(wire.EncodeOperation(&wire.NewSecret{ID: "o"}))(t)
		m := &wire.Administer{RequestHead: op.head(), Doc: doc}
		ok, err := op.Administer(t.Context(), op.peer, m, 42)
		if want == 0 {
			if code(t, err) != wire.CodeNoSealKey {
				t.Errorf("%v, want no key", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var r wire.EnrolledOK
		if err := wire.DecodeResult(ok.Doc, &r); err != nil || r.Seckeyid != want {
			t.Fatalf("sealed under %d, want %d; %v", r.Seckeyid, want, err)
		}
		if _, err := op.held[want].Seal.OpenToken(op.keys, r.Sealed, 42, m.AuthCode); err != nil {
			t.Error(err)
		}
	}
	sealedBy(0)
	first := op.active()
	for range 12 { // none of them is verified
		op.negotiate()
	}
	sealedBy(first)
	last := op.negotiate()
	if _, err := op.verify(last, true); err != nil {
		t.Fatal(err)
	}
	sealedBy(last)
	if state, err := op.verify(first, true); err != nil || state != wire.StateRetired {
		t.Fatal(state, err)
	}
	sealedBy(last)
	other := c.connect(t, op.token)
	n := other.active()
	sealedBy(0)
	other.held[n].Zero()
	c.advance(lifetime)
	next := op.active()
	sealedBy(next)
	c.advance(lifetime)
	sealedBy(0) // it has ended, though nobody has swept
	op.peer.Wipe()
}

package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

const term = time.Hour // longer than any test

// process is the nth server process.
func process(n int) keyservice.Process {
	return keyservice.Process{ID: fmt.Sprintf("%016x", n), Place: fmt.Sprint("host ", n), At: at(n)}
}

// beat gives a process a term, and tells whether it had none.
func beat(t *testing.T, s keyservice.Store, p keyservice.Process, term time.Duration) (lapsed bool) {
	t.Helper()
	err := patiently(func() (err error) {
		lapsed, err = s.Beat(t.Context(), p, term)
		return err
	})
	return must(lapsed, err)(t)
}

// reap ends presences with the dead, and tells how many.
func reap(t *testing.T, s keyservice.Store, limit int) (n int) {
	t.Helper()
	err := patiently(func() (err error) {
		n, err = s.Reap(t.Context(), limit)
		return err
	})
	return must(n, err)(t)
}

// tell records, at a time, who is connected to a process, and with a minus who no more.
func tell(t *testing.T, s keyservice.Store, p keyservice.Process, when int, ids ...string) {
	t.Helper()
	var seen []keyservice.Sight
	for _, id := range ids {
		outlet, gone := strings.CutPrefix(id, "-")
		seen = append(seen, keyservice.Sight{Outlet: outlet, Connected: !gone, At: at(when)})
	}
	known := false
	err := patiently(func() (err error) {
		known, err = s.Tell(t.Context(), p.ID, seen)
		return err
	})
	if err != nil || !known {
		t.Fatalf("the process is known: %v, %v", known, err)
	}
}

// sights is what the change table has of presence, oldest first, as "+a1 -a2":
// a connected at 1, disconnected at 2.
func sights(t *testing.T, s keyservice.Store) string {
	t.Helper()
	words := []string{}
	for _, c := range events(t, s, keyservice.EventQuery{Kinds: []keyservice.Kind{keyservice.KindConnected, keyservice.KindDisconnected}}) {
		sign := "+"
		if c.Kind == keyservice.KindDisconnected {
			sign = "-"
		}
		words = append([]string{fmt.Sprint(sign, c.Outlet, c.At.Unix()-epoch.Unix())}, words...)
	}
	return strings.Join(words, " ")
}

// seen is who is connected and when others were, as "a now, b 2, c never".
func seen(t *testing.T, s keyservice.Store) string {
	t.Helper()
	now := at(1000)
	var words []string
	for _, o := range must(s.Outlets(t.Context(), keyservice.OutletQuery{Now: now, Limit: 500}))(t) {
		switch {
		case o.Connected && o.SeenAt.Equal(now):
			words = append(words, o.ID+" now")
		case o.Connected:
			words = append(words, fmt.Sprint(o.ID, " connected, and seen at ", o.SeenAt))
		case o.SeenAt.IsZero():
			words = append(words, o.ID+" never")
		default:
			words = append(words, fmt.Sprint(o.ID, " ", o.SeenAt.Unix()-epoch.Unix()))
		}
	}
	return strings.Join(words, ", ")
}

func testPresence(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a", "b", "c")
	p := process(1)
	if known := must(s.Tell(t.Context(), p.ID, []keyservice.Sight{{Outlet: "a", Connected: true, At: at(1)}}))(t); known {
		t.Error("a process that has not begun is known")
	}
	equal(t, "before", seen(t, s), "a never, b never, c never")
	if !beat(t, s, p, term) {
		t.Error("a new process had a term")
	}
	if beat(t, s, p, term) {
		t.Error("the term has run out within a moment")
	}
	tell(t, s, p, 1, "a", "b")
	tell(t, s, p, 2, "a", "-c") // nothing new
	equal(t, "two are here", seen(t, s), "a now, b now, c 2")
	tell(t, s, p, 5, "-b")
	tell(t, s, p, 6, "-b", "a")
	equal(t, "one has gone", seen(t, s), "a now, b 6, c 2")
	tell(t, s, p, 7, "-a", "b")
	equal(t, "and come back", seen(t, s), "a 7, b now, c 2")
	equal(t, "what was told", sights(t, s), "+a1 +b1 -b5 -a7 +b7")
	counts := must(s.Counts(t.Context(), at(9)))(t)
	equal(t, "counts", counts, keyservice.Counts{All: 3, Connected: 1, None: 3})
}

// testPresenceOfTwo: an outlet that is connected to two processes comes once
// and goes once.
func testPresenceOfTwo(t *testing.T, data Data) {
	one, two := data(t), data(t)
	enrol(t, one, "a")
	p, q := process(1), process(2)
	beat(t, one, p, term)
	beat(t, two, q, term)
	tell(t, one, p, 1, "a")
	tell(t, two, q, 2, "a")
	tell(t, one, p, 3, "-a")
	equal(t, "still there", seen(t, one), "a now")
	tell(t, one, p, 4, "a")
	tell(t, two, q, 5, "-a")
	tell(t, one, p, 6, "-a")
	equal(t, "gone", seen(t, two), "a 6")
	equal(t, "what was told", sights(t, one), "+a1 -a6")
}

// testPresenceOfTheDead: whoever was connected to a process whose term has run
// out was so until its last beat, before anybody has cleaned up and afterwards.
func testPresenceOfTheDead(t *testing.T, data Data) {
	s, other := data(t), data(t)
	enrol(t, s, "a", "b", "c", "d")
	dying, living := process(10), process(20)
	beat(t, s, dying, term)
	beat(t, other, living, term)
	tell(t, s, dying, 1, "a", "b", "c")
	tell(t, other, living, 2, "b", "d")
	if n := reap(t, other, 9); n != 0 {
		t.Errorf("%d presences with processes that live were ended", n)
	}
	beat(t, s, dying, time.Millisecond)
	eventually(t, "the term runs out", func() bool { return seen(t, s) == "a 10, b now, c 10, d now" })
	equal(t, "counts", must(s.Counts(t.Context(), at(11)))(t).Connected, 2)
	yes := true
	if rows := must(s.Outlets(t.Context(), keyservice.OutletQuery{Connected: &yes, Limit: 9}))(t); len(rows) != 2 {
		t.Errorf("connected: %+v", rows)
	}
	equal(t, "ended in pages", []int{reap(t, other, 2), reap(t, other, 2), reap(t, other, 2)}, []int{2, 1, 0})
	equal(t, "afterwards", seen(t, s), "a 10, b now, c 10, d now")
	equal(t, "what was told", sights(t, s), "+a1 +b1 +c1 +d2 -a10 -c10")

	// The process was only slow: it has to begin anew, and tell again.
	if known := must(s.Tell(t.Context(), dying.ID, []keyservice.Sight{{Outlet: "a", Connected: true, At: at(12)}}))(t); known {
		t.Error("a process that was ended is known")
	}
	if !beat(t, s, dying, term) {
		t.Error("it had a term")
	}
	tell(t, s, dying, 13, "a")
	equal(t, "again", seen(t, s), "a now, b now, c 10, d now")

	// One that begins at the same place takes its stead at once.
	next := process(30)
	next.Place, next.Begins = living.Place, true
	beat(t, s, next, term)
	if n := reap(t, s, 9); n != 2 {
		t.Errorf("%d presences were ended", n)
	}
	equal(t, "replaced", seen(t, s), "a now, b 20, c 10, d 20")
	nowhere := process(40)
	nowhere.Place = ""
	beat(t, s, nowhere, term)
	tell(t, s, nowhere, 41, "c")
	nameless := process(50)
	nameless.Place, nameless.Begins = "", true
	beat(t, s, nameless, term)
	reap(t, s, 9)
	equal(t, "nobody is replaced who cannot be told", seen(t, s), "a now, b 20, c now, d 20")
}

// testPresenceRace: processes tell of the same outlets at once, among ordinary
// changes; the change table has them come and go in turns, and ends as things are.
func testPresenceRace(t *testing.T, data Data) {
	ids := []string{"a", "b", "c", "d", "e", "f"}
	handles := []keyservice.Store{data(t), data(t), data(t)}
	enrol(t, handles[0], ids...)
	var all sync.WaitGroup
	for i, s := range handles {
		p := process(i + 1)
		beat(t, s, p, term)
		all.Go(func() {
			for round := range 15 {
				tell(t, s, p, round, ids[round%3:]...)
				for _, id := range ids {
					do(t, s, id, func(b book) { b.negotiate(at(round)) })
				}
				tell(t, s, p, round, "-a", "-b", "-c", "-d", "-e", "-f")
				reap(t, s, 9)
			}
			if i == 0 {
				tell(t, s, p, 50, "a", "b", "c")
			}
		})
	}
	all.Wait()
	equal(t, "at the end", strings.ReplaceAll(seen(t, handles[1]), " 14", " gone"), "a now, b now, c now, d gone, e gone, f gone")
	turn := make(map[string]string)
	for _, word := range strings.Fields(sights(t, handles[2])) {
		if turn[word[1:2]] == word[:1] {
			t.Errorf("%s twice in a row", word[:2])
		}
		turn[word[1:2]] = word[:1]
	}
	equal(t, "as told", turn, map[string]string{"a": "+", "b": "+", "c": "+", "d": "-", "e": "-", "f": "-"})
}

// hold has an outlet negotiate a key and verify it.
func hold(t *testing.T, s keyservice.Store, id string, when int) {
	t.Helper()
	do(t, s, id, func(b book) { b.move(b.negotiate(at(when)), wire.StateActive, at(when), 0, "") })
}

func testFreshness(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "active", "expired", "never", "off", "pending", "retired", "revoked", "young")
	do(t, s, "boss", func(b book) { b.enrol("boss", wire.RoleOperator, epoch) })
	for _, id := range []string{"active", "boss", "expired", "off", "retired", "revoked"} {
		hold(t, s, id, 0) // ends at 3600, soon after 2700
	}
	do(t, s, "pending", func(b book) { b.negotiate(at(0)) })
	hold(t, s, "young", 1000)
	do(t, s, "expired", func(b book) { b.move(1, wire.StateExpired, at(1), 0, "") })
	do(t, s, "revoked", func(b book) { b.move(1, wire.StateRevoked, at(1), 0, "") })
	do(t, s, "retired", func(b book) { b.move(1, wire.StateRetired, at(1), 0, "") })
	do(t, s, "off", func(b book) { b.Outlet.Disabled, b.Writes.SetOutlet = true, true })
	for _, c := range []struct {
		now    int
		active keyservice.Freshness // of active
		counts keyservice.Counts
	}{
		{1, keyservice.FreshnessFresh, keyservice.Counts{All: 8, Disabled: 1, Fresh: 2, Stale: 3, None: 2, Pending: 1, Active: 4, Retired: 1}},
		{2700, keyservice.FreshnessFresh, keyservice.Counts{All: 8, Disabled: 1, Fresh: 2, Stale: 3, None: 2, Active: 4}},
		{2701, keyservice.FreshnessSoon, keyservice.Counts{All: 8, Disabled: 1, Fresh: 1, Soon: 1, Stale: 3, None: 2, Active: 4}},
		{3599, keyservice.FreshnessSoon, keyservice.Counts{All: 8, Disabled: 1, Fresh: 1, Soon: 1, Stale: 3, None: 2, Active: 4}},
		{3600, keyservice.FreshnessStale, keyservice.Counts{All: 8, Disabled: 1, Fresh: 1, Stale: 4, None: 2, Active: 1}},
		{4600, keyservice.FreshnessStale, keyservice.Counts{All: 8, Disabled: 1, Stale: 5, None: 2}},
	} {
		what := fmt.Sprint("at ", c.now)
		equal(t, "counts "+what, must(s.Counts(t.Context(), at(c.now)))(t), c.counts)
		got := make(map[string]keyservice.OutletRow)
		for _, o := range must(s.Outlets(t.Context(), keyservice.OutletQuery{Now: at(c.now), Limit: 99}))(t) {
			got[o.ID] = o
		}
		for id, want := range map[string]keyservice.Freshness{"active": c.active, "boss": c.active, "off": c.active,
			"expired": keyservice.FreshnessStale, "revoked": keyservice.FreshnessStale, "retired": keyservice.FreshnessStale,
			"never": keyservice.FreshnessNone, "pending": keyservice.FreshnessNone} {
			equal(t, id+" "+what, got[id].Freshness, want)
			if (got[id].Active != nil) != (want == keyservice.FreshnessFresh || want == keyservice.FreshnessSoon) {
				t.Errorf("%s %s: its key is %+v", id, what, got[id].Active)
			}
		}
		if c.active != keyservice.FreshnessStale {
			equal(t, "the key "+what, *got["active"].Active, keyservice.ActiveKey{Seckeyid: 1, FP: fpOf(1), Expires: at(3600), EndsAt: at(3600)})
		}
	}
}

func testOutletFilters(t *testing.T, data Data) {
	s := data(t)
	enrol(t, s, "a1", "a2", "b1", "b2", "c1")
	do(t, s, "op", func(b book) { b.enrol("op", wire.RoleOperator, epoch) })
	p := process(1)
	beat(t, s, p, term)
	tell(t, s, p, 1, "a1", "b1", "op")
	for i, id := range []string{"a1", "a2", "b1", "op"} {
		hold(t, s, id, 500*i) // end at 3600, 4100, 4600, 5100
	}
	do(t, s, "b2", func(b book) { b.Outlet.Disabled, b.Writes.SetOutlet = true, true })
	yes, no := true, false
	type q = keyservice.OutletQuery
	fresh := func(f ...keyservice.Freshness) []keyservice.Freshness { return f }
	for _, c := range []struct {
		name, want string
		q          keyservice.OutletQuery
	}{
		{"one", "b1", q{ID: "b1"}},
		{"one of another case", "", q{ID: "B1"}},
		{"no id", "", q{ID: "a b"}},
		{"connected", "a1 b1 op", q{Connected: &yes}},
		{"connected, after", "b1 op", q{Connected: &yes, After: "a1"}},
		{"connected, first", "a1", q{Connected: &yes, Limit: 1}},
		{"connected outlets", "a1 b1", q{Connected: &yes, Roles: []wire.Role{wire.RoleOutlet}}},
		{"not connected", "a2 b2 c1", q{Connected: &no}},
		{"disabled", "b2", q{Disabled: &yes}},
		{"enabled", "a1 a2 b1 c1 op", q{Disabled: &no}},
		{"fresh", "b1 op", q{Freshness: fresh(keyservice.FreshnessFresh)}},
		{"soon", "a2", q{Freshness: fresh(keyservice.FreshnessSoon)}},
		{"soon, after", "", q{Freshness: fresh(keyservice.FreshnessSoon), After: "a2"}},
		{"soon and connected", "", q{Freshness: fresh(keyservice.FreshnessSoon), Connected: &yes}},
		{"stale", "a1", q{Freshness: fresh(keyservice.FreshnessStale)}},
		{"none", "b2 c1", q{Freshness: fresh(keyservice.FreshnessNone)}},
		{"several", "a1 a2", q{Freshness: fresh(keyservice.FreshnessSoon, keyservice.FreshnessStale)}},
		{"no freshness at all", "", q{Freshness: []keyservice.Freshness{}}},
		{"all together", "b1", q{Contains: "1", Roles: []wire.Role{wire.RoleOutlet}, Disabled: &no, Connected: &yes,
			Freshness: fresh(keyservice.FreshnessFresh), After: "a2"}},
	} {
		c.q.Now = at(3700)
		if c.q.Limit == 0 {
			c.q.Limit = 99
		}
		var got []string
		for _, o := range must(s.Outlets(t.Context(), c.q))(t) {
			got = append(got, o.ID)
		}
		equal(t, c.name, strings.Join(got, " "), c.want)
	}
}

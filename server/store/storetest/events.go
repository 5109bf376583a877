package storetest

import (
	"slices"
	"testing"
	"time"

	"hufu/server/keyservice"
)

// testEventsOfKinds: the last lines of some kinds are the same whether their
// index finds them or a walk through all.
func testEventsOfKinds(t *testing.T, data Data) {
	s := data(t)
	kinds := []keyservice.Kind{keyservice.KindNegotiated, keyservice.KindVerified, keyservice.KindRefused, keyservice.KindOpened}
	do(t, s, "a", func(b book) {
		for i := range 300 {
			b.note(keyservice.ChangeRow{At: at(i), Kind: kinds[i*i%7%4], Outlet: []string{"a", "b"}[i%2]})
		}
	})
	whole := events(t, s, keyservice.EventQuery{})
	for _, of := range [][]keyservice.Kind{kinds[:1], kinds[2:], {kinds[3], kinds[0], kinds[3]}, kinds} {
		for _, limit := range []int{1, 7, 500} {
			for _, oldest := range []bool{false, true} {
				q := keyservice.EventQuery{Kinds: of, Limit: limit, Oldest: oldest, From: at(10), To: at(290), BeforeN: whole[5].N, AfterN: whole[280].N}
				var want []keyservice.ChangeRow
				for _, c := range whole {
					if slices.Contains(of, c.Kind) && c.N < q.BeforeN && c.N > q.AfterN && !c.At.Before(q.From) && c.At.Before(q.To) {
						want = append(want, c)
					}
				}
				if oldest {
					slices.Reverse(want)
				}
				equal(t, "events", events(t, s, q), want[:min(limit, len(want))])
			}
		}
	}
}

func testTally(t *testing.T, data Data) {
	s := data(t)
	hour := epoch.Truncate(time.Hour)
	note := func(b book, after time.Duration, kind keyservice.Kind) {
		b.note(keyservice.ChangeRow{At: hour.Add(after), Kind: kind, Outlet: "a"})
	}
	do(t, s, "a", func(b book) {
		note(b, -time.Millisecond, keyservice.KindOpened)
		note(b, 0, keyservice.KindOpened)
		note(b, time.Hour-time.Millisecond, keyservice.KindOpened)
		note(b, time.Minute, keyservice.KindRefused)
		note(b, time.Hour, keyservice.KindOpened)
		note(b, 90*time.Minute, keyservice.KindOpened)
	})
	tally := func(from, to time.Duration) []keyservice.TallyRow {
		return must(s.Tally(t.Context(), hour.Add(from), hour.Add(to)))(t)
	}
	equal(t, "tally", tally(0, 90*time.Minute), []keyservice.TallyRow{
		{Hour: hour, Kind: keyservice.KindOpened, Count: 2}, {Hour: hour, Kind: keyservice.KindRefused, Count: 1},
		{Hour: hour.Add(time.Hour), Kind: keyservice.KindOpened, Count: 1}})
	equal(t, "tally", tally(-time.Hour, time.Millisecond), []keyservice.TallyRow{
		{Hour: hour.Add(-time.Hour), Kind: keyservice.KindOpened, Count: 1}, {Hour: hour, Kind: keyservice.KindOpened, Count: 1}})
	if got := tally(3*time.Hour, 4*time.Hour); len(got) != 0 {
		t.Errorf("tally of an empty hour: %+v", got)
	}
}

func testWatermark(t *testing.T, data Data) {
	s := data(t)
	w := must(s.Watermark(t.Context()))(t)
	if w.N != 0 || len(w.Writers) != 0 {
		t.Errorf("of an empty store: %+v", w)
	}
	do(t, s, "a", func(b book) {
		for i := range 3 {
			b.note(keyservice.ChangeRow{At: at(i), Kind: keyservice.KindOpened, Outlet: "a"})
		}
	})
	w = must(s.Watermark(t.Context()))(t)
	if newest := events(t, s, keyservice.EventQuery{Limit: 1}); w.N != newest[0].N || len(w.Writers) != 0 {
		t.Errorf("%+v, the newest is %d", w, newest[0].N)
	}
}

package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// testKeysModel compares Keys with the definition of the filter, applied to
// the rows in memory.
func testKeysModel(t *testing.T, data Data) {
	s := data(t)
	ids := []string{"m1", "m2", "m3"}
	enrol(t, s, ids...)
	ends := make(map[string]time.Time) // of the living, by outlet and number
	seconds := rapid.IntRange(0, 500)
	fill := rapid.Custom(func(r *rapid.T) []int { return rapid.SliceOfN(seconds, 12, 12).Draw(r, "times") })
	for i := range 40 {
		id, times, shape := ids[i%3], fill.Example(i), i%7
		do(t, s, id, func(b book) {
			for _, k := range b.Living { // one active key at most
				b.move(k.Seckeyid, wire.StateExpired, at(times[4]), wire.ReasonRoutine, "")
				delete(ends, fmt.Sprint(id, k.Seckeyid))
			}
			n := b.negotiate(at(times[0]))
			ends[fmt.Sprint(id, n)] = at(times[0]).Add(pending)
			steps := [][]wire.State{{}, {2}, {2, 3}, {2, 3, 4}, {2, 5}, {4}, {5}}[shape]
			for j, to := range steps {
				b.move(n, to, at(times[1+j]), wire.Reason(j), "")
				ends[fmt.Sprint(id, n)] = b.Writes.Moves[len(b.Writes.Moves)-1].EndsAt
			}
		})
	}
	whole := keys(t, s, keyservice.KeyQuery{})
	rapid.Check(t, func(r *rapid.T) {
		q := keyservice.KeyQuery{Limit: rapid.IntRange(1, 50).Draw(r, "limit")}
		if rapid.Bool().Draw(r, "by outlet") {
			q.Outlet = rapid.SampledFrom(ids).Draw(r, "outlet")
			q.ByNumber = rapid.Bool().Draw(r, "by number")
		}
		if rapid.Bool().Draw(r, "has from") {
			q.From = at(seconds.Draw(r, "from"))
		}
		if rapid.Bool().Draw(r, "has to") {
			q.To = at(seconds.Draw(r, "to"))
		}
		if rapid.Bool().Draw(r, "has states") {
			q.States = rapid.SliceOfDistinct(rapid.Map(rapid.IntRange(1, 5),
				func(i int) wire.State { return wire.State(i) }), rapid.ID[wire.State]).Draw(r, "states")
			if q.States == nil {
				q.States = []wire.State{}
			}
		}
		q.BeforeN = rapid.Uint64Range(0, 50).Draw(r, "before n")
		q.BeforeKey = rapid.Uint64Range(0, 20).Draw(r, "before key")
		want := model(whole, ends, q)
		got, err := s.Keys(t.Context(), q)
		if err != nil {
			r.Fatal(err)
		}
		if !slices.Equal(got, want) {
			r.Fatalf("%+v:\ngot  %v\nwant %v", q, names(got), names(want))
		}
	})
}

func model(rows []keyservice.KeyRow, ends map[string]time.Time, q keyservice.KeyQuery) (selected []keyservice.KeyRow) {
	for _, k := range rows {
		start, end := k.Verified, k.Ended
		if end.IsZero() {
			end = ends[fmt.Sprint(k.Outlet, k.Seckeyid)]
		}
		if start.IsZero() {
			start, end = k.Negotiated, k.Negotiated
		}
		if moment := start.Add(time.Millisecond); end.Before(moment) {
			end = moment
		}
		switch {
		case q.Outlet != "" && k.Outlet != q.Outlet,
			q.BeforeN != 0 && k.N >= q.BeforeN,
			q.BeforeKey != 0 && k.Seckeyid >= q.BeforeKey,
			q.States != nil && !slices.Contains(q.States, k.State),
			!q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To),
			!q.From.IsZero() && !end.After(q.From),
			!q.To.IsZero() && !start.Before(q.To):
			continue
		}
		selected = append(selected, k)
	}
	slices.SortFunc(selected, func(a, b keyservice.KeyRow) int {
		if q.ByNumber {
			return int(b.Seckeyid) - int(a.Seckeyid)
		}
		return int(b.N) - int(a.N)
	})
	return selected[:min(len(selected), q.Limit)]
}

package integration

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"hufu/integration/fill"
	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/server/store/sqlite"
	"hufu/shared/wire"
)

// BenchmarkLists measures what the console, the commands and the metrics ask
// of a store with 100,000 outlets, most of them connected, and a million keys.
// Filling it takes minutes. Run:
//
//	go test -run '^$' -bench Lists -benchtime 20x -timeout 1h ./integration
func BenchmarkLists(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "hufu.db")
		must(b, sqlite.Migrate(b.Context(), path))
		s, err := sqlite.Open(b.Context(), path)
		must(b, err)
		defer s.Close()
		lists(b, s)
	})
	b.Run("postgres", func(b *testing.B) {
		cluster, err := pgtest.Start(b.Context(), pgtest.Set("synchronous_commit=off"))
		must(b, err)
		b.Cleanup(func() { must(b, cluster.Stop()) })
		must(b, postgres.Migrate(b.Context(), cluster.URL("postgres")))
		s, err := postgres.Open(b.Context(), cluster.URL("postgres"), postgres.Options{})
		must(b, err)
		defer s.Close()
		lists(b, s)
	})
}

func lists(b *testing.B, s keyservice.Store) {
	const page = 500
	outlets, keys := fill.Network()
	now := time.Now().UTC().Truncate(time.Millisecond)
	began := time.Now()
	must(b, fill.History(b.Context(), s, fill.Plan{Outlets: outlets, Keys: keys, Now: now}))
	b.Logf("filled within %s", time.Since(began).Round(time.Second))
	began = time.Now()
	connected(b, s, outlets, now)
	b.Logf("all but one in ten came within %s", time.Since(began).Round(time.Millisecond))
	yes, no := true, false
	middle := fill.ID(outlets / 2)
	for name, q := range map[string]keyservice.OutletQuery{
		"first page":    {},
		"middle page":   {After: middle},
		"one":           {ID: middle},
		"search":        {Contains: "99999"},
		"connected":     {Connected: &yes, After: middle},
		"not connected": {Connected: &no, After: middle},
		"fresh":         {Freshness: []keyservice.Freshness{keyservice.FreshnessFresh}, After: middle},
		"soon":          {Freshness: []keyservice.Freshness{keyservice.FreshnessSoon}},
		"stale":         {Freshness: []keyservice.Freshness{keyservice.FreshnessStale}},
		"none":          {Freshness: []keyservice.Freshness{keyservice.FreshnessNone}},
		"disabled":      {Disabled: &yes},
		"nobody":        {Roles: []wire.Role{wire.RoleAuditor}},
	} {
		b.Run(name, func(b *testing.B) {
			q.Now, q.Limit = now, page
			rows := 0
			for b.Loop() {
				list, err := s.Outlets(b.Context(), q)
				must(b, err)
				rows = len(list)
			}
			b.ReportMetric(float64(rows), "rows")
		})
	}
	b.Run("counts", func(b *testing.B) {
		for b.Loop() {
			c, err := s.Counts(b.Context(), now)
			must(b, err)
			if c.All != outlets {
				b.Fatalf("%+v", c)
			}
		}
	})
	b.Run("unreceipted", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Keys(b.Context(), keyservice.KeyQuery{Unreceipted: true, Limit: page})
			must(b, err)
		}
	})
}

// connected has nine of ten outlets connected to a process.
func connected(b *testing.B, s keyservice.Store, outlets int, now time.Time) {
	ctx := context.WithoutCancel(b.Context())
	p := keyservice.Process{ID: fmt.Sprintf("%016x", 1), At: now}
	_, err := s.Beat(ctx, p, time.Hour)
	must(b, err)
	var seen []keyservice.Sight
	for i := range outlets {
		if i%10 != 3 {
			seen = append(seen, keyservice.Sight{Outlet: fill.ID(i), Connected: true, At: now})
		}
		if len(seen) == 512 || i == outlets-1 {
			_, err := s.Tell(ctx, p.ID, seen)
			must(b, err)
			seen = seen[:0]
		}
	}
}

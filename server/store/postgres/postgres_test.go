package postgres_test

import (
	"os"
	"testing"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/server/store/storetest"
)

// A position in the change table moves up to the oldest transaction of the
// cluster: there are none but the tests' own.
func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, postgres.Migrate, pgtest.Set("autovacuum=off"))) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Data {
		url := pgtest.Database(t)
		return func(t *testing.T) keyservice.Store { return open(t, url) }
	})
}

func open(t *testing.T, url string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// BenchmarkApply runs over a cluster of its own, whose commits are durable.
func BenchmarkApply(b *testing.B) {
	c, err := pgtest.Start(b.Context(), pgtest.FSync())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Stop()
	if err := postgres.Migrate(b.Context(), c.URL("postgres")); err != nil {
		b.Fatal(err)
	}
	s, err := postgres.Open(b.Context(), c.URL("postgres"), postgres.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	storetest.Bench(b, s)
}

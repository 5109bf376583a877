package sqlite_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"hufu/server/keyservice"
	"hufu/server/store/sqlite"
	"hufu/server/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Data {
		path := migrated(t)
		return func(t *testing.T) keyservice.Store { return open(t, path) }
	})
}

// migrated makes an empty store.
func migrated(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hufu.db")
	if err := sqlite.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
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

func BenchmarkApply(b *testing.B) {
	path := filepath.Join(b.TempDir(), "hufu.db")
	if err := sqlite.Migrate(b.Context(), path); err != nil {
		b.Fatal(err)
	}
	s, err := sqlite.Open(b.Context(), path)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	storetest.Bench(b, s)
}

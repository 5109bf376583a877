package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/server/store/sqlite"
	"hufu/shared/wire"
)

// raw opens the file as any other program would.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_foreign_keys=on&_busy_timeout=5000&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func enrol(id string) *keyservice.Change {
	return &keyservice.Change{Outlet: id, Decide: func(l *keyservice.Ledger) error {
		l.Writes.NewOutlet = &keyservice.Outlet{ID: id, Role: wire.RoleOutlet, EnrolledAt: time.UnixMilli(1)}
		return nil
	}}
}

func TestMigrate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "a?b#c%20.db") // a path is not an address
	if _, err := sqlite.Open(t.Context(), path); !errors.Is(err, sqlite.ErrSchemaOld) {
		t.Fatalf("Open of no file: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("Open has made the folder: %v", err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := sqlite.Migrate(t.Context(), path); err != nil {
				t.Errorf("Migrate: %v", err)
			}
		})
	}
	all.Wait()
	s := open(t, path)
	if err := s.Probe(t.Context(), time.UnixMilli(1)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{dir: 0o700, path: 0o600, path + "-wal": 0o600, path + "-shm": 0o600} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
}

func TestOtherSchema(t *testing.T) {
	path := migrated(t)
	db := raw(t, path)
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, 1)`); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path); !errors.Is(err, sqlite.ErrSchemaNew) {
		t.Errorf("Open of a newer schema: %v", err)
	}
	if err := sqlite.Migrate(t.Context(), path); !errors.Is(err, sqlite.ErrSchemaNew) {
		t.Errorf("Migrate of a newer schema: %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.db")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), empty); !errors.Is(err, sqlite.ErrSchemaOld) {
		t.Errorf("Open of an empty file: %v", err)
	}
	if err := os.WriteFile(empty, []byte("this is not a database, but it is long enough to look at"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), empty); err == nil {
		t.Error("a text was opened as a store")
	}
}

// TestBusy: another process holds the write lock.
func TestBusy(t *testing.T) {
	path := migrated(t)
	s := open(t, path)
	tx, err := raw(t, path).Begin()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = s.Apply(ctx, []*keyservice.Change{enrol("a")})
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, keyservice.ErrBusy) {
		t.Errorf("a caller who gives up: %v", err)
	}
	if _, err := s.Outlets(t.Context(), keyservice.OutletQuery{Limit: 1}); err != nil {
		t.Errorf("a reader beside a writer: %v", err)
	}
	if !testing.Short() {
		if err := s.Probe(t.Context(), time.UnixMilli(1)); !errors.Is(err, keyservice.ErrBusy) {
			t.Errorf("a lock held for too long: %v", err)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), []*keyservice.Change{enrol("a")}); err != nil {
		t.Errorf("after the lock was given up: %v", err)
	}
}

// TestFull: the disk is full, here by a bound on the file's pages.
func TestFull(t *testing.T) {
	path := migrated(t)
	s := open(t, path)
	if err := s.Apply(t.Context(), []*keyservice.Change{enrol("a")}); err != nil {
		t.Fatal(err)
	}
	sqlite.LimitPages(t, s, 1)
	fill := &keyservice.Change{Outlet: "a", Decide: func(l *keyservice.Ledger) error {
		for i := range 300 {
			l.Writes.NewSecrets = append(l.Writes.NewSecrets,
				keyservice.Secret{Epoch: uint32(i + 1), Sealed: make([]byte, 1000), CreatedAt: time.UnixMilli(1)})
		}
		return nil
	}}
	err := s.Apply(t.Context(), []*keyservice.Change{enrol("b"), fill})
	if !errors.Is(err, keyservice.ErrBusy) || errors.Is(err, keyservice.ErrInDoubt) {
		t.Errorf("Apply on a full disk: %v", err)
	}
	if _, _, err := s.Outlet(t.Context(), "b"); !errors.Is(err, keyservice.ErrNoOutlet) {
		t.Errorf("a part of the batch was written: %v", err)
	}
	sqlite.LimitPages(t, s, 1<<30)
	if err := s.Apply(t.Context(), []*keyservice.Change{fill}); err != nil || fill.Err != nil {
		t.Errorf("with room again: %v, %v", err, fill.Err)
	}
}

// TestPanic: a decision that panics leaves the store in order.
func TestPanic(t *testing.T) {
	s := open(t, migrated(t))
	func() {
		defer func() { _ = recover() }()
		bad := &keyservice.Change{Outlet: "b", Decide: func(*keyservice.Ledger) error { panic("a fault") }}
		_ = s.Apply(t.Context(), []*keyservice.Change{enrol("a"), bad})
	}()
	if _, _, err := s.Outlet(t.Context(), "a"); !errors.Is(err, keyservice.ErrNoOutlet) {
		t.Errorf("a part of the batch was written: %v", err)
	}
	if err := s.Apply(t.Context(), []*keyservice.Change{enrol("a")}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Package sqlite is the embedded store: one file, for an installation without
// a database server. See keyservice.Store for the contract.
//
// One connection writes, under SQLite's own write lock, so that the commands
// of an administrator may work on the file beside the server; the readers
// have connections of their own that cannot write.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver

	"hufu/server/keyservice"
	"hufu/server/store/schema"
)

const (
	busyTimeout = "5000" // ms for which a writer waits for another process
	readers     = 4
)

// Store is a keyservice.Store in one file.
type Store struct {
	readers *sql.DB
	db      *sql.DB // holds the writer's only connection
	w       *writer
}

var _ keyservice.Store = (*Store)(nil)

// Open opens the file at path, which Migrate has made. A schema that is not
// the program's is refused with an error that wraps ErrSchemaOld or
// ErrSchemaNew; a file that is not there counts as old.
func Open(ctx context.Context, path string) (_ *Store, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sqlite: no file %s: %w", path, schema.ErrOld)
	}
	s := &Store{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.db, err = openDB(path, writing); err != nil {
		return nil, err
	}
	v, err := version(ctx, s.db)
	if err != nil {
		return nil, err
	}
	if err := schema.Check(v, migrations); err != nil {
		return nil, err
	}
	if s.w, err = newWriter(ctx, s.db); err != nil {
		return nil, err
	}
	if s.readers, err = openDB(path, reading); err != nil {
		return nil, err
	}
	return s, nil
}

// Close waits for the writer to finish.
func (s *Store) Close() error {
	var errs []error
	if s.w != nil {
		errs = append(errs, s.w.close())
	}
	for _, db := range []*sql.DB{s.readers, s.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

type mode int

const (
	writing mode = iota
	reading
)

func openDB(path string, m mode) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	q := url.Values{
		"mode":          {"rw"}, // never creates the file
		"_busy_timeout": {busyTimeout},
		"_foreign_keys": {"on"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"}, // what was acknowledged survives a loss of power
		"_txlock":       {"immediate"},
		"_dqs":          {"false"},
		"_defensive":    {"true"},
		"_pragma":       {"journal_size_limit(67108864)"},
	}
	conns := 1
	if m == reading {
		q.Set("_query_only", "on")
		q.Set("_txlock", "deferred")
		conns = readers
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("sqlite: %w", err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"

	"hufu/server/store/schema"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migrations are append-only: a file that was released is never changed.
var migrations = func() fs.FS {
	sub, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}()

// ErrSchemaOld and ErrSchemaNew say why Open and Migrate refuse a file.
var (
	ErrSchemaOld = schema.ErrOld
	ErrSchemaNew = schema.ErrNew
)

// Migrate brings the file at path to the program's schema. It makes the file
// (0600) and its folder (0700) if they are not there. Several processes may
// call it at once.
func Migrate(ctx context.Context, path string) (err error) {
	if err := create(path); err != nil {
		return fmt.Errorf("sqlite: %w", err)
	}
	db, err := openDB(path, writing)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for {
		before, err := version(ctx, db)
		if err != nil {
			return err
		}
		if err := schema.Check(before, migrations); err == nil || errors.Is(err, schema.ErrNew) {
			return err
		}
		p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations,
			goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
		if err != nil {
			return fmt.Errorf("sqlite: %w", err)
		}
		if _, err = p.Up(ctx); err == nil {
			return nil
		}
		// Each migration is one transaction under the write lock. Whoever
		// finds, once it has the lock, that another was faster fails and has
		// changed nothing; it is not an error if the schema has moved on.
		if after, verr := version(ctx, db); verr != nil || after <= before {
			return fmt.Errorf("sqlite: migrate: %w", err)
		}
	}
}

// version returns the number of the last migration, 0 for an empty file.
func version(ctx context.Context, db *sql.DB) (int64, error) {
	var there bool
	err := db.QueryRowContext(ctx,
		`SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'goose_db_version')`).Scan(&there)
	if err != nil || !there {
		return 0, failure("read the schema", err)
	}
	var v int64
	err = db.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&v)
	return v, failure("read the schema", err)
}

// create makes an empty file that only its owner can read. SQLite gives its
// journals the same mode.
func create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

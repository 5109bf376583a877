package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
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

// ErrSchemaOld and ErrSchemaNew say why Open and Migrate refuse a database.
var (
	ErrSchemaOld = schema.ErrOld
	ErrSchemaNew = schema.ErrNew
)

// migrateLock is the advisory lock that one migrating process holds: "hufu".
const migrateLock = 0x68756675

// Migrate brings the database to the program's schema. Several processes may
// call it at once: one works, the others wait.
func Migrate(ctx context.Context, url string) (err error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	lock, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return failure("migrate", err)
	}
	// The lock ends with the session.
	defer func() { err = errors.Join(err, lock.Close(context.WithoutCancel(ctx))) }()
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(migrateLock)); err != nil {
		return failure("migrate", err)
	}
	have, err := version(ctx, lock)
	if err != nil {
		return err
	}
	if err := schema.Check(have, migrations); errors.Is(err, schema.ErrNew) {
		return err
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return failure("migrate", err)
	}
	// Rows that were restored from another cluster's backup carry that one's
	// transactions, which mean nothing here: they are older than all of ours.
	_, err = lock.Exec(ctx, `UPDATE change SET txn = '0'
		WHERE txn >= pg_snapshot_xmax(pg_current_snapshot())`)
	return failure("migrate", err)
}

// querier is a connection, a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// version returns the number of the last migration, 0 for an empty database.
func version(ctx context.Context, db querier) (v int64, err error) {
	err = db.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&v)
	if sqlState(err) == pgerrcode.UndefinedTable {
		return 0, nil
	}
	return v, failure("read the schema", err)
}

package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"hufu/server/keyservice"
)

// Outlet implements keyservice.Store. Both reads are of one snapshot.
func (s *Store) Outlet(ctx context.Context, id string) (o keyservice.Outlet, secrets []keyservice.Secret, err error) {
	tx, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return o, nil, failure("outlet", err)
	}
	defer tx.Rollback()
	found := false
	rows, err := tx.QueryContext(ctx, selectOutlet+` WHERE id = ?`, id)
	err = each(rows, err, func(scan func(...any) error) (err error) {
		found = true
		o, err = scanOutlet(scan)
		return err
	})
	if err != nil {
		return o, nil, failure("outlet", err)
	}
	if !found {
		return o, nil, keyservice.ErrNoOutlet
	}
	rows, err = tx.QueryContext(ctx, selectSecrets, id)
	err = each(rows, err, func(scan func(...any) error) error {
		x, err := scanSecret(scan)
		secrets = append(secrets, x)
		return err
	})
	return o, secrets, failure("outlet", err)
}

// Due implements keyservice.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list(ctx, s.readers, "due", scanOne[string],
		`SELECT DISTINCT outlet FROM sealed_key WHERE ends_at <= ? ORDER BY outlet LIMIT ?`, now.UnixMilli(), limit)
}

// Unused implements keyservice.Store.
func (s *Store) Unused(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return list(ctx, s.readers, "unused", scanOne[string],
		`SELECT DISTINCT outlet FROM sealed_secret WHERE first_used_at IS NULL AND created_at < ?
		ORDER BY outlet LIMIT ?`, before.UnixMilli(), limit)
}

// list collects the rows of a query.
func list[T any](ctx context.Context, db *sql.DB, doing string, read func(scan func(...any) error) (T, error),
	query string, args ...any) (all []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	err = each(rows, err, func(scan func(...any) error) error {
		v, err := read(scan)
		all = append(all, v)
		return err
	})
	if err != nil {
		return nil, failure(doing, err)
	}
	return all, nil
}

func scanOne[T any](scan func(...any) error) (v T, err error) {
	err = scan(&v)
	return v, err
}

// where gathers the conditions of a query and their arguments.
type where struct {
	conds []string
	args  []any
}

func (w *where) and(cond string, args ...any) {
	w.conds = append(w.conds, cond)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return fmt.Sprintf(" WHERE %s", strings.Join(w.conds, " AND "))
}

// marks is the inside of an IN list of n values; an empty one selects nothing.
func marks(n int) string {
	return strings.TrimSuffix(strings.Repeat("?,", n), ",")
}

func anys[T any](values []T) []any {
	all := make([]any, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

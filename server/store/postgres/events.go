package postgres

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// Events implements keyservice.Store. Some kinds of all outlets are the last
// ones of each by their index, not what a walk through the table comes upon.
func (s *Store) Events(ctx context.Context, q keyservice.EventQuery) ([]keyservice.ChangeRow, error) {
	if q.Outlet != "" && !wire.ValidID(q.Outlet) {
		return nil, nil
	}
	w := &where{}
	if q.Outlet != "" {
		w.and(`outlet = %s`, q.Outlet)
	}
	if q.BeforeN != 0 {
		w.and(`n < %s`, num(q.BeforeN))
	}
	if q.AfterN != 0 {
		w.and(`n > %s`, num(q.AfterN))
	}
	if !q.From.IsZero() {
		w.and(`at >= %s`, q.From)
	}
	if !q.To.IsZero() {
		w.and(`at < %s`, q.To)
	}
	kinds := convert(slices.Compact(slices.Sorted(slices.Values(q.Kinds))), func(k keyservice.Kind) string { return string(k) })
	way := ` DESC`
	if q.Oldest {
		way = ``
	}
	limit := ` LIMIT ` + w.arg(q.Limit)
	from := `change`
	switch {
	case q.Kinds != nil && q.Outlet != "":
		w.and(`kind = ANY (%s::text[])`, kinds)
	case q.Kinds != nil:
		// As a range of both columns: told that the kind is one, PostgreSQL goes
		// by n alone, and far for a kind that is rare.
		before := int64(math.MaxInt64)
		if q.BeforeN != 0 {
			before = num(q.BeforeN)
		}
		w.and(`(kind, n) > (of.name, %s)`, num(q.AfterN))
		w.and(`(kind, n) < (of.name, %s)`, before)
		from = `unnest(` + w.arg(kinds) + `::text[]) of (name) CROSS JOIN LATERAL (SELECT * FROM change` + w.String() +
			` ORDER BY kind` + way + `, n` + way + limit + `) c`
		w.conds = nil
	}
	return list(ctx, s.pool, "events", func(row pgx.Row) (keyservice.ChangeRow, error) { return scanChange(row) },
		`SELECT n, at, kind, outlet, seckeyid, state, reason, actor, note FROM `+from+w.String()+` ORDER BY n`+way+limit, w.args...)
}

// Tally implements keyservice.AdminStore.
func (s *Store) Tally(ctx context.Context, from, to time.Time) ([]keyservice.TallyRow, error) {
	return list(ctx, s.pool, "tally", func(row pgx.Row) (r keyservice.TallyRow, err error) {
		err = row.Scan(&r.Hour, &r.Kind, &r.Count)
		r.Hour = r.Hour.UTC()
		return r, err
	}, `SELECT date_trunc('hour', at, 'UTC') AS hour, kind, count(*) FROM change
		WHERE at >= $1 AND at < $2 GROUP BY 1, 2 ORDER BY 1, 2`, from, to)
}

// Watermark implements keyservice.AdminStore. A transaction that has taken a
// number holds its lock on the table until it has ended, and is visible before
// the lock is given back. The locks are read after the statement's snapshot was
// taken, so that whoever took a number before N and is not in it is among them.
func (s *Store) Watermark(ctx context.Context) (w keyservice.Watermark, err error) {
	err = s.pool.QueryRow(ctx, `SELECT coalesce((SELECT max(n) FROM change), 0), ARRAY(
			SELECT virtualtransaction FROM pg_locks
			WHERE locktype = 'relation' AND relation = 'change'::regclass AND mode = 'RowExclusiveLock'
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&w.N, &w.Writers)
	return w, failure("watermark", err)
}

package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"hufu/server/keyservice"
)

// usable: active or retired, and of an outlet. It stands behind a row of
// sealed_key called l.
const usable = `l.state IN (2, 3) AND EXISTS (SELECT FROM outlet o WHERE o.id = l.outlet AND o.role = 1)`

// selectUsable looks every key up in the history by itself: LATERAL with LIMIT
// cannot become a join, for which a planner may walk all keys of an outlet.
const selectUsable = `SELECT l.outlet, l.seckeyid, l.state, k.negotiated_at, k.expires_at, l.ends_at, k.fp, l.sealed
	FROM sealed_key l CROSS JOIN LATERAL (SELECT negotiated_at, expires_at, fp FROM seckey
		WHERE outlet = l.outlet AND seckeyid = l.seckeyid LIMIT 1) k`

// Usable implements keyservice.Store.
func (s *Store) Usable(ctx context.Context, q keyservice.UsableQuery) (rows []keyservice.UsableRow, err error) {
	w := &where{}
	if q.Outlets != nil {
		w.and(`l.outlet = ANY (%s::text[])`, q.Outlets)
	}
	if q.After != (keyservice.KeyRef{}) {
		w.and(`(l.outlet, l.seckeyid) > (%s, %s::bigint)`, q.After.Outlet, num(q.After.Seckeyid))
	}
	w.and(usable)
	const order = ` ORDER BY l.outlet, l.seckeyid`
	if q.Limit == 0 {
		return list(ctx, s.pool, "usable keys", scanUsable, selectUsable+w.String()+order, w.args...)
	}
	// A page is the next rows of an index. A planner that knows little of the
	// tables' sizes would rather sort all the rest, for every page.
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
			set_config('max_parallel_workers_per_gather', '0', true)`); err != nil {
			return err
		}
		rows, err = list(ctx, tx, "usable keys", scanUsable, selectUsable+w.String()+order+` LIMIT `+w.arg(q.Limit), w.args...)
		return err
	})
	return rows, failure("usable keys", err)
}

func scanUsable(row pgx.Row) (r keyservice.UsableRow, err error) {
	r.LivingKey, err = scanLiving(row, &r.Outlet)
	return r, err
}

// CountUsable implements keyservice.Store.
func (s *Store) CountUsable(ctx context.Context) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM sealed_key l WHERE `+usable).Scan(&n)
	return n, failure("count usable keys", err)
}

// RevokedOf implements keyservice.Store.
func (s *Store) RevokedOf(ctx context.Context, keys []keyservice.KeyRef) ([]keyservice.KeyRef, error) {
	outlets := convert(keys, func(k keyservice.KeyRef) string { return k.Outlet })
	numbers := convert(keys, func(k keyservice.KeyRef) int64 { return num(k.Seckeyid) })
	return list(ctx, s.pool, "revoked keys", func(row pgx.Row) (k keyservice.KeyRef, err error) {
		err = row.Scan(&k.Outlet, &k.Seckeyid)
		return k, err
	}, `SELECT s.outlet, s.seckeyid FROM unnest($1::text[], $2::bigint[]) q (outlet, seckeyid)
		JOIN key_state s ON s.outlet = q.outlet AND s.seckeyid = q.seckeyid AND s.state = 5`, outlets, numbers)
}

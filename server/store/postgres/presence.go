package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hufu/server/keyservice"
)

// presenceLock is the advisory lock under which presence is written: what
// begins and ends over all processes is decided by one after the other.
const presenceLock = 0x68756675 + 1

// oneByOne runs do in a transaction under presenceLock. Each statement of it
// sees what those committed who held the lock before.
func (s *Store) oneByOne(ctx context.Context, doing string, do func(conn *pgx.Conn) error) error {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return failure(doing, err)
	}
	defer pooled.Release()
	conn := pooled.Conn()
	defer s.rollback(ctx, conn)
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	b.Queue("SELECT pg_advisory_xact_lock($1)", int64(presenceLock))
	if err := conn.SendBatch(ctx, b).Close(); err != nil {
		return failure(doing, err)
	}
	if err := do(conn); err != nil {
		return failure(doing, err)
	}
	_, err = conn.Exec(ctx, "COMMIT")
	return failure(doing, err)
}

// Beat implements keyservice.Store. clock_timestamp is later than whatever a
// holder of the lock before has gone by.
func (s *Store) Beat(ctx context.Context, p keyservice.Process, term time.Duration) (lapsed bool, err error) {
	err = s.oneByOne(ctx, "beat", func(conn *pgx.Conn) error {
		if p.Begins && p.Place != "" {
			if _, err := conn.Exec(ctx, `UPDATE process SET until = '-infinity' WHERE place = $1 AND id <> $2`, p.Place, p.ID); err != nil {
				return err
			}
		}
		return conn.QueryRow(ctx, `WITH before AS (SELECT until FROM process WHERE id = $1),
			beat AS (INSERT INTO process (id, place, beat_at, until)
				VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
				ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at, until = excluded.until)
			SELECT NOT EXISTS (SELECT FROM before WHERE until > clock_timestamp())`,
			p.ID, p.Place, p.At, term).Scan(&lapsed)
	})
	return lapsed, err
}

// Tell implements keyservice.Store.
func (s *Store) Tell(ctx context.Context, process string, seen []keyservice.Sight) (known bool, err error) {
	var here, gone []string
	for _, x := range seen {
		if x.Connected {
			here = append(here, x.Outlet)
		} else {
			gone = append(gone, x.Outlet)
		}
	}
	err = s.oneByOne(ctx, "tell", func(conn *pgx.Conn) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO presence (outlet, process) SELECT id, $2 FROM unnest($1::text[]) w (id)
			ON CONFLICT (outlet, process) DO NOTHING`, here, process)
		b.Queue(`DELETE FROM presence WHERE process = $2 AND outlet = ANY ($1::text[])`, gone, process)
		queueContacts(b, seen)
		return conn.SendBatch(ctx, b).Close()
	})
	var e *pgconn.PgError
	if errors.As(err, &e) && e.Code == pgerrcode.ForeignKeyViolation && e.ConstraintName == "presence_process_fkey" {
		return false, nil
	}
	return err == nil, err
}

// queueContacts brings contact, and with it the change table, to what presence
// says of the outlets.
func queueContacts(b *pgx.Batch, seen []keyservice.Sight) {
	b.Queue(`WITH w AS (SELECT * FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY w (outlet, at, place)),
		n AS MATERIALIZED (SELECT w.*, EXISTS (SELECT FROM presence p WHERE p.outlet = w.outlet) AS here,
			coalesce((SELECT c.connected FROM contact c WHERE c.outlet = w.outlet), false) AS was FROM w),
		kept AS (INSERT INTO contact (outlet, connected, seen_at) SELECT outlet, here, at FROM n WHERE here <> was OR NOT here
			ON CONFLICT (outlet) DO UPDATE SET connected = excluded.connected, seen_at = greatest(contact.seen_at, excluded.seen_at))
		INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note)
		SELECT at, CASE WHEN here THEN 'connected' ELSE 'disconnected' END, outlet, 0, 0, 0, '', ''
		FROM n WHERE here <> was ORDER BY place`,
		convert(seen, func(x keyservice.Sight) string { return x.Outlet }),
		convert(seen, func(x keyservice.Sight) time.Time { return x.At }))
	b.Queue(`SELECT pg_notify($1, '')`, changed)
}

// Reap implements keyservice.Store.
func (s *Store) Reap(ctx context.Context, limit int) (n int, err error) {
	err = s.oneByOne(ctx, "reap", func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `WITH gone AS (DELETE FROM presence WHERE (outlet, process) IN (
				SELECT p.outlet, p.process FROM process s JOIN presence p ON p.process = s.id WHERE s.until <= now() LIMIT $1)
				RETURNING outlet, process)
			SELECT g.outlet, max(s.beat_at) AS at, count(*) FROM gone g JOIN process s ON s.id = g.process GROUP BY g.outlet ORDER BY at, g.outlet`, limit)
		if err != nil {
			return err
		}
		n = 0
		seen, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x keyservice.Sight, err error) {
			var presences int
			err = row.Scan(&x.Outlet, &x.At, &presences)
			n += presences
			return x, err
		})
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		if len(seen) > 0 {
			queueContacts(b, seen)
		}
		b.Queue(`DELETE FROM process s WHERE s.until <= now() AND NOT EXISTS (SELECT FROM presence p WHERE p.process = s.id)`)
		return conn.SendBatch(ctx, b).Close()
	})
	return n, err
}

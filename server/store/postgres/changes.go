package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/server/keyservice"
)

// ahead is the least number of changes beyond the horizon that are listed.
const ahead = 1024

// Changes implements keyservice.Store.
//
// Numbers are not in the order of commits: a transaction may take its number
// first and commit last. So a position is (transaction, number), and it moves
// only over rows whose transaction is below the horizon, which is the oldest
// one still open: nothing can appear there any more. Rows beyond the horizon
// are listed as well, again and again until it passes them; the newest ones of
// them if there are many, so that an old transaction, even of another database
// of the cluster, delays nothing. With them the list may be longer than limit.
func (s *Store) Changes(ctx context.Context, after keyservice.Position, limit int) (
	[]keyservice.ChangeRow, keyservice.Position, error) {
	safe := after
	var beyond []keyservice.ChangeRow
	rows, err := s.pool.Query(ctx, `(
			SELECT n, at, kind, outlet, seckeyid, state, reason, actor, note, txn, true AS safe FROM change
			WHERE (txn, n) > ($1::xid8, $2::bigint) AND txn < pg_snapshot_xmin(pg_current_snapshot())
			ORDER BY txn, n LIMIT $3::bigint
		) UNION ALL (
			SELECT n, at, kind, outlet, seckeyid, state, reason, actor, note, txn, false FROM change
			WHERE (txn, n) > ($1::xid8, $2::bigint) AND txn >= pg_snapshot_xmin(pg_current_snapshot())
				AND txn < pg_snapshot_xmax(pg_current_snapshot())
			ORDER BY txn DESC, n DESC LIMIT $4::bigint
		)`, after.Txn, num(after.N), limit, max(limit, ahead))
	if err != nil {
		return nil, after, failure("changes", err)
	}
	defer rows.Close()
	var all []keyservice.ChangeRow
	for rows.Next() {
		var p keyservice.Position
		var isSafe bool
		c, err := scanChange(rows, &p.Txn, &isSafe)
		if err != nil {
			return nil, after, failure("changes", err)
		}
		if p.N = c.N; isSafe {
			all, safe = append(all, c), p
		} else {
			beyond = append(beyond, c)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, after, failure("changes", err)
	}
	if len(all) < limit { // else the rest of the safe ones comes first
		slices.Reverse(beyond)
		all = append(all, beyond...)
	}
	return all, safe, nil
}

// Head implements keyservice.Store: whatever is not visible now belongs to the
// oldest open transaction or a later one.
func (s *Store) Head(ctx context.Context) (p keyservice.Position, err error) {
	err = s.pool.QueryRow(ctx, `SELECT pg_snapshot_xmin(pg_current_snapshot())`).Scan(&p.Txn)
	return p, failure("head", err)
}

// changed is the channel that is notified in every transaction that adds
// changes, without a payload: what there is to know stands in the table.
const changed = "hufu_change"

// A connection on which nothing has come for so long is asked whether it lives.
const (
	listenQuiet = 30 * time.Second
	listenPing  = 5 * time.Second
)

// Watch implements keyservice.Store, over a connection of its own besides the
// pool's. A connection pooler that shares sessions between clients lets no
// notification through.
func (s *Store) Watch(ctx context.Context, wake func()) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return failure("watch", err)
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenPing)
		defer cancel()
		_ = conn.Close(closing) // it was only read from
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+changed); err != nil {
		return failure("watch", err)
	}
	wake()
	for {
		come, err := wait(ctx, conn)
		if err != nil {
			return failure("watch", err)
		}
		if come {
			wake()
		}
	}
}

// wait waits for a notification. Where none has come for long it asks the
// other end for a sign of life.
func wait(ctx context.Context, conn *pgx.Conn) (come bool, err error) {
	quiet, cancel := context.WithTimeout(ctx, listenQuiet)
	defer cancel()
	_, err = conn.WaitForNotification(quiet)
	if err == nil || ctx.Err() != nil || quiet.Err() == nil {
		return err == nil, err
	}
	ping, cancel := context.WithTimeout(ctx, listenPing)
	defer cancel()
	return false, conn.Ping(ping)
}

func scanChange(row pgx.Row, more ...any) (c keyservice.ChangeRow, err error) {
	err = row.Scan(append([]any{&c.N, &c.At, &c.Kind, &c.Outlet, &c.Seckeyid, &c.State, &c.Reason, &c.By, &c.Note},
		more...)...)
	c.At = c.At.UTC()
	return c, err
}

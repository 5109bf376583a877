package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// selectKeys reads the history with two look-ups by primary key a row. An
// aggregate in LATERAL and a subquery in the list cannot become joins of whole
// tables, whatever the planner believes about their sizes.
const selectKeys = `SELECT k.n, k.outlet, k.seckeyid, s.state, k.negotiated_at, s.verified, s.retired, k.expires_at, s.ended,
		s.reason, s.actor,
		(SELECT r.at FROM receipt r WHERE r.outlet = k.outlet AND r.seckeyid = k.seckeyid AND r.state = s.state), k.fp
	FROM %s k
	CROSS JOIN LATERAL (
		SELECT max(state) AS state,
			max(at) FILTER (WHERE state = 2) AS verified,
			max(at) FILTER (WHERE state = 3) AS retired,
			max(at) FILTER (WHERE state > 3) AS ended,
			(array_agg(reason ORDER BY state DESC))[1] AS reason,
			(array_agg(actor::text ORDER BY state DESC))[1] AS actor
		FROM key_state WHERE outlet = k.outlet AND seckeyid = k.seckeyid) s`

// A life starts when the key was verified, or negotiated if it never was; it
// ends, exclusively, when the key did or will, but lasts for one millisecond
// at least: a key that was verified and revoked in the same one is not hidden
// from whoever asks for it.
const (
	lifeStart = `coalesce(s.verified, k.negotiated_at)`
	lifeEnd   = `greatest(` + lifeStart + ` + interval '1 ms', CASE WHEN s.verified IS NOT NULL THEN coalesce(s.ended,
		(SELECT l.ends_at FROM sealed_key l WHERE l.outlet = k.outlet AND l.seckeyid = k.seckeyid)) END)`
)

// Bounds within which negotiated_at lies if the life meets the query's time:
// no key lives for longer than the schema allows, and a day is more than two
// servers' clocks differ by. They are asked of the row itself, before anything
// is looked up for it, on the way from the newest row down; an index on the
// time would have all rows of a month read and sorted for one page (its use is
// what the sum with nothing forbids).
const (
	longestLife = wire.MaxLifetime * time.Second
	clockSlack  = 24 * time.Hour
)

// Keys implements keyservice.Store.
func (s *Store) Keys(ctx context.Context, q keyservice.KeyQuery) ([]keyservice.KeyRow, error) {
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) || q.Outlet != "" && !wire.ValidID(q.Outlet) {
		return nil, nil
	}
	w := &where{}
	if q.Outlet != "" {
		w.and(`k.outlet = %s`, q.Outlet)
	}
	if q.BeforeN != 0 {
		w.and(`k.n < %s`, num(q.BeforeN))
	}
	if q.BeforeKey != 0 {
		w.and(`k.seckeyid < %s`, num(q.BeforeKey))
	}
	if !q.From.IsZero() {
		w.and(`k.negotiated_at + interval '0' > %s AND `+lifeEnd+` > %s`, q.From.Add(-longestLife-clockSlack), q.From)
	}
	if !q.To.IsZero() {
		w.and(`k.negotiated_at + interval '0' < %s AND `+lifeStart+` < %s`, q.To.Add(clockSlack), q.To)
	}
	if q.States != nil {
		w.and(`s.state = ANY (%s::smallint[])`, stateNumbers(q.States))
	}
	order := `n`
	if q.ByNumber {
		order = `seckeyid`
	}
	from := w.keysFrom(q, order)
	return list(ctx, s.pool, "keys", scanKey, fmt.Sprintf(selectKeys, from)+w.String()+
		` ORDER BY k.`+order+` DESC LIMIT `+w.arg(q.Limit), w.args...)
}

// keysFrom is where the rows come from. Pending and retired keys, which are few
// among many, are taken from the living ones, and revoked ones by their index, so
// that who asks for these only does not go through all of a long history. Active
// keys are the newest of all.
func (w *where) keysFrom(q keyservice.KeyQuery, order string) string {
	only := func(as ...wire.State) bool {
		return len(q.States) > 0 && !slices.ContainsFunc(q.States, func(s wire.State) bool { return !slices.Contains(as, s) })
	}
	// OFFSET 0 keeps the planner from turning this inside out.
	from := func(refs string) string {
		return `(SELECT k.* FROM (` + refs + ` OFFSET 0) l CROSS JOIN LATERAL (
			SELECT * FROM seckey WHERE outlet = l.outlet AND seckeyid = l.seckeyid OFFSET 0) k ORDER BY k.` + order + ` DESC OFFSET 0)`
	}
	switch {
	case q.Unreceipted:
		return from(`SELECT outlet, seckeyid FROM key_state v WHERE state = 5 AND NOT EXISTS (
			SELECT FROM receipt r WHERE r.outlet = v.outlet AND r.seckeyid = v.seckeyid AND r.state = 5)`)
	case q.Outlet != "": // one outlet's are few
	case only(wire.StatePending, wire.StateRetired):
		return from(`SELECT outlet, seckeyid FROM sealed_key WHERE state = ANY (` + w.arg(stateNumbers(q.States)) + `::smallint[])`)
	case only(wire.StatePending, wire.StateActive, wire.StateRetired):
		w.and(`EXISTS (SELECT FROM sealed_key v WHERE v.outlet = k.outlet AND v.seckeyid = k.seckeyid AND v.state = ANY (%s::smallint[]))`, stateNumbers(q.States))
	case only(wire.StateRevoked):
		w.and(`EXISTS (SELECT FROM key_state v WHERE v.outlet = k.outlet AND v.seckeyid = k.seckeyid AND v.state = 5)`)
	}
	return `seckey`
}

func stateNumbers(states []wire.State) []int16 {
	return convert(states, func(s wire.State) int16 { return int16(s) })
}

func scanKey(row pgx.Row) (k keyservice.KeyRow, err error) {
	var verified, retired, ended, receipt *time.Time
	var fp []byte
	if err := row.Scan(&k.N, &k.Outlet, &k.Seckeyid, &k.State, &k.Negotiated, &verified, &retired, &k.Expires, &ended,
		&k.Reason, &k.By, &receipt, &fp); err != nil {
		return k, err
	}
	k.Negotiated, k.Expires = k.Negotiated.UTC(), k.Expires.UTC()
	k.Verified, k.Retired, k.Ended, k.Receipt = utc(verified), utc(retired), utc(ended), utc(receipt)
	return k, setFP(&k.FP, fp)
}

// States implements keyservice.Store.
func (s *Store) States(ctx context.Context, outlet string, seckeyid uint64) ([]keyservice.StateRow, error) {
	if !wire.ValidID(outlet) {
		return nil, nil
	}
	return list(ctx, s.pool, "states", func(row pgx.Row) (r keyservice.StateRow, err error) {
		err = row.Scan(&r.State, &r.At, &r.Reason, &r.By, &r.Note)
		r.At = r.At.UTC()
		return r, err
	}, `SELECT state, at, reason, actor, coalesce((SELECT c.note FROM change c
			WHERE c.outlet = s.outlet AND c.seckeyid = s.seckeyid AND c.state = s.state AND c.note <> '' AND c.seckeyid > 0
			ORDER BY c.n LIMIT 1), '')
		FROM key_state s WHERE outlet = $1 AND seckeyid = $2 ORDER BY state`,
		outlet, num(seckeyid))
}

// Receipts implements keyservice.Store.
func (s *Store) Receipts(ctx context.Context, outlet string, seckeyid uint64) ([]keyservice.Receipt, error) {
	if !wire.ValidID(outlet) {
		return nil, nil
	}
	return list(ctx, s.pool, "receipts", func(row pgx.Row) (r keyservice.Receipt, err error) {
		err = row.Scan(&r.Seckeyid, &r.State, &r.At, &r.Conn)
		r.At = r.At.UTC()
		return r, err
	}, `SELECT seckeyid, state, at, conn FROM receipt WHERE outlet = $1 AND seckeyid = $2 ORDER BY state`,
		outlet, num(seckeyid))
}

// Unreceipted implements keyservice.Store.
func (s *Store) Unreceipted(ctx context.Context, outlet string, limit int) ([]keyservice.Revoked, error) {
	if !wire.ValidID(outlet) {
		return nil, nil
	}
	return list(ctx, s.pool, "unreceipted", func(row pgx.Row) (r keyservice.Revoked, err error) {
		err = row.Scan(&r.Seckeyid, &r.Reason)
		return r, err
	}, `SELECT s.seckeyid, s.reason FROM key_state s
		WHERE s.outlet = $1 AND s.state = 5
		  AND NOT EXISTS (SELECT FROM receipt r WHERE r.outlet = s.outlet AND r.seckeyid = s.seckeyid AND r.state = 5)
		ORDER BY s.seckeyid DESC LIMIT $2`, outlet, limit)
}

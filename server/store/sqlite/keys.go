package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// selectKeys reads the history with five look-ups by primary key a row: one
// for each state. Every key has the first.
const selectKeys = `SELECT k.n, k.outlet, k.seckeyid,
		coalesce(s5.state, s4.state, s3.state, s2.state, s1.state),
		k.negotiated_at, s2.at, s3.at, k.expires_at, coalesce(s5.at, s4.at),
		coalesce(s5.reason, s4.reason, s3.reason, s2.reason, s1.reason),
		coalesce(s5.actor, s4.actor, s3.actor, s2.actor, s1.actor),
		coalesce(r5.at, r4.at), k.fp
	FROM seckey k
	CROSS JOIN key_state s1 ON s1.outlet = k.outlet AND s1.seckeyid = k.seckeyid AND s1.state = 1
	LEFT JOIN key_state s2 ON s2.outlet = k.outlet AND s2.seckeyid = k.seckeyid AND s2.state = 2
	LEFT JOIN key_state s3 ON s3.outlet = k.outlet AND s3.seckeyid = k.seckeyid AND s3.state = 3
	LEFT JOIN key_state s4 ON s4.outlet = k.outlet AND s4.seckeyid = k.seckeyid AND s4.state = 4
	LEFT JOIN key_state s5 ON s5.outlet = k.outlet AND s5.seckeyid = k.seckeyid AND s5.state = 5
	LEFT JOIN receipt r4 ON r4.outlet = k.outlet AND r4.seckeyid = k.seckeyid AND r4.state = 4
	LEFT JOIN receipt r5 ON r5.outlet = k.outlet AND r5.seckeyid = k.seckeyid AND r5.state = 5
	LEFT JOIN sealed_key l ON l.outlet = k.outlet AND l.seckeyid = k.seckeyid`

// A life starts when the key was verified, or negotiated if it never was; it
// ends, exclusively, when the key did or will, but lasts for one millisecond
// at least: a key that was verified and revoked in the same one is not hidden
// from whoever asks for it.
const (
	lifeStart = `coalesce(s2.at, k.negotiated_at)`
	lifeEnd   = `max(` + lifeStart + ` + 1, CASE WHEN s2.at IS NULL THEN 0 ELSE coalesce(s5.at, s4.at, l.ends_at) END)`
)

// Bounds within which negotiated_at lies if the life meets the query's time:
// no key lives for longer than the schema allows, and a day is more than two
// servers' clocks differ by. They are asked of the row itself, before anything
// is looked up for it, on the way from the newest row down; an index on the
// time would have all rows of a month read and sorted for one page (its use is
// what the sign + forbids).
const (
	longestLife = wire.MaxLifetime * 1000
	clockSlack  = 24 * 3600 * 1000
)

// Keys implements keyservice.Store.
func (s *Store) Keys(ctx context.Context, q keyservice.KeyQuery) ([]keyservice.KeyRow, error) {
	w := &where{}
	if q.Outlet != "" {
		w.and(`k.outlet = ?`, q.Outlet)
	}
	if q.BeforeN != 0 {
		w.and(`k.n < ?`, num(q.BeforeN))
	}
	if q.BeforeKey != 0 {
		w.and(`k.seckeyid < ?`, num(q.BeforeKey))
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return nil, nil
	}
	if !q.From.IsZero() {
		from := q.From.UnixMilli()
		w.and(`+k.negotiated_at > ? AND `+lifeEnd+` > ?`, from-longestLife-clockSlack, from)
	}
	if !q.To.IsZero() {
		to := q.To.UnixMilli()
		w.and(`+k.negotiated_at < ? AND `+lifeStart+` < ?`, to+clockSlack, to)
	}
	if q.States != nil {
		w.and(`coalesce(s5.state, s4.state, s3.state, s2.state, s1.state) IN (`+marks(len(q.States))+`)`, anys(q.States)...)
		w.among(q.States)
	}
	if q.Unreceipted {
		w.and(`k.n IN (SELECT u.n FROM key_state v INDEXED BY key_state_revoked
			CROSS JOIN seckey u ON u.outlet = v.outlet AND u.seckeyid = v.seckeyid WHERE v.state = 5
				AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.outlet = v.outlet AND r.seckeyid = v.seckeyid AND r.state = 5))`)
	}
	order := ` ORDER BY k.n DESC LIMIT ?`
	if q.ByNumber {
		order = ` ORDER BY k.seckeyid DESC LIMIT ?`
	}
	return list(ctx, s.readers, "keys", scanKey, selectKeys+w.String()+order, append(w.args, q.Limit)...)
}

// among has rows of other states passed over before anything is looked up for
// them. Who asks for pending or revoked keys only does not go through all of a
// long history: they are few, and found by an index.
func (w *where) among(states []wire.State) {
	only := func(as ...wire.State) bool {
		return len(states) > 0 && !slices.ContainsFunc(states, func(s wire.State) bool { return !slices.Contains(as, s) })
	}
	switch {
	case only(wire.StatePending):
		w.and(`(k.outlet, k.seckeyid) IN (SELECT outlet, seckeyid FROM sealed_key WHERE state = 1)`)
	case only(wire.StateRevoked):
		w.and(`(k.outlet, k.seckeyid) IN (SELECT outlet, seckeyid FROM key_state WHERE state = 5)`)
	case only(wire.StatePending, wire.StateActive, wire.StateRetired):
		w.and(`EXISTS (SELECT 1 FROM sealed_key e WHERE e.outlet = k.outlet AND e.seckeyid = k.seckeyid AND e.state IN (`+
			marks(len(states))+`))`, anys(states)...)
	}
}

func scanKey(scan func(...any) error) (k keyservice.KeyRow, err error) {
	var negotiated, verified, retired, expires, ended, receipt sql.NullInt64
	var fp []byte
	if err := scan(&k.N, &k.Outlet, &k.Seckeyid, &k.State, &negotiated, &verified, &retired, &expires, &ended,
		&k.Reason, &k.By, &receipt, &fp); err != nil {
		return k, err
	}
	k.Negotiated, k.Verified, k.Retired = timeOf(negotiated), timeOf(verified), timeOf(retired)
	k.Expires, k.Ended, k.Receipt = timeOf(expires), timeOf(ended), timeOf(receipt)
	return k, setFP(&k.FP, fp)
}

// States implements keyservice.Store.
func (s *Store) States(ctx context.Context, outlet string, seckeyid uint64) ([]keyservice.StateRow, error) {
	return list(ctx, s.readers, "states", func(scan func(...any) error) (r keyservice.StateRow, err error) {
		var at sql.NullInt64
		err = scan(&r.State, &at, &r.Reason, &r.By, &r.Note)
		r.At = timeOf(at)
		return r, err
	}, `SELECT state, at, reason, actor, coalesce((SELECT c.note FROM change c
			WHERE c.outlet = s.outlet AND c.seckeyid = s.seckeyid AND c.state = s.state AND c.note <> '' AND c.seckeyid > 0
			ORDER BY c.n LIMIT 1), '')
		FROM key_state s WHERE outlet = ? AND seckeyid = ? ORDER BY state`,
		outlet, num(seckeyid))
}

// Receipts implements keyservice.Store.
func (s *Store) Receipts(ctx context.Context, outlet string, seckeyid uint64) ([]keyservice.Receipt, error) {
	return list(ctx, s.readers, "receipts", func(scan func(...any) error) (r keyservice.Receipt, err error) {
		var at sql.NullInt64
		err = scan(&r.Seckeyid, &r.State, &at, &r.Conn)
		r.At = timeOf(at)
		return r, err
	}, `SELECT seckeyid, state, at, conn FROM receipt WHERE outlet = ? AND seckeyid = ? ORDER BY state`,
		outlet, num(seckeyid))
}

// Unreceipted implements keyservice.Store.
func (s *Store) Unreceipted(ctx context.Context, outlet string, limit int) ([]keyservice.Revoked, error) {
	return list(ctx, s.readers, "unreceipted", func(scan func(...any) error) (r keyservice.Revoked, err error) {
		err = scan(&r.Seckeyid, &r.Reason)
		return r, err
	}, `SELECT s.seckeyid, s.reason FROM key_state s
		WHERE s.outlet = ? AND s.state = 5
		  AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.outlet = s.outlet AND r.seckeyid = s.seckeyid AND r.state = 5)
		ORDER BY s.seckeyid DESC LIMIT ?`, outlet, limit)
}

// between bounds a column by [from, to), of which zero times bound nothing.
func (w *where) between(column string, from, to time.Time) {
	if !from.IsZero() {
		w.and(column+` >= ?`, from.UnixMilli())
	}
	if !to.IsZero() {
		w.and(column+` < ?`, to.UnixMilli())
	}
}

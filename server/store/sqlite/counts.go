package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// Parts of queries about outlets called o, with the active key called l that
// activeKey joins. :now is the time of now, :clock the machine's, by which
// processes live.
const (
	lives     = `(SELECT id FROM process WHERE until > :clock)`
	connected = `EXISTS (SELECT 1 FROM presence p WHERE p.outlet = o.id AND p.process IN ` + lives + `)`
	activeKey = ` LEFT JOIN sealed_key l ON l.outlet = o.id AND l.state = 2 AND l.ends_at > :now`
	freshness = `CASE WHEN l.soon_at < :now THEN 2 WHEN l.outlet IS NOT NULL THEN 1
		WHEN EXISTS (SELECT 1 FROM key_state v WHERE v.outlet = o.id AND v.state = 2) THEN 3 ELSE 0 END`
)

// at are the arguments of the parts above.
func at(now time.Time) []any {
	return []any{sql.Named("now", now.UnixMilli()), sql.Named("clock", time.Now().UnixMilli())}
}

// Outlets implements keyservice.Store.
func (s *Store) Outlets(ctx context.Context, q keyservice.OutletQuery) ([]keyservice.OutletRow, error) {
	if q.Contains != "" && !wire.ValidID(q.Contains) {
		return nil, nil // a part of an id has the form of one
	}
	w := &where{args: at(q.Now)}
	from, order := w.outletsFrom(q)
	w.and(`o.id > ?`, q.After)
	if q.ID != "" {
		w.and(`o.id = ?`, q.ID)
	}
	if q.Contains != "" {
		w.and(`instr(lower(o.id), lower(?)) > 0`, q.Contains)
	}
	if q.Roles != nil {
		w.and(`o.role IN (`+marks(len(q.Roles))+`)`, anys(q.Roles)...)
	}
	if q.Disabled != nil {
		w.and(`o.disabled = ?`, *q.Disabled)
	}
	if q.Connected != nil {
		w.and(connected+` = ?`, *q.Connected)
	}
	if q.Freshness != nil {
		w.and(freshness+` IN (`+marks(len(q.Freshness))+`)`, anys(q.Freshness)...)
	}
	return list(ctx, s.readers, "outlets", func(scan func(...any) error) (keyservice.OutletRow, error) { return scanOutletRow(scan, q.Now) },
		`SELECT o.id, o.role, o.disabled, o.enrolled_at, o.last_number, o.last_epoch, `+connected+`,
			(SELECT max(at) FROM (SELECT c.seen_at AS at FROM contact c WHERE c.outlet = o.id
				UNION ALL SELECT s.beat_at FROM presence p CROSS JOIN process s ON s.id = p.process WHERE p.outlet = o.id)),
			`+freshness+`, l.seckeyid, l.ends_at, k.fp, k.expires_at
		FROM `+from+activeKey+`
			LEFT JOIN seckey k ON k.outlet = l.outlet AND k.seckeyid = l.seckeyid`+
			w.String()+` ORDER BY `+order+` LIMIT ?`, append(w.args, q.Limit)...)
}

// outletsFrom is where the rows come from, and which column has their order:
// few whose key ends soon, or who are connected, are found among these. CROSS
// keeps the order of the join.
func (w *where) outletsFrom(q keyservice.OutletQuery) (from, order string) {
	switch {
	case slices.Equal(q.Freshness, []keyservice.Freshness{keyservice.FreshnessSoon}):
		return `(SELECT outlet FROM sealed_key WHERE state = 2 AND soon_at < :now) d CROSS JOIN outlet o ON o.id = d.outlet`, `o.id`
	case q.Connected != nil && *q.Connected:
		w.and(`d.outlet > ? AND d.process = (SELECT min(p.process) FROM presence p WHERE p.outlet = d.outlet AND p.process IN `+lives+`)`, q.After)
		return `presence d CROSS JOIN outlet o ON o.id = d.outlet`, `d.outlet`
	}
	return `outlet o`, `o.id`
}

func scanOutletRow(scan func(...any) error, now time.Time) (o keyservice.OutletRow, err error) {
	var enrolled, seen, number, ends, expires sql.NullInt64
	var fp []byte
	if err := scan(&o.ID, &o.Role, &o.Disabled, &enrolled, &o.LastNumber, &o.LastEpoch,
		&o.Connected, &seen, &o.Freshness, &number, &ends, &fp, &expires); err != nil {
		return o, err
	}
	o.EnrolledAt, o.SeenAt = timeOf(enrolled), timeOf(seen)
	if o.Connected {
		o.SeenAt = now
	}
	if !number.Valid {
		return o, nil
	}
	o.Active = &keyservice.ActiveKey{Seckeyid: uint64(number.Int64), EndsAt: timeOf(ends), Expires: timeOf(expires)}
	return o, setFP(&o.Active.FP, fp)
}

// Counts implements keyservice.Store.
func (s *Store) Counts(ctx context.Context, now time.Time) (c keyservice.Counts, err error) {
	tx, err := s.readers.BeginTx(ctx, nil) // both reads are of one snapshot
	if err != nil {
		return c, failure("counts", err)
	}
	defer tx.Rollback()
	err = tx.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE disabled),
			count(*) FILTER (WHERE freshness = 1), count(*) FILTER (WHERE freshness = 2),
			count(*) FILTER (WHERE freshness = 3), count(*) FILTER (WHERE freshness = 0)
		FROM (SELECT o.disabled, CASE WHEN NOT o.disabled THEN `+freshness+` END AS freshness
			FROM outlet o`+activeKey+` WHERE o.role = 1)`, at(now)...).
		Scan(&c.All, &c.Disabled, &c.Fresh, &c.Soon, &c.Stale, &c.None)
	if err != nil {
		return c, failure("counts", err)
	}
	// Everybody who is connected, but for the few people.
	err = tx.QueryRowContext(ctx, `SELECT (SELECT count(DISTINCT outlet) FROM presence WHERE process IN `+lives+`) -
		(SELECT count(*) FROM outlet o WHERE o.role <> 1 AND `+connected+`)`, at(now)...).Scan(&c.Connected)
	if err != nil {
		return c, failure("counts", err)
	}
	err = tx.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3)
		FROM sealed_key WHERE ends_at > ?`, now.UnixMilli()).Scan(&c.Pending, &c.Active, &c.Retired)
	return c, failure("counts", err)
}

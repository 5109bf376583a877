package postgres

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// Parts of queries about outlets called o, with the active key called l. %[1]s
// is the time of now. lives are the processes whose term has not run out. A
// subquery with LIMIT 1 or OFFSET 0 looks up one outlet by index and cannot
// become a scan of all, whatever the planner believes about sizes.
const (
	lives     = `ARRAY(SELECT id FROM process WHERE until > now())`
	connected = `(SELECT true FROM presence p WHERE p.outlet = o.id AND p.process = ANY (` + lives + `) LIMIT 1) IS TRUE`
	activeKey = ` LEFT JOIN LATERAL (SELECT * FROM sealed_key WHERE outlet = o.id AND state = 2 AND ends_at > %[1]s::timestamptz OFFSET 0) l ON true`
	freshness = `CASE WHEN l.soon_at < %[1]s::timestamptz THEN 2 WHEN l.outlet IS NOT NULL THEN 1
		WHEN (SELECT true FROM key_state v WHERE v.outlet = o.id AND v.state = 2 LIMIT 1) THEN 3 ELSE 0 END`
)

// Outlets implements keyservice.Store.
func (s *Store) Outlets(ctx context.Context, q keyservice.OutletQuery) ([]keyservice.OutletRow, error) {
	if q.Contains != "" && !wire.ValidID(q.Contains) || q.ID != "" && !wire.ValidID(q.ID) {
		return nil, nil // a part of an id has the form of one
	}
	w := &where{}
	now := w.arg(q.Now)
	from := w.outletsFrom(q, now)
	w.and(`o.id > %s`, q.After)
	if q.ID != "" {
		w.and(`o.id = %s`, q.ID)
	}
	if q.Contains != "" {
		w.and(`strpos(lower(o.id), lower(%s COLLATE "C")) > 0`, q.Contains)
	}
	if q.Roles != nil {
		w.and(`o.role = ANY (%s::smallint[])`, convert(q.Roles, func(r wire.Role) int16 { return int16(r) }))
	}
	if q.Disabled != nil {
		w.and(`o.disabled = %s`, *q.Disabled)
	}
	if q.Connected != nil {
		w.and(connected+` = %s`, *q.Connected)
	}
	if q.Freshness != nil {
		w.and(at(freshness, now)+` = ANY (%s::int[])`, convert(q.Freshness, func(f keyservice.Freshness) int32 { return int32(f) }))
	}
	return list(ctx, s.pool, "outlets", func(row pgx.Row) (keyservice.OutletRow, error) { return scanOutletRow(row, q.Now) },
		`SELECT o.id, o.role, o.disabled, o.enrolled_at, o.last_number, o.last_epoch, `+connected+`,
			greatest((SELECT c.seen_at FROM contact c WHERE c.outlet = o.id),
				(SELECT max(s.beat_at) FROM presence p JOIN process s ON s.id = p.process WHERE p.outlet = o.id)),
			`+at(freshness, now)+`, l.seckeyid, l.ends_at,
			(SELECT k.fp FROM seckey k WHERE k.outlet = l.outlet AND k.seckeyid = l.seckeyid),
			(SELECT k.expires_at FROM seckey k WHERE k.outlet = l.outlet AND k.seckeyid = l.seckeyid)
		FROM `+from+at(activeKey, now)+w.String()+` ORDER BY o.id LIMIT `+w.arg(q.Limit), w.args...)
}

// at puts the time's mark into a part of a query.
func at(part, now string) string { return strings.ReplaceAll(part, `%[1]s`, now) }

// outletsFrom is where the rows come from: those whose key ends soon are found
// among these, few as they are.
func (w *where) outletsFrom(q keyservice.OutletQuery, now string) string {
	if slices.Equal(q.Freshness, []keyservice.Freshness{keyservice.FreshnessSoon}) {
		return `(SELECT outlet FROM sealed_key WHERE state = 2 AND soon_at < ` + now + `::timestamptz AND outlet > ` + w.arg(q.After) +
			` ORDER BY outlet OFFSET 0) d JOIN outlet o ON o.id = d.outlet`
	}
	return `outlet o`
}

func scanOutletRow(row pgx.Row, now time.Time) (o keyservice.OutletRow, err error) {
	var seen, ends, expires *time.Time
	var number *uint64
	var fp []byte
	if err := row.Scan(&o.ID, &o.Role, &o.Disabled, &o.EnrolledAt, &o.LastNumber, &o.LastEpoch,
		&o.Connected, &seen, &o.Freshness, &number, &ends, &fp, &expires); err != nil {
		return o, err
	}
	o.EnrolledAt, o.SeenAt = o.EnrolledAt.UTC(), utc(seen)
	if o.Connected {
		o.SeenAt = now
	}
	if number == nil {
		return o, nil
	}
	o.Active = &keyservice.ActiveKey{Seckeyid: *number, EndsAt: ends.UTC(), Expires: expires.UTC()}
	return o, setFP(&o.Active.FP, fp)
}

// Counts implements keyservice.Store. It goes through all outlets once, for
// which the plans that are good for a page are not.
func (s *Store) Counts(ctx context.Context, now time.Time) (c keyservice.Counts, err error) {
	b := &pgx.Batch{}
	b.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	b.Queue(`SET LOCAL enable_seqscan = on`)
	b.Queue(`SET LOCAL enable_hashjoin = on`)
	b.Queue(at(`SELECT count(*), count(*) FILTER (WHERE disabled), count(*) FILTER (WHERE here),
			count(*) FILTER (WHERE freshness = 1), count(*) FILTER (WHERE freshness = 2),
			count(*) FILTER (WHERE freshness = 3), count(*) FILTER (WHERE freshness = 0)
		FROM (SELECT o.disabled, d.outlet IS NOT NULL AS here, CASE WHEN NOT o.disabled THEN `+freshness+` END AS freshness
			FROM outlet o LEFT JOIN sealed_key l ON l.outlet = o.id AND l.state = 2 AND l.ends_at > $1::timestamptz
				LEFT JOIN (SELECT DISTINCT outlet FROM presence WHERE process = ANY (`+lives+`)) d ON d.outlet = o.id
			WHERE o.role = 1) all_of_them`, `$1`), now).QueryRow(func(row pgx.Row) error {
		return row.Scan(&c.All, &c.Disabled, &c.Connected, &c.Fresh, &c.Soon, &c.Stale, &c.None)
	})
	b.Queue(`SELECT count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2), count(*) FILTER (WHERE state = 3)
		FROM sealed_key WHERE ends_at > $1`, now).QueryRow(func(row pgx.Row) error {
		return row.Scan(&c.Pending, &c.Active, &c.Retired)
	})
	b.Queue(`COMMIT`)
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return c, failure("counts", err)
	}
	defer pooled.Release()
	defer s.rollback(ctx, pooled.Conn())
	return c, failure("counts", pooled.Conn().SendBatch(ctx, b).Close())
}

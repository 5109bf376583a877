package sqlite

import (
	"context"
	"slices"
	"strings"

	"hufu/server/keyservice"
)

// usable: active or retired, and of an outlet. It stands behind a row of
// sealed_key called l.
const usable = `l.state IN (2, 3) AND EXISTS (SELECT 1 FROM outlet o WHERE o.id = l.outlet AND o.role = 1)`

// Usable implements keyservice.Store.
func (s *Store) Usable(ctx context.Context, q keyservice.UsableQuery) ([]keyservice.UsableRow, error) {
	w := &where{}
	if q.Outlets != nil {
		w.and(`l.outlet IN (`+marks(len(q.Outlets))+`)`, anys(q.Outlets)...)
	}
	if q.After != (keyservice.KeyRef{}) {
		w.and(`(l.outlet, l.seckeyid) > (?, ?)`, q.After.Outlet, num(q.After.Seckeyid))
	}
	w.and(usable)
	limit := -1
	if q.Limit > 0 {
		limit = q.Limit
	}
	// CROSS JOIN keeps the order of the tables: the living keys are few beside the history.
	return list(ctx, s.readers, "usable keys", func(scan func(...any) error) (r keyservice.UsableRow, err error) {
		r.LivingKey, err = scanLiving(func(more ...any) error { return scan(append([]any{&r.Outlet}, more...)...) })
		return r, err
	}, `SELECT l.outlet, l.seckeyid, l.state, k.negotiated_at, k.expires_at, l.ends_at, k.fp, l.sealed
		FROM sealed_key l CROSS JOIN seckey k ON k.outlet = l.outlet AND k.seckeyid = l.seckeyid`+
		w.String()+` ORDER BY l.outlet, l.seckeyid LIMIT ?`, append(w.args, limit)...)
}

// CountUsable implements keyservice.Store.
func (s *Store) CountUsable(ctx context.Context) (n int, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT count(*) FROM sealed_key l WHERE `+usable).Scan(&n)
	return n, failure("count usable keys", err)
}

// refsAtOnce keeps the parameters of one statement well below SQLite's limit.
const refsAtOnce = 1000

// RevokedOf implements keyservice.Store.
func (s *Store) RevokedOf(ctx context.Context, keys []keyservice.KeyRef) (revoked []keyservice.KeyRef, err error) {
	for chunk := range slices.Chunk(keys, refsAtOnce) {
		args := make([]any, 0, 2*len(chunk))
		for _, k := range chunk {
			args = append(args, k.Outlet, num(k.Seckeyid))
		}
		found, err := list(ctx, s.readers, "revoked keys", func(scan func(...any) error) (k keyservice.KeyRef, err error) {
			err = scan(&k.Outlet, &k.Seckeyid)
			return k, err
		}, `WITH q (outlet, seckeyid) AS (VALUES `+strings.TrimSuffix(strings.Repeat("(?,?),", len(chunk)), ",")+`)
			SELECT s.outlet, s.seckeyid FROM q
			CROSS JOIN key_state s ON s.outlet = q.outlet AND s.seckeyid = q.seckeyid AND s.state = 5`, args...)
		if err != nil {
			return nil, err
		}
		revoked = append(revoked, found...)
	}
	return revoked, nil
}

package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// Outlet implements keyservice.Store. One statement is one snapshot.
func (s *Store) Outlet(ctx context.Context, id string) (o keyservice.Outlet, secrets []keyservice.Secret, err error) {
	if !wire.ValidID(id) {
		return o, nil, keyservice.ErrNoOutlet
	}
	found := false
	secrets, err = list(ctx, s.pool, "outlet", func(row pgx.Row) (x keyservice.Secret, err error) {
		found = true
		var epoch *uint32
		var created, used *time.Time
		err = row.Scan(&o.ID, &o.Role, &o.Disabled, &o.EnrolledAt, &o.LastNumber, &o.LastEpoch,
			&epoch, &x.Sealed, &created, &used)
		if epoch != nil {
			x.Epoch = *epoch
		}
		x.CreatedAt, x.FirstUsedAt = utc(created), utc(used)
		return x, err
	}, `SELECT o.id, o.role, o.disabled, o.enrolled_at, o.last_number, o.last_epoch,
			s.epoch, s.sealed, s.created_at, s.first_used_at
		FROM outlet o LEFT JOIN sealed_secret s ON s.outlet = o.id
		WHERE o.id = $1 ORDER BY s.epoch DESC`, id)
	if err != nil {
		return keyservice.Outlet{}, nil, err
	}
	if !found {
		return o, nil, keyservice.ErrNoOutlet
	}
	o.EnrolledAt = o.EnrolledAt.UTC()
	if secrets[0].Epoch == 0 { // it has none
		secrets = nil
	}
	return o, secrets, nil
}

// Due implements keyservice.Store.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return list(ctx, s.pool, "due", scanID, `SELECT DISTINCT outlet FROM sealed_key WHERE ends_at <= $1 ORDER BY outlet LIMIT $2`, now, limit)
}

// Unused implements keyservice.Store.
func (s *Store) Unused(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return list(ctx, s.pool, "unused", scanID, `SELECT DISTINCT outlet FROM sealed_secret
		WHERE first_used_at IS NULL AND created_at < $1 ORDER BY outlet LIMIT $2`, before, limit)
}

func scanID(row pgx.Row) (id string, err error) {
	err = row.Scan(&id)
	return id, err
}

// Installation implements keyservice.Store.
func (s *Store) Installation(ctx context.Context) (i keyservice.Installation, err error) {
	err = s.pool.QueryRow(ctx, `SELECT server_id, ring_check, created_at FROM installation`).
		Scan(&i.ServerID, &i.RingCheck, &i.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return i, keyservice.ErrNotInstalled
	}
	i.CreatedAt = i.CreatedAt.UTC()
	return i, failure("installation", err)
}

// Install implements keyservice.Store.
func (s *Store) Install(ctx context.Context, i keyservice.Installation) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO installation (one, server_id, ring_check, created_at)
		VALUES (true, $1::text, $2, $3::timestamptz) ON CONFLICT (one) DO NOTHING`,
		i.ServerID, i.RingCheck, i.CreatedAt)
	return failure("install", err)
}

// SetRingCheck implements keyservice.Store.
func (s *Store) SetRingCheck(ctx context.Context, sealed []byte) error {
	_, err := s.pool.Exec(ctx, `UPDATE installation SET ring_check = $1`, sealed)
	return failure("ring check", err)
}

// Probe implements keyservice.Store.
func (s *Store) Probe(ctx context.Context, at time.Time) error {
	_, err := s.pool.Exec(ctx, `INSERT INTO probe (one, at) VALUES (true, $1::timestamptz)
		ON CONFLICT (one) DO UPDATE SET at = excluded.at`, at)
	return failure("probe", err)
}

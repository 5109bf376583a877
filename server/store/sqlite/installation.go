package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"hufu/server/keyservice"
)

// Installation implements keyservice.Store.
func (s *Store) Installation(ctx context.Context) (i keyservice.Installation, err error) {
	var at sql.NullInt64
	err = s.readers.QueryRowContext(ctx, `SELECT server_id, ring_check, created_at FROM installation`).
		Scan(&i.ServerID, &i.RingCheck, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return i, keyservice.ErrNotInstalled
	}
	i.CreatedAt = timeOf(at)
	return i, failure("installation", err)
}

// Install implements keyservice.Store.
func (s *Store) Install(ctx context.Context, i keyservice.Installation) error {
	return s.w.transact(ctx, func() error {
		_, err := s.w.exec(`INSERT INTO installation (one, server_id, ring_check, created_at) VALUES (1, ?, ?, ?)
			ON CONFLICT (one) DO NOTHING`, i.ServerID, i.RingCheck, ms(i.CreatedAt))
		return failure("install", err)
	})
}

// SetRingCheck implements keyservice.Store.
func (s *Store) SetRingCheck(ctx context.Context, sealed []byte) error {
	return s.w.transact(ctx, func() error {
		_, err := s.w.exec(`UPDATE installation SET ring_check = ?`, sealed)
		return failure("ring check", err)
	})
}

// Probe implements keyservice.Store.
func (s *Store) Probe(ctx context.Context, at time.Time) error {
	return s.w.transact(ctx, func() error {
		_, err := s.w.exec(`INSERT INTO probe (one, at) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET at = excluded.at`,
			at.UnixMilli())
		return failure("probe", err)
	})
}

package sqlite

import (
	"context"
	"database/sql"
	"time"

	"hufu/server/keyservice"
)

// Beat implements keyservice.Store. Terms go by the machine's clock.
func (s *Store) Beat(ctx context.Context, p keyservice.Process, term time.Duration) (lapsed bool, err error) {
	err = s.w.transact(ctx, func() error {
		now := time.Now()
		if p.Begins && p.Place != "" {
			if _, err := s.w.exec(`UPDATE process SET until = 0 WHERE place = ? AND id <> ?`, p.Place, p.ID); err != nil {
				return failure("beat", err)
			}
		}
		lapsed = true
		err := s.w.query(func(scan func(...any) error) error {
			var until int64
			err := scan(&until)
			lapsed = until <= now.UnixMilli()
			return err
		}, `SELECT until FROM process WHERE id = ?`, p.ID)
		if err != nil {
			return failure("beat", err)
		}
		_, err = s.w.exec(`INSERT INTO process (id, place, beat_at, until) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at, until = excluded.until`,
			p.ID, p.Place, ms(p.At), now.Add(term).UnixMilli())
		return failure("beat", err)
	})
	return lapsed, err
}

// Tell implements keyservice.Store.
func (s *Store) Tell(ctx context.Context, process string, seen []keyservice.Sight) (known bool, err error) {
	err = s.w.transact(ctx, func() error {
		n, err := s.w.count(`SELECT count(*) FROM process WHERE id = ?`, process)
		if known = n == 1; !known {
			return failure("tell", err)
		}
		for _, x := range seen {
			change := `DELETE FROM presence WHERE outlet = ? AND process = ?`
			if x.Connected {
				change = `INSERT INTO presence (outlet, process) VALUES (?, ?) ON CONFLICT (outlet, process) DO NOTHING`
			}
			if _, err := s.w.exec(change, x.Outlet, process); err != nil {
				return failure("tell", err)
			}
			if err := s.w.contact(x.Outlet, x.At); err != nil {
				return failure("tell", err)
			}
		}
		return nil
	})
	return known && err == nil, err
}

// contact brings an outlet's contact, and with it the change table, to what
// presence says of it.
func (w *writer) contact(outlet string, at time.Time) error {
	here, err := w.count(`SELECT EXISTS (SELECT 1 FROM presence WHERE outlet = ?)`, outlet)
	if err != nil {
		return err
	}
	was, err := w.count(`SELECT coalesce((SELECT connected FROM contact WHERE outlet = ?), 0)`, outlet)
	if err != nil || here == 1 && was == 1 {
		return err
	}
	if _, err := w.exec(`INSERT INTO contact (outlet, connected, seen_at) VALUES (?, ?, ?)
		ON CONFLICT (outlet) DO UPDATE SET connected = excluded.connected, seen_at = max(contact.seen_at, excluded.seen_at)`,
		outlet, here, ms(at)); err != nil || here == was {
		return err
	}
	kind := keyservice.KindDisconnected
	if here == 1 {
		kind = keyservice.KindConnected
	}
	_, err = w.exec(`INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note) VALUES (?, ?, ?, 0, 0, 0, '', '')`,
		ms(at), kind, outlet)
	return err
}

// count returns the one number that a query answers.
func (w *writer) count(query string, args ...any) (n int, err error) {
	err = w.query(func(scan func(...any) error) error { return scan(&n) }, query, args...)
	return n, err
}

// Reap implements keyservice.Store.
func (s *Store) Reap(ctx context.Context, limit int) (n int, err error) {
	err = s.w.transact(ctx, func() error {
		now := time.Now().UnixMilli()
		type presence struct {
			outlet, process string
			at              time.Time
		}
		var dead []presence
		err := s.w.query(func(scan func(...any) error) error {
			var p presence
			var at sql.NullInt64
			err := scan(&p.outlet, &p.process, &at)
			p.at = timeOf(at)
			dead = append(dead, p)
			return err
		}, `SELECT p.outlet, p.process, s.beat_at FROM process s JOIN presence p ON p.process = s.id
			WHERE s.until <= ? ORDER BY s.beat_at, p.outlet LIMIT ?`, now, limit)
		if err != nil {
			return failure("reap", err)
		}
		for _, p := range dead {
			if _, err := s.w.exec(`DELETE FROM presence WHERE outlet = ? AND process = ?`, p.outlet, p.process); err != nil {
				return failure("reap", err)
			}
			if err := s.w.contact(p.outlet, p.at); err != nil {
				return failure("reap", err)
			}
		}
		n = len(dead)
		_, err = s.w.exec(`DELETE FROM process WHERE until <= ?
			AND NOT EXISTS (SELECT 1 FROM presence p WHERE p.process = process.id)`, now)
		return failure("reap", err)
	})
	return n, err
}

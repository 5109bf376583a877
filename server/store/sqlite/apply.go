package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// Apply implements keyservice.Store. The write lock is the lock of every
// outlet. Each change has a savepoint, to which what violates the schema is
// rolled back alone.
func (s *Store) Apply(ctx context.Context, changes []*keyservice.Change) error {
	if err := oneEach(changes); err != nil {
		return err
	}
	return s.w.transact(ctx, func() error {
		for _, c := range changes {
			if err := s.w.applyOne(c); err != nil {
				return failure("apply", err)
			}
		}
		return nil
	})
}

// ApplyAll implements keyservice.Store.
func (s *Store) ApplyAll(ctx context.Context, changes []*keyservice.Change) error {
	if err := oneEach(changes); err != nil {
		return err
	}
	return s.w.transact(ctx, func() error {
		for _, c := range changes {
			if err := s.w.applyOne(c); err != nil {
				return failure("apply", err)
			}
			if c.Err != nil {
				return c.Err
			}
		}
		return nil
	})
}

func oneEach(changes []*keyservice.Change) error {
	seen := make(map[string]bool, len(changes))
	for _, c := range changes {
		if seen[c.Outlet] {
			return fmt.Errorf("sqlite: two changes of outlet %s in one batch", c.Outlet)
		}
		seen[c.Outlet] = true
	}
	return nil
}

func (w *writer) applyOne(c *keyservice.Change) error {
	l, err := w.load(c)
	if err != nil {
		return err
	}
	if c.Err = c.Decide(l); c.Err != nil {
		return nil
	}
	if _, err := w.exec("SAVEPOINT change"); err != nil {
		return err
	}
	err = w.write(c.Outlet, l)
	switch {
	case err == nil:
	case errors.Is(err, keyservice.ErrExists) || isViolation(err):
		c.Err = failure("apply", err)
		if _, err := w.exec("ROLLBACK TO change"); err != nil {
			return err
		}
	default:
		return err
	}
	_, err = w.exec("RELEASE change")
	return err
}

// write writes what the change has recorded, in the order of
// keyservice.Writes.
func (w *writer) write(id string, l *keyservice.Ledger) error {
	for _, step := range []func(string, *keyservice.Ledger) error{
		w.writeOutlet, w.writeSecrets, w.writeKeys, w.writeMoves, w.writeReceipts, w.writeChanges,
	} {
		if err := step(id, l); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeOutlet(id string, l *keyservice.Ledger) error {
	if o := l.Writes.NewOutlet; o != nil {
		n, err := w.exec(`INSERT INTO outlet (id, role, disabled, enrolled_at, last_number, last_epoch)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
			o.ID, o.Role, o.Disabled, ms(o.EnrolledAt), num(o.LastNumber), o.LastEpoch)
		if err != nil {
			return err
		}
		if n == 0 {
			return keyservice.ErrExists
		}
	}
	if l.Writes.SetOutlet {
		o := l.Outlet
		_, err := w.exec(`UPDATE outlet SET disabled = ?, last_number = ?, last_epoch = ? WHERE id = ?`,
			o.Disabled, num(o.LastNumber), o.LastEpoch, id)
		return err
	}
	return nil
}

func (w *writer) writeSecrets(id string, l *keyservice.Ledger) error {
	for _, x := range l.Writes.NewSecrets {
		if _, err := w.exec(`INSERT INTO sealed_secret (outlet, epoch, sealed, created_at, first_used_at)
			VALUES (?, ?, ?, ?, ?)`, id, x.Epoch, x.Sealed, ms(x.CreatedAt), ms(x.FirstUsedAt)); err != nil {
			return err
		}
	}
	for _, x := range l.Writes.UsedSecrets {
		if _, err := w.exec(`UPDATE sealed_secret SET first_used_at = ? WHERE outlet = ? AND epoch = ?`,
			ms(x.FirstUsedAt), id, x.Epoch); err != nil {
			return err
		}
	}
	for _, x := range l.Writes.SetSecrets {
		if _, err := w.exec(`UPDATE sealed_secret SET sealed = ? WHERE outlet = ? AND epoch = ?`,
			x.Sealed, id, x.Epoch); err != nil {
			return err
		}
	}
	for _, epoch := range l.Writes.DropSecrets {
		if _, err := w.exec(`DELETE FROM sealed_secret WHERE outlet = ? AND epoch = ?`, id, epoch); err != nil {
			return err
		}
	}
	return nil
}

const insertState = `INSERT INTO key_state (outlet, seckeyid, state, at, reason, actor) VALUES (?, ?, ?, ?, ?, ?)`

// writeKeys inserts new keys. Whoever negotiates does so for itself, so that
// the state pending is the outlet's own act.
func (w *writer) writeKeys(id string, l *keyservice.Ledger) error {
	for _, k := range l.Writes.NewKeys {
		if _, err := w.exec(`INSERT INTO seckey (outlet, seckeyid, negotiated_at, expires_at, fp) VALUES (?, ?, ?, ?, ?)`,
			id, num(k.Seckeyid), ms(k.Created), ms(k.Expires), k.FP[:]); err != nil {
			return err
		}
		if _, err := w.exec(insertState, id, num(k.Seckeyid), wire.StatePending, ms(k.Created), 0, id); err != nil {
			return err
		}
		if _, err := w.exec(`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) VALUES (?, ?, ?, ?, ?)`,
			id, num(k.Seckeyid), wire.StatePending, ms(k.EndsAt), k.Sealed); err != nil {
			return err
		}
	}
	return nil
}

// writeMoves writes every move, with what it means for the key's material.
func (w *writer) writeMoves(id string, l *keyservice.Ledger) error {
	for _, m := range inOrder(l.Writes.Moves) {
		living := m.State <= wire.StateRetired
		if !living {
			if _, err := w.exec(`DELETE FROM sealed_key WHERE outlet = ? AND seckeyid = ?`, id, num(m.Seckeyid)); err != nil {
				return err
			}
		}
		if _, err := w.exec(insertState, id, num(m.Seckeyid), m.State, ms(m.At), m.Reason, m.By); err != nil {
			return err
		}
		if living {
			if _, err := w.exec(`UPDATE sealed_key SET state = ?1, ends_at = ?2, soon_at = CASE WHEN ?1 = 2 THEN ?2 -
					(SELECT (expires_at - negotiated_at) / 4 FROM seckey WHERE outlet = ?3 AND seckeyid = ?4) END
				WHERE outlet = ?3 AND seckeyid = ?4`, m.State, ms(m.EndsAt), id, num(m.Seckeyid)); err != nil {
				return err
			}
		}
	}
	for _, k := range l.Writes.SetKeys {
		if _, err := w.exec(`UPDATE sealed_key SET sealed = ? WHERE outlet = ? AND seckeyid = ?`,
			k.Sealed, id, num(k.Seckeyid)); err != nil {
			return err
		}
	}
	return nil
}

// inOrder puts the moves to active, and what follows for the same key, last:
// at no moment may an outlet have two active keys, in whatever order the
// retirement of the older and the start of the newer were recorded.
func inOrder(moves []keyservice.Move) []keyservice.Move {
	var first, last []keyservice.Move
	for _, m := range moves {
		if m.State == wire.StateActive || slices.ContainsFunc(last, func(x keyservice.Move) bool { return x.Seckeyid == m.Seckeyid }) {
			last = append(last, m)
		} else {
			first = append(first, m)
		}
	}
	return append(first, last...)
}

func (w *writer) writeReceipts(id string, l *keyservice.Ledger) error {
	for _, r := range l.Writes.Receipts {
		// The first receipt stays.
		if _, err := w.exec(`INSERT INTO receipt (outlet, seckeyid, state, at, conn) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (outlet, seckeyid, state) DO NOTHING`,
			id, num(r.Seckeyid), r.State, ms(r.At), r.Conn); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeChanges(_ string, l *keyservice.Ledger) error {
	for _, c := range l.Writes.Changes {
		if _, err := w.exec(`INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			ms(c.At), c.Kind, c.Outlet, num(c.Seckeyid), c.State, c.Reason, c.By, c.Note); err != nil {
			return err
		}
	}
	return nil
}

// ms is a time as it stands in the file; NULL if it is zero.
func ms(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

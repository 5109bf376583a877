package sqlite

import (
	"context"
	"database/sql"
	"time"

	"hufu/server/keyservice"
)

const selectChanges = `SELECT n, at, kind, outlet, seckeyid, state, reason, actor, note FROM change`

// Changes implements keyservice.Store. There is one writer at a time, so that
// numbers are in the order of commits and whatever is visible is safe.
func (s *Store) Changes(ctx context.Context, after keyservice.Position, limit int) (
	[]keyservice.ChangeRow, keyservice.Position, error) {
	rows, err := list(ctx, s.readers, "changes", scanChange,
		selectChanges+` WHERE n > ? ORDER BY n LIMIT ?`, num(after.N), limit)
	if len(rows) > 0 {
		after.N = rows[len(rows)-1].N
	}
	return rows, after, err
}

// Head implements keyservice.Store.
func (s *Store) Head(ctx context.Context) (p keyservice.Position, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT coalesce(max(n), 0) FROM change`).Scan(&p.N)
	return p, failure("head", err)
}

// watchEvery is how often whoever follows the change table is sent to look: a
// file tells nobody that another process has written to it.
const watchEvery = 200 * time.Millisecond

// Watch implements keyservice.Store.
func (s *Store) Watch(ctx context.Context, wake func()) error {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for wake(); ; wake() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

func scanChange(scan func(...any) error) (c keyservice.ChangeRow, err error) {
	var at sql.NullInt64
	err = scan(&c.N, &at, &c.Kind, &c.Outlet, &c.Seckeyid, &c.State, &c.Reason, &c.By, &c.Note)
	c.At = timeOf(at)
	return c, err
}

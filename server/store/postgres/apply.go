package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// attempts is how often a transaction is tried that runs into others.
const attempts = 5

// Apply implements keyservice.Store, in two round trips: the first locks and
// reads, the second writes and commits.
//
// READ COMMITTED is enough. Whoever writes about an outlet holds its row's
// lock, and each statement that reads is sent after the locking one and thus
// sees what those committed who held the locks before. Rows are locked in the
// order of ids, so that batches that overlap wait for each other and never in
// a circle.
func (s *Store) Apply(ctx context.Context, changes []*keyservice.Change) error {
	valid, err := oneEach(changes)
	if err != nil || len(valid) == 0 {
		return err
	}
	return s.repeat(ctx, valid, s.writeTogether, s.writeSingly)
}

// ApplyAll implements keyservice.Store.
func (s *Store) ApplyAll(ctx context.Context, changes []*keyservice.Change) error {
	valid, err := oneEach(changes)
	if err != nil || len(valid) == 0 {
		return err
	}
	all := func(ctx context.Context, conn *pgx.Conn, decided ledgers) error {
		if len(decided) < len(changes) {
			return errRefused
		}
		return s.writeTogether(ctx, conn, decided)
	}
	err = s.repeat(ctx, valid, all, all)
	if isEnrolled(err) {
		return keyservice.ErrExists
	}
	for _, c := range changes {
		if c.Err != nil {
			return c.Err
		}
	}
	return err
}

// errRefused rolls back a batch in which one has refused.
var errRefused = errors.New("postgres: a change was refused")

// oneEach checks that there is at most one change of an outlet, and returns
// those of valid identifiers.
func oneEach(changes []*keyservice.Change) ([]*keyservice.Change, error) {
	seen := make(map[string]bool, len(changes))
	valid := make([]*keyservice.Change, 0, len(changes))
	for _, c := range changes {
		if seen[c.Outlet] {
			return nil, fmt.Errorf("postgres: two changes of outlet %s in one batch", c.Outlet)
		}
		seen[c.Outlet] = true
		if !wire.ValidID(c.Outlet) {
			c.Err = fmt.Errorf("postgres: apply: %q is no identifier", c.Outlet)
			continue
		}
		valid = append(valid, c)
	}
	return valid, nil
}

type writing func(context.Context, *pgx.Conn, ledgers) error

// repeat runs the transaction until it runs into no other, the second way of
// writing after a violation.
func (s *Store) repeat(ctx context.Context, changes []*keyservice.Change, write, afterViolation writing) error {
	for attempt := 1; ; attempt++ {
		err := s.transact(ctx, changes, write)
		switch {
		case isViolation(err):
			write = afterViolation
		case isConflict(err):
			time.Sleep(rand.N(time.Duration(attempt) * 10 * time.Millisecond))
		default:
			return failure("apply", err)
		}
		if attempt == attempts {
			return failure("apply", err)
		}
	}
}

// ledgers are the changes of a transaction with what they see and record.
type ledgers []ledger

type ledger struct {
	change *keyservice.Change
	*keyservice.Ledger
}

// transact locks, reads, decides, and lets write write and commit. Only the
// first part ends with ctx, so that a caller who gives up leaves no doubt
// behind.
func (s *Store) transact(ctx context.Context, changes []*keyservice.Change,
	write writing) error {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer pooled.Release()
	conn := pooled.Conn()
	defer s.rollback(ctx, conn)

	all, err := load(ctx, conn, changes)
	if err != nil {
		return err
	}
	var decided ledgers
	for _, l := range all {
		if l.change.Err = l.change.Decide(l.Ledger); l.change.Err == nil {
			decided = append(decided, l)
		}
	}
	if len(decided) == 0 {
		return nil
	}
	// The server gives up after s.timeout; beyond that the network is at fault.
	wctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*s.timeout)
	defer cancel()
	return write(wctx, conn, decided)
}

// rollback ends a transaction that was not committed.
func (s *Store) rollback(ctx context.Context, conn *pgx.Conn) {
	if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	_, _ = conn.Exec(ctx, "ROLLBACK") // if it fails, the pool drops the connection, and the server rolls back
}

// writeTogether writes everything at once, in arrays.
func (s *Store) writeTogether(ctx context.Context, conn *pgx.Conn, all ledgers) error {
	b := &pgx.Batch{}
	all.queue(b)
	b.Queue("COMMIT")
	return send(ctx, conn, b)
}

// writeSingly is the way after a violation: it finds the changes that are at
// fault, rolls each back to its own savepoint, and commits the others.
func (s *Store) writeSingly(ctx context.Context, conn *pgx.Conn, all ledgers) error {
	for i, l := range all {
		b := &pgx.Batch{}
		b.Queue("SAVEPOINT change")
		all[i : i+1].queue(b)
		b.Queue("RELEASE change")
		err := conn.SendBatch(ctx, b).Close()
		switch {
		case err == nil:
			continue
		case isEnrolled(err):
			l.change.Err = keyservice.ErrExists
		case isViolation(err):
			l.change.Err = failure("apply", err)
		default:
			return err
		}
		if _, err := conn.Exec(ctx, "ROLLBACK TO change"); err != nil {
			return err
		}
	}
	b := &pgx.Batch{}
	b.Queue("COMMIT")
	return send(ctx, conn, b)
}

// send runs a batch that ends with COMMIT, and tells whether its outcome is
// known.
func send(ctx context.Context, conn *pgx.Conn, b *pgx.Batch) error {
	results := conn.SendBatch(ctx, b)
	var err error
	done := 0
	for ; done < b.Len() && err == nil; done++ {
		_, err = results.Exec()
	}
	err = errors.Join(err, results.Close())
	if err == nil {
		return nil
	}
	if known(err, done == b.Len()) {
		return err
	}
	return fmt.Errorf("postgres: commit: %w: %w", keyservice.ErrInDoubt, err)
}

// known says that the transaction was certainly not committed: nothing was
// sent, or the server has refused a statement before the commit, or the commit
// itself in an orderly way.
func known(err error, atCommit bool) bool {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return !atCommit || e.SeverityUnlocalized == "ERROR"
	}
	return pgconn.SafeToRetry(err)
}

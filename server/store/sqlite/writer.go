package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	lib "modernc.org/sqlite/lib"

	"hufu/server/keyservice"
)

// writer is the one connection that writes, and its prepared statements.
type writer struct {
	turn chan struct{} // holds a token while nobody writes
	conn *sql.Conn
	stmt map[string]*sql.Stmt // by their text
}

func newWriter(ctx context.Context, db *sql.DB) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, failure("open", err)
	}
	w := &writer{turn: make(chan struct{}, 1), conn: conn, stmt: make(map[string]*sql.Stmt)}
	w.turn <- struct{}{}
	return w, nil
}

func (w *writer) close() error {
	if _, open := <-w.turn; !open {
		return nil
	}
	close(w.turn)
	var errs []error
	for _, s := range w.stmt {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// transact runs f between BEGIN IMMEDIATE and COMMIT. Only the waiting ends
// with ctx: what has begun is short and runs to its end, so that a caller who
// gives up leaves no doubt behind.
func (w *writer) transact(ctx context.Context, f func() error) error {
	select {
	case _, open := <-w.turn:
		if !open {
			return fmt.Errorf("sqlite: %w: the store is closed", keyservice.ErrBusy)
		}
	case <-ctx.Done():
		return failure("wait for the writer", ctx.Err())
	}
	defer func() { w.turn <- struct{}{} }()

	done := false
	defer func() {
		if !done {
			// Whatever went wrong, a panic included; SQLite may have rolled
			// back by itself, and then this fails and that is well.
			_, _ = w.conn.ExecContext(context.Background(), "ROLLBACK")
		}
	}()
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return failure("begin", err)
	}
	if err := f(); err != nil {
		return err
	}
	if _, err := w.exec("COMMIT"); err != nil {
		if code(err) == lib.SQLITE_IOERR {
			// The record may have reached the journal all the same.
			return fmt.Errorf("sqlite: commit: %w: %w", keyservice.ErrInDoubt, err)
		}
		return failure("commit", err)
	}
	done = true
	return nil
}

func (w *writer) prepared(query string) (*sql.Stmt, error) {
	if s := w.stmt[query]; s != nil {
		return s, nil
	}
	s, err := w.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	w.stmt[query] = s
	return s, nil
}

// exec runs a statement whose text is constant, and returns the number of
// rows that it changed.
func (w *writer) exec(query string, args ...any) (int64, error) {
	s, err := w.prepared(query)
	if err != nil {
		return 0, err
	}
	r, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// query calls row for every row of the answer.
func (w *writer) query(row func(scan func(...any) error) error, query string, args ...any) error {
	s, err := w.prepared(query)
	if err != nil {
		return err
	}
	rows, err := s.Query(args...)
	return each(rows, err, row)
}

// each closes rows after it has called row for every one of them.
func each(rows *sql.Rows, err error, row func(scan func(...any) error) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

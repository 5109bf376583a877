package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"hufu/server/keyservice"
)

// failure wraps err, which may be nil, with what was being done; and with
// ErrBusy if the database cannot be used now.
func failure(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyservice.ErrInDoubt):
		return err
	case isBusy(err):
		return fmt.Errorf("postgres: %s: %w: %w", doing, keyservice.ErrBusy, err)
	}
	return fmt.Errorf("postgres: %s: %w", doing, err)
}

// sqlState is the code that the server sent, empty if err is not from there.
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// isBusy says that the database is full, away, going away or read-only, or
// that it took too long.
func isBusy(err error) bool {
	if code := sqlState(err); code != "" {
		return pgerrcode.IsConnectionException(code) ||
			pgerrcode.IsInsufficientResources(code) ||
			pgerrcode.IsOperatorIntervention(code) ||
			pgerrcode.IsSystemError(code) ||
			isConflict(err) ||
			code == pgerrcode.LockNotAvailable ||
			code == pgerrcode.ReadOnlySQLTransaction ||
			code == pgerrcode.IdleInTransactionSessionTimeout
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return isLost(err)
}

// isLost says that there is no connection, or none any more.
func isLost(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// isConflict says that the transaction ran into another and may be repeated.
func isConflict(err error) bool {
	code := sqlState(err)
	return code == pgerrcode.DeadlockDetected || code == pgerrcode.SerializationFailure
}

// isViolation says that what was written is at fault, and not the store.
func isViolation(err error) bool {
	code := sqlState(err)
	return pgerrcode.IsIntegrityConstraintViolation(code) || pgerrcode.IsDataException(code)
}

// isEnrolled says that a new outlet was there already.
func isEnrolled(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == pgerrcode.UniqueViolation && e.TableName == "outlet"
}

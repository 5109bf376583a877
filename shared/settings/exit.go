// Package settings is how the two programs take their settings and tell how
// they ended: flag > HUFU_* environment > TOML file > default, over one struct.
package settings

import "errors"

// Exit codes, the same for hufu and hufu-server.
const (
	ExitOK           = 0
	ExitFailure      = 1 // anything that has no code of its own
	ExitUsage        = 2 // the command line, the environment or the settings file is wrong
	ExitRefused      = 3 // the server, or a rule, refused: revoked, expired, not permitted, no such key
	ExitUnreachable  = 4 // the server or the database cannot be reached, or refuses to open
	ExitMismatch     = 5 // the two ends hold different keys
	ExitSharedMemory = 6 // the segment: absent, full, of another version, in use by another writer
)

// exitError is an error that knows its exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// With gives an error its exit code. Nil stays nil.
func With(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

// Code is the exit code that an error ends the program with.
func Code(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &e):
		return e.code
	}
	return ExitFailure
}

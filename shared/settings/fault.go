package settings

import (
	"fmt"
	"os"
	"runtime"
)

// fault is an error in English whose words in every language stand in the
// catalog under its key.
type fault struct {
	key, english string
	args         []any
}

func (f *fault) Error() string                { return fmt.Sprintf(f.english, f.args...) }
func (f *fault) Words() (key string, _ []any) { return f.key, f.args }

// UsageError says that the command line or the environment is wrong.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Private refuses a file with a secret in it that others can read. Windows has
// no such mode: there the folder's access list decides. A credential of the
// service is taken as systemd makes it.
func Private(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" && !isCredential(f.Name(), st) {
		return &fault{"err_readable", "%s can be read by others (mode %04o); run: chmod 600 %s", []any{f.Name(), mode, f.Name()}}
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// The enrolment is the token itself, in a 0600 file of the home folder.

const (
	enrolmentFile = "token"
	maxTokenFile  = 4096
)

// defaultHome is where an enrolment stands by default.
func defaultHome() string {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "hufu")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "hufu-home"
	}
	return filepath.Join(home, ".local", "state", "hufu")
}

var errNotEnrolled = text.Errorf("err_not_enrolled")

// loadToken reads the stored enrolment. Zero its secret.
func (e *env) loadToken() (*wire.Token, error) {
	path := filepath.Join(e.Home, enrolmentFile)
	t, err := readTokenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, settings.With(settings.ExitUsage, errNotEnrolled)
	}
	if err != nil {
		return nil, settings.With(settings.ExitUsage, fmt.Errorf("%s: %w", path, err))
	}
	return t, nil
}

// readTokenFile reads a token from a file that nobody else may read.
func readTokenFile(path string) (*wire.Token, error) {
	f, err := openPrivate(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readToken(f)
}

// openPrivate opens a file that nobody else may read.
func openPrivate(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := settings.Private(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func readToken(r io.Reader) (*wire.Token, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxTokenFile))
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	return wire.DecodeToken(string(raw))
}

// storeToken replaces the stored enrolment as a whole, durably: at every
// moment either the old one stands there or the new one.
func (e *env) storeToken(t *wire.Token) error {
	ascii, err := t.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(e.Home, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(e.Home, ".token-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.WriteString(f, ascii+"\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(e.Home, enrolmentFile)); err != nil {
		return err
	}
	return syncDir(e.Home)
}

// syncDir makes a change of the folder durable. Windows has no way to ask for it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// wipeToken overwrites the stored enrolment, as far as a file system allows,
// and removes it.
func (e *env) wipeToken() error {
	path := filepath.Join(e.Home, enrolmentFile)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, st.Size()))
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncDir(e.Home)
}

// Package schema compares the version of a store's schema with the one that
// the program was built for.
package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

var (
	// ErrOld says that migrations are missing.
	ErrOld = errors.New("store: the schema is older than this program: run hufu-server migrate")
	// ErrNew says that a newer program has migrated the store.
	ErrNew = errors.New("store: the schema is newer than this program: upgrade the program")
)

// Newest returns the greatest number of the migrations in fsys, whose names
// are like 0001_history.sql.
func Newest(fsys fs.FS) (int64, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return 0, err
	}
	var newest int64
	for _, name := range names {
		prefix, _, _ := strings.Cut(name, "_")
		n, err := strconv.ParseInt(prefix, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("store: migration %s has no number: %w", name, err)
		}
		newest = max(newest, n)
	}
	return newest, nil
}

// Check returns an error that wraps ErrOld or ErrNew if the store's version
// is not the newest in fsys.
func Check(version int64, fsys fs.FS) error {
	newest, err := Newest(fsys)
	switch {
	case err != nil:
		return err
	case version < newest:
		return fmt.Errorf("%w (it has %d, needed is %d)", ErrOld, version, newest)
	case version > newest:
		return fmt.Errorf("%w (it has %d, known is %d)", ErrNew, version, newest)
	}
	return nil
}

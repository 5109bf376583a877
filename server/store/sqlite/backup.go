package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"hufu/server/store/schema"
)

// Backup writes a consistent copy of the store at path to a new file, 0600,
// while others go on using it.
func Backup(ctx context.Context, path, to string) (err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sqlite: no file %s: %w", path, schema.ErrOld)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("sqlite: backup: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(to))
		}
	}()
	db, err := openDB(path, writing) // a reader's connection refuses to write another file too
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, to); err != nil {
		return failure("backup", err)
	}
	return f.Sync()
}

// Check tells whether a file is a whole store of the program's schema or an
// older one.
func Check(ctx context.Context, path string) (err error) {
	db, err := openDB(path, reading)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&said); err != nil {
		return failure("check", err)
	}
	if said != "ok" {
		return fmt.Errorf("sqlite: %s is damaged: %s", path, said)
	}
	v, err := version(ctx, db)
	switch {
	case err != nil:
		return err
	case v == 0:
		return fmt.Errorf("sqlite: %s is not a store of hufu-server", path)
	}
	if err := schema.Check(v, migrations); errors.Is(err, schema.ErrNew) {
		return err
	}
	return nil
}

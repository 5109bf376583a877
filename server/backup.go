package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/server/store/sqlite"
	"hufu/shared/settings"
	"hufu/shared/text"
)

// migrateCmd brings the store's schema up to date.
type migrateCmd struct {
	Restored    bool   `help:"${help_restored}"`
	ServiceRole string `help:"${help_service_role}" placeholder:"ROLE"`
	PublishRole string `help:"${help_publisher_role}" placeholder:"ROLE"`
}

// Run is the command.
func (c *migrateCmd) Run(e *env) error {
	url, err := e.databaseURL()
	if err != nil {
		return err
	}
	switch {
	case url != "":
		err = settings.With(settings.ExitUnreachable, postgres.Migrate(e, url))
	case c.ServiceRole != "" || c.PublishRole != "":
		err = settings.With(settings.ExitUsage, text.Errorf("err_service_role"))
	default:
		err = sqlite.Migrate(e, e.sqlitePath())
	}
	if err != nil {
		return err
	}
	if c.ServiceRole != "" {
		if err := postgres.Grant(e, url, c.ServiceRole); err != nil {
			return err
		}
	}
	if c.PublishRole != "" {
		if err := postgres.GrantPublisher(e, url, c.PublishRole); err != nil {
			return err
		}
	}
	if c.Restored {
		return e.restored()
	}
	return e.Show(map[string]bool{"migrated": true}, func() string { return e.T("migrated") })
}

// restored makes a store that came from a backup safe to use.
func (e *env) restored() error {
	return e.with(func(in *installation) error {
		total, err := in.count(e)
		if err != nil {
			return err
		}
		bar := e.progress(total)
		err = in.service.EachOutlet(e, func(o *keyservice.Outlet) error {
			bar.Step()
			return in.service.Restored(e, o.ID)
		})
		bar.End()
		if err != nil {
			return text.Errorf("err_restored", bar.Done(), total, err)
		}
		return e.Show(map[string]int{"restored": total}, func() string { return e.T("restored", total) })
	})
}

// backupCmd copies the embedded store while it is in use.
type backupCmd struct {
	File string `arg:"" help:"${help_backup_file}" type:"path"`
}

var errPostgres = text.Errorf("err_postgres")

// Run is the command.
func (c *backupCmd) Run(e *env) error {
	if err := e.embedded(); err != nil {
		return err
	}
	if err := sqlite.Backup(e, e.sqlitePath(), c.File); err != nil {
		return err
	}
	return e.Show(map[string]string{"backup": c.File}, func() string { return e.T("backed_up", c.File) })
}

func (e *env) embedded() error {
	url, err := e.databaseURL()
	if err == nil && url != "" {
		err = settings.With(settings.ExitUsage, errPostgres)
	}
	return err
}

// restoreCmd puts a backup in the place of the embedded store.
type restoreCmd struct {
	File  string `arg:"" help:"${help_restore_file}" type:"path"`
	Force bool   `help:"${help_force}"`
}

// Run is the command.
func (c *restoreCmd) Run(e *env) error {
	if err := e.embedded(); err != nil {
		return err
	}
	if err := os.MkdirAll(e.Data, 0o700); err != nil {
		return err
	}
	unlock, err := e.lockData()
	if err != nil {
		return err
	}
	defer unlock()
	path := e.sqlitePath()
	if _, err := os.Lstat(path); err == nil && !c.Force {
		return settings.With(settings.ExitUsage, text.Errorf("err_store_there", path, path+beforeRestore))
	}
	fresh := path + ".restoring"
	if err := copyFile(c.File, fresh); err != nil {
		return err
	}
	if err := sqlite.Check(e, fresh); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	if err := swap(path, fresh); err != nil {
		return err
	}
	if err := sqlite.Migrate(e, path); err != nil {
		return err
	}
	return e.restored()
}

const beforeRestore = ".before-restore"

// swap puts fresh in the place of path. What stands there is kept aside, with
// its journals, without which it may not be whole.
func swap(path, fresh string) error {
	for _, suffix := range journals {
		// Of fresh nothing is in its journals: it was only read.
		if err := ignoreAbsent(os.Remove(fresh + suffix)); err != nil {
			return err
		}
	}
	for _, suffix := range append([]string{""}, journals...) {
		if err := ignoreAbsent(os.Rename(path+suffix, path+beforeRestore+suffix)); err != nil {
			return err
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// journals are SQLite's files beside a database.
var journals = []string{"-wal", "-shm"}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// lockData takes the data folder for this process: a server that runs, or a
// restore. The lock ends with the process, however it ends.
func (e *env) lockData() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(e.Data, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, text.Errorf("err_data_used", e.Data)
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}

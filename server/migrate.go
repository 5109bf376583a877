package main

import (
	"fmt"

	"hufu/server/store/postgres"
	"hufu/server/store/sqlite"
	"hufu/shared/settings"
)

// migrateCmd brings the store's schema up to date.
type migrateCmd struct{}

// Run is the command.
func (*migrateCmd) Run(e *env) error {
	url, err := e.databaseURL()
	if err != nil {
		return err
	}
	if url != "" {
		err = settings.With(settings.ExitUnreachable, postgres.Migrate(e, url))
	} else {
		err = sqlite.Migrate(e, e.sqlitePath())
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.W, e.T("migrated"))
	return err
}

package main

import (
	"errors"
	"strings"

	"github.com/alecthomas/kong"

	"hufu/shared/cli"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// configCmd is about the settings. It takes serve's flags, so that it tells of
// a command line what serve would.
type configCmd struct {
	serveSettings
	Check   configCheckCmd   `cmd:"" help:"${help_config_check}"`
	Show    configShowCmd    `cmd:"" help:"${help_config_show}"`
	Example settings.Example `cmd:"" help:"${help_config_example}"`
}

// configCheckCmd finds what is wrong with the settings.
type configCheckCmd struct{}

// Run is the command.
func (*configCheckCmd) Run(e *env, c *configCmd) error {
	_, serve := c.serveSettings.check()
	_, database := e.databaseURL()
	if err := errors.Join(e.Common.check(), serve, database); err != nil {
		return settings.With(settings.ExitUsage, err)
	}
	shown := struct {
		OK   bool   `json:"ok"`
		File string `json:"file,omitempty"`
	}{true, e.file}
	return e.Show(shown, func() string {
		if e.file == "" {
			return e.T("config_no_file", strings.Join(settings.Places(settingsFile), ", "))
		}
		return e.T("config_ok", e.file)
	})
}

// configShowCmd shows every setting and where its value came from.
type configShowCmd struct{}

// Run is the command.
func (*configShowCmd) Run(e *env, ctx *kong.Context, p *settings.Program) error {
	return cli.ShowSettings(e.Output, p, ctx)
}

// check refuses what cannot be the settings of any command.
func (c *Common) check() error {
	var errs []error
	if !wire.ValidID(c.ServerID) {
		errs = append(errs, text.Errorf("err_server_id", c.ServerID, wire.MaxID))
	}
	if !wire.ValidURL(c.URL) {
		errs = append(errs, text.Errorf("err_url", c.URL))
	}
	return errors.Join(errs...)
}

// settleDatabase lets the stronger source decide between PostgreSQL's address
// and a file that holds it.
func (c *Common) settleDatabase(url, file settings.Source) error {
	switch {
	case c.DatabaseURL == "" || c.DatabaseURLFile == "":
	case url.Before(file):
		c.DatabaseURLFile = ""
	case file.Before(url):
		c.DatabaseURL = ""
	default:
		return settings.With(settings.ExitUsage, text.Errorf("err_two_urls"))
	}
	return nil
}

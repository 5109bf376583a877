// Command hufu-server is the centre: it agrees on keys with its outlets, keeps
// their history and administers both.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"hufu/server/keyservice"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hufu-server: %s\n", describe(text.Detect(os.Getenv), err))
	}
	os.Exit(settings.Code(err))
}

// commands is the command line.
type commands struct {
	Common

	Serve   serveCmd   `cmd:"" help:"${help_serve}"`
	Migrate migrateCmd `cmd:"" help:"${help_migrate}"`
	Backup  backupCmd  `cmd:"" help:"${help_backup}"`
	Restore restoreCmd `cmd:"" help:"${help_restore}"`
	Outlet  struct {
		Add       outletAddCmd       `cmd:"" help:"${help_outlet_add}"`
		List      outletListCmd      `cmd:"" help:"${help_outlet_list}"`
		Show      outletShowCmd      `cmd:"" help:"${help_outlet_show}"`
		Enable    outletEnableCmd    `cmd:"" help:"${help_outlet_enable}"`
		Disable   outletDisableCmd   `cmd:"" help:"${help_outlet_disable}"`
		NewSecret outletNewSecretCmd `cmd:"" help:"${help_new_secret}"`
	} `cmd:"" help:"${help_outlet}"`
	Operator struct {
		Add       operatorAddCmd       `cmd:"" help:"${help_operator_add}"`
		List      operatorListCmd      `cmd:"" help:"${help_operator_list}"`
		Enable    operatorEnableCmd    `cmd:"" help:"${help_operator_enable}"`
		Disable   operatorDisableCmd   `cmd:"" help:"${help_operator_disable}"`
		NewSecret operatorNewSecretCmd `cmd:"" help:"${help_new_secret}"`
	} `cmd:"" help:"${help_operator}"`
	Key struct {
		List   keyListCmd   `cmd:"" help:"${help_key_list}"`
		Show   keyShowCmd   `cmd:"" help:"${help_key_show}"`
		Revoke keyRevokeCmd `cmd:"" help:"${help_key_revoke}"`
	} `cmd:"" help:"${help_key}"`
	Event struct {
		List eventListCmd `cmd:"" help:"${help_event_list}"`
	} `cmd:"" help:"${help_event}"`
	Kek struct {
		New    kekNewCmd    `cmd:"" help:"${help_kek_new}"`
		Rotate kekRotateCmd `cmd:"" help:"${help_kek_rotate}"`
		Check  kekCheckCmd  `cmd:"" help:"${help_kek_check}"`
	} `cmd:"" help:"${help_kek}"`
}

// Common is what every command takes.
type Common struct {
	Data            string `help:"${help_data}" default:"hufu-data" env:"HUFU_DATA" placeholder:"DIR" type:"path"`
	DatabaseURLFile string `help:"${help_database_url_file}" env:"HUFU_DATABASE_URL_FILE" placeholder:"FILE" type:"path"`
	KeyRing         string `help:"${help_key_ring}" env:"HUFU_KEY_RING" placeholder:"FILE" type:"path"`
	ServerID        string `help:"${help_server_id}" default:"HQ" env:"HUFU_SERVER_ID" placeholder:"ID"`
	URL             string `help:"${help_url}" default:"http://127.0.0.1:8470" env:"HUFU_URL" placeholder:"URL"`
	AsJSON          bool   `help:"${help_json}" name:"json" env:"HUFU_JSON"`
	Language        string `help:"${help_lang}" name:"lang" env:"HUFU_LANG" placeholder:"en|zh"`
}

// env is where a command runs.
type env struct {
	context.Context
	Common
	text.Output
	stderr io.Writer
}

// run is the whole program, as tests call it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var c commands
	lang := text.Detect(os.Getenv)
	parsed, err := settings.Parse(&c, args, settings.Program{
		Name: "hufu-server", Description: lang.T("about_server"), Vars: lang.All(), Stdout: stdout, Stderr: stderr,
	})
	if err != nil || parsed == nil {
		return err
	}
	if c.Language != "" {
		named, ok := text.Parse(c.Language)
		if !ok {
			return settings.With(settings.ExitUsage, fmt.Errorf("--lang %q is not a language that is here; use en or zh", c.Language))
		}
		lang = named
	}
	return parsed.Run(&env{Context: ctx, Common: c.Common, stderr: stderr,
		Output: text.Output{W: stdout, JSON: c.AsJSON, Lang: lang}})
}

// describe words an error for a person.
func describe(lang text.Lang, err error) string {
	switch {
	case errors.Is(err, keyservice.ErrNoOutlet):
		return lang.T("err_no_outlet")
	case errors.Is(err, keyservice.ErrExists):
		return lang.T("err_exists")
	case errors.Is(err, wire.CodeNoKey):
		return lang.T("err_no_key")
	case errors.Is(err, wire.CodeExpired):
		return lang.T("err_key_expired")
	}
	return err.Error()
}

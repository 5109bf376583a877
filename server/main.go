// Command hufu-server is the centre: it agrees on keys with its outlets, keeps
// their history and administers both.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"hufu/shared/settings"
	"hufu/shared/text"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hufu-server: %s\n", err)
	}
	os.Exit(settings.Code(err))
}

// commands is the command line.
type commands struct {
	Common

	Serve    serveCmd    `cmd:"" help:"${help_serve}"`
	Publish  publishCmd  `cmd:"" help:"${help_publish}"`
	Migrate  migrateCmd  `cmd:"" help:"${help_migrate}"`
	Backup   backupCmd   `cmd:"" help:"${help_backup}"`
	Restore  restoreCmd  `cmd:"" help:"${help_restore}"`
	Overview overviewCmd `cmd:"" help:"${help_overview}"`
	Outlet   struct {
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
	Config     configCmd           `cmd:"" help:"${help_config}"`
	Completion settings.Completion `cmd:"" help:"${help_completion}"`
	Man        settings.Man        `cmd:"" help:"${help_man}"`
}

// Common is what every command takes. Whatever has a variable is a setting.
type Common struct {
	Data            string `help:"${help_data}" default:"hufu-data" env:"HUFU_DATA" placeholder:"DIR" type:"path"`
	DatabaseURLFile string `help:"${help_database_url_file}" default:"" env:"HUFU_DATABASE_URL_FILE" placeholder:"FILE" type:"path"`
	DatabaseURL     string `kong:"-"`
	KeyRing         string `help:"${help_key_ring}" default:"" env:"HUFU_KEY_RING" placeholder:"FILE" type:"path"`
	ServerID        string `help:"${help_server_id}" default:"HQ" env:"HUFU_SERVER_ID" placeholder:"ID"`
	URL             string `help:"${help_url}" default:"http://127.0.0.1:8470" env:"HUFU_URL" placeholder:"URL"`
	AsJSON          bool   `help:"${help_json}" name:"json" env:"HUFU_JSON"`
	Language        string `help:"${help_lang}" name:"lang" env:"HUFU_LANG" placeholder:"en|zh"`

	Config  string           `help:"${help_config_file}" default:"" env:"HUFU_CONFIG" placeholder:"FILE" type:"path"`
	Version kong.VersionFlag `help:"${help_version}"`
}

// env is where a command runs.
type env struct {
	context.Context
	Common
	text.Output
	stderr io.Writer
	file   string // the settings file; empty: none
}

// run is the whole program, as tests call it. Its error is in the person's language.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	file := settings.Open(settingsFile, args)
	lang := language(args, file)
	if err := execute(ctx, args, file, lang, stdout, stderr); err != nil {
		return text.Tell(err, describe(lang, err))
	}
	return nil
}

func execute(ctx context.Context, args []string, file *settings.File, lang text.Lang, stdout, stderr io.Writer) error {
	var c commands
	p := program(&c, file, lang)
	p.Stdout, p.Stderr = stdout, stderr
	parsed, err := settings.Parse(&c, args, p)
	if err != nil || parsed == nil {
		return err
	}
	if _, ok := text.Parse(c.Language); c.Language != "" && !ok {
		return settings.With(settings.ExitUsage, text.Errorf("err_lang", c.Language))
	}
	e := &env{Context: ctx, Common: c.Common, stderr: stderr, file: file.Path,
		Output: text.Output{W: stdout, JSON: c.AsJSON, Lang: lang}}
	if err := e.settleDatabase(p.SourceOf(parsed, "database-url"), p.SourceOf(parsed, "database-url-file")); err != nil {
		return err
	}
	return parsed.Run(e)
}

// language is the one that is asked for, else the locale's.
func language(args []string, file *settings.File) text.Lang {
	if lang, ok := text.Parse(settings.Early(args, file, "lang", "HUFU_LANG")); ok {
		return lang
	}
	return text.Detect(os.Getenv)
}

// settingsFile is the settings file's name.
const settingsFile = "hufu-server.toml"

// program is what the command line is parsed for.
func program(c *commands, file *settings.File, lang text.Lang) *settings.Program {
	p := &settings.Program{
		Name: "hufu-server", Description: lang.T("about_server"), Section: "8", File: file, T: lang.T,
		Secrets: []settings.Secret{{Key: "database-url", Env: "HUFU_DATABASE_URL", Help: lang.T("help_database_url"), Value: &c.DatabaseURL}},
	}
	p.Vars = map[string]string{"version": settings.ThisBuild().Line(p.Name, lang.T)}
	return p
}

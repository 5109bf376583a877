// Command hufu is the outlet: it negotiates keys with the centre and keeps
// them in shared memory for the applications beside it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
	"hufu/shm"
)

func main() {
	if err := noCore(); err != nil {
		fmt.Fprintf(os.Stderr, "hufu: %s\n", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "hufu: %s\n", err)
	}
	os.Exit(exitCode(err))
}

// commands is the command line.
type commands struct {
	Common

	Menu      menuCmd      `cmd:"" default:"1" hidden:""`
	Enrol     enrolCmd     `cmd:"" help:"${help_enrol}"`
	Unenrol   unenrolCmd   `cmd:"" help:"${help_unenrol}"`
	Negotiate negotiateCmd `cmd:"" help:"${help_negotiate}"`
	Verify    verifyCmd    `cmd:"" help:"${help_verify}"`
	Revoke    revokeCmd    `cmd:"" help:"${help_revoke}"`
	View      viewCmd      `cmd:"" help:"${help_view}"`
	Show      showCmd      `cmd:"" help:"${help_show}"`
	Agent     agentCmd     `cmd:"" help:"${help_agent}"`
	Status    statusCmd    `cmd:"" help:"${help_status}"`
	Admin     adminCmd     `cmd:"" help:"${help_admin}"`
	Shm       struct {
		Create  shmCreateCmd  `cmd:"" help:"${help_shm_create}"`
		Info    shmInfoCmd    `cmd:"" help:"${help_shm_info}"`
		Destroy shmDestroyCmd `cmd:"" help:"${help_shm_destroy}"`
	} `cmd:"" help:"${help_shm}"`
	Config     configCmd           `cmd:"" help:"${help_config}"`
	Completion settings.Completion `cmd:"" help:"${help_completion}"`
	Man        settings.Man        `cmd:"" help:"${help_man}"`
}

// Common is what every command takes. Whatever has a variable is a setting.
type Common struct {
	Home          string   `help:"${help_home}" default:"${home}" env:"HUFU_HOME" placeholder:"DIR" type:"path"`
	Segment       string   `help:"${help_segment}" default:"hufu" env:"HUFU_SEGMENT" placeholder:"NAME"`
	ShmDir        string   `help:"${help_shm_dir}" default:"/dev/shm" env:"HUFU_SHM_DIR" placeholder:"DIR" type:"path"`
	Capacity      int      `help:"${help_capacity}" default:"64" env:"HUFU_CAPACITY" placeholder:"N"`
	GroupReadable bool     `help:"${help_group}" env:"HUFU_GROUP_READABLE"`
	Server        []string `help:"${help_server}" env:"HUFU_SERVERS" placeholder:"URL"`
	CA            string   `help:"${help_ca}" name:"ca" default:"" env:"HUFU_CA" placeholder:"FILE" type:"path"`
	TLSCert       string   `help:"${help_tls_cert}" name:"tls-cert" default:"" env:"HUFU_TLS_CERT" placeholder:"FILE" type:"path"`
	TLSKey        string   `help:"${help_tls_key}" name:"tls-key" default:"" env:"HUFU_TLS_KEY" placeholder:"FILE" type:"path"`
	AsJSON        bool     `help:"${help_json}" name:"json" env:"HUFU_JSON"`
	Language      string   `help:"${help_lang}" name:"lang" env:"HUFU_LANG" placeholder:"en|zh"`

	Config  string           `help:"${help_config_file}" default:"" env:"HUFU_CONFIG" placeholder:"FILE" type:"path"`
	Version kong.VersionFlag `help:"${help_version}"`
}

// checkServers refuses what cannot be a server's address, by a token's rules.
func (c *Common) checkServers() error {
	for _, url := range c.Server {
		if !wire.ValidURL(url) {
			return text.Errorf("err_server_url", url)
		}
	}
	return nil
}

// servers are where the server may be reached, in the order of trying: as set,
// else as the token says.
func (c *Common) servers(t *wire.Token) []string {
	if len(c.Server) > 0 {
		return c.Server
	}
	return []string{t.URL}
}

// addresses are those of its WebSocket.
func (c *Common) addresses(t *wire.Token) (list []string) {
	for _, url := range c.servers(t) {
		list = append(list, (&wire.Token{URL: url}).Dial())
	}
	return list
}

// segment says where the keys stand.
func (c *Common) segment() shm.Options {
	return shm.Options{Dir: c.ShmDir, Name: c.Segment, Capacity: c.Capacity, GroupReadable: c.GroupReadable}
}

// env is where a command runs.
type env struct {
	context.Context
	Common
	text.Output
	stdin  io.Reader
	stderr io.Writer
	file   string // the settings file; empty: none
	warned bool   // that the way to the server is not encrypted
}

// run is the whole program, as tests call it. Its error is in the person's language.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	file := settings.Open(settingsFile, args)
	lang := language(args, file)
	if err := execute(ctx, args, file, lang, stdin, stdout, stderr); err != nil {
		return text.Tell(err, describe(lang, err))
	}
	return nil
}

func execute(ctx context.Context, args []string, file *settings.File, lang text.Lang, stdin io.Reader, stdout, stderr io.Writer) error {
	var c commands
	p := program(file, lang)
	p.Stdout, p.Stderr = stdout, stderr
	parsed, err := settings.Parse(&c, args, p)
	if err != nil || parsed == nil {
		return err
	}
	if _, ok := text.Parse(c.Language); c.Language != "" && !ok {
		return settings.With(settings.ExitUsage, text.Errorf("err_lang", c.Language))
	}
	if err := c.checkServers(); err != nil {
		return settings.With(settings.ExitUsage, err)
	}
	return parsed.Run(&env{Context: ctx, Common: c.Common, stdin: stdin, stderr: stderr, file: file.Path,
		Output: text.Output{W: stdout, JSON: c.AsJSON, Lang: lang}})
}

// language is the one that is asked for, else the locale's.
func language(args []string, file *settings.File) text.Lang {
	if lang, ok := text.Parse(settings.Early(args, file, "lang", "HUFU_LANG")); ok {
		return lang
	}
	return text.Detect(os.Getenv)
}

// settingsFile is the settings file's name.
const settingsFile = "hufu.toml"

// program is what the command line is parsed for.
func program(file *settings.File, lang text.Lang) *settings.Program {
	p := &settings.Program{Name: "hufu", Description: lang.T("about_hufu"), Section: "1", File: file, T: lang.T, LastExit: exitNoAgent}
	p.Vars = map[string]string{"home": defaultHome(), "version": settings.ThisBuild().Line(p.Name, lang.T)}
	return p
}

// isTerminal reports whether a person sits at the other end.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

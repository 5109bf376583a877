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

	"golang.org/x/term"

	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shm"
)

func main() {
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
	Shm       struct {
		Create  shmCreateCmd  `cmd:"" help:"${help_shm_create}"`
		Info    shmInfoCmd    `cmd:"" help:"${help_shm_info}"`
		Destroy shmDestroyCmd `cmd:"" help:"${help_shm_destroy}"`
	} `cmd:"" help:"${help_shm}"`
}

// Common is what every command takes.
type Common struct {
	Home          string `help:"${help_home}" default:"${home}" env:"HUFU_HOME" placeholder:"DIR" type:"path"`
	Segment       string `help:"${help_segment}" default:"hufu" env:"HUFU_SEGMENT" placeholder:"NAME"`
	ShmDir        string `help:"${help_shm_dir}" default:"/dev/shm" env:"HUFU_SHM_DIR" placeholder:"DIR" type:"path"`
	Capacity      int    `help:"${help_capacity}" default:"64" env:"HUFU_CAPACITY" placeholder:"N"`
	GroupReadable bool   `help:"${help_group}" env:"HUFU_GROUP_READABLE"`
	CA            string `help:"${help_ca}" name:"ca" env:"HUFU_CA" placeholder:"FILE" type:"path"`
	TLSCert       string `help:"${help_tls_cert}" name:"tls-cert" env:"HUFU_TLS_CERT" placeholder:"FILE" type:"path"`
	TLSKey        string `help:"${help_tls_key}" name:"tls-key" env:"HUFU_TLS_KEY" placeholder:"FILE" type:"path"`
	AsJSON        bool   `help:"${help_json}" name:"json" env:"HUFU_JSON"`
	Language      string `help:"${help_lang}" name:"lang" env:"HUFU_LANG" placeholder:"en|zh"`
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
	warned bool // that the way to the server is not encrypted
}

// run is the whole program, as tests call it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var c commands
	lang := text.Detect(os.Getenv)
	vars := lang.All()
	vars["home"] = defaultHome()
	parsed, err := settings.Parse(&c, args, settings.Program{
		Name: "hufu", Description: lang.T("about_hufu"), Vars: vars, Stdout: stdout, Stderr: stderr,
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
	err = parsed.Run(&env{Context: ctx, Common: c.Common, stdin: stdin, stderr: stderr,
		Output: text.Output{W: stdout, JSON: c.AsJSON, Lang: lang}})
	if err != nil {
		return &told{err, describe(lang, err)}
	}
	return nil
}

// isTerminal reports whether a person sits at the other end.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
)

// Program is what a command line is parsed for. Commands can have it bound.
type Program struct {
	Name, Description string
	Section           string            // of the manual
	Vars              map[string]string // for ${name} in defaults
	Secrets           []Secret
	LastExit          int // the greatest exit code, if there are some after ExitSharedMemory
	File              *File
	T                 func(key string, args ...any) string // the catalog, in the person's language
	Stdout, Stderr    io.Writer
}

// helpShown is what kong panics with once help or the version was printed.
type helpShown struct{ code int }

// Parse reads args into cli, a pointer to a struct with kong's tags: a flag
// before the environment, that before the file, that before the default.
// Errors have ExitUsage. A nil context says that help was printed.
func Parse(cli any, args []string, p *Program) (ctx *kong.Context, err error) {
	defer func() {
		if shown, is := recover().(helpShown); is {
			ctx, err = nil, nil
			if shown.code != 0 {
				err = With(shown.code, fmt.Errorf("%s: usage", p.Name))
			}
		}
	}()
	parser, err := Parser(cli, p)
	if err != nil {
		return nil, err
	}
	ctx, err = parser.Parse(args)
	var wrong *fileError
	var stopped *kong.ParseError
	if errors.As(err, &wrong) && errors.As(err, &stopped) && describesItself(stopped.Context) {
		p.File = &File{}
		return Parse(cli, args, p)
	}
	switch {
	case wrong != nil:
		return nil, With(ExitUsage, wrong.error)
	case err != nil:
		return nil, With(ExitUsage, &UsageError{err})
	}
	p.takeSecrets()
	return ctx, nil
}

// Parser makes the parser of a command line, for its model.
func Parser(cli any, p *Program) (*kong.Kong, error) {
	parser, err := kong.New(cli, kong.Name(p.Name), kong.Description(p.Description), kong.Vars(p.Vars),
		kong.PostBuild(p.wordHelp), kong.Writers(p.Stdout, p.Stderr), kong.Bind(p), kong.Resolvers(&resolver{p: p}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(p.help),
		kong.Exit(func(code int) { panic(helpShown{code}) }))
	if err != nil {
		return nil, fmt.Errorf("the command line cannot be built: %w", err)
	}
	parser.Model.HelpFlag.Help = p.T("help_help")
	return parser, nil
}

var helpText = regexp.MustCompile(`^\$\{(help_\w+)\}$`)

// wordHelp puts the texts in the place of their keys. Kong would do it with
// variables, but goes through all of them for every flag, at every start.
func (p *Program) wordHelp(k *kong.Kong) error {
	word := func(help *string) {
		if m := helpText.FindStringSubmatch(*help); m != nil {
			*help = p.T(m[1])
		}
	}
	return kong.Visit(k.Model, func(v kong.Visitable, next kong.Next) error {
		switch v := v.(type) {
		case *kong.Application:
			word(&v.Help)
		case *kong.Node:
			word(&v.Help)
		case *kong.Value:
			word(&v.Help)
		case *kong.Flag:
			word(&v.Help)
		}
		return next(nil)
	})
}

// describesItself tells the commands that tell about the program alone: they
// are of use also when the settings are wrong.
func describesItself(ctx *kong.Context) bool {
	node := ctx.Selected()
	if node == nil {
		return false
	}
	switch node.Target.Addr().Interface().(type) {
	case *Completion, *Man, *Example:
		return true
	}
	return false
}

// help prints kong's help with its headings in the person's language.
func (p *Program) help(options kong.HelpOptions, ctx *kong.Context) error {
	var b bytes.Buffer
	out := ctx.Stdout
	ctx.Stdout = &b
	err := kong.DefaultHelpPrinter(options, ctx)
	ctx.Stdout = out
	if err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(out, p.heading(line)); err != nil {
			return err
		}
	}
	return nil
}

// heading words those lines of kong's help that stand in no help text.
func (p *Program) heading(line string) string {
	for _, h := range []struct{ english, key string }{
		{"Usage:", "help_usage"}, {"Flags:", "help_flags"}, {"Arguments:", "help_arguments"}, {"Commands:", "help_commands"},
	} {
		if rest, is := strings.CutPrefix(line, h.english); is {
			return p.T(h.key) + rest
		}
	}
	if strings.HasPrefix(line, `Run "`+p.Name+" ") {
		return p.T("help_more", p.Name) + "\n"
	}
	return line
}

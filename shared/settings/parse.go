package settings

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Program is what a command line is parsed for.
type Program struct {
	Name, Description string
	Vars              map[string]string // for ${name} in help texts
	Stdout, Stderr    io.Writer
}

// helpShown is what kong panics with once help or the version was printed.
type helpShown struct{ code int }

// Parse reads args into cli, a pointer to a struct with kong's tags. Errors
// have ExitUsage. A nil context says that help was printed.
func Parse(cli any, args []string, p Program) (ctx *kong.Context, err error) {
	defer func() {
		if shown, is := recover().(helpShown); is {
			ctx, err = nil, nil
			if shown.code != 0 {
				err = With(shown.code, fmt.Errorf("%s: usage", p.Name))
			}
		}
	}()
	parser, err := kong.New(cli, kong.Name(p.Name), kong.Description(p.Description), kong.Vars(p.Vars),
		kong.Writers(p.Stdout, p.Stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(code int) { panic(helpShown{code}) }))
	if err != nil {
		return nil, fmt.Errorf("the command line cannot be built: %w", err)
	}
	ctx, err = parser.Parse(args)
	if err != nil {
		return nil, With(ExitUsage, err)
	}
	return ctx, nil
}

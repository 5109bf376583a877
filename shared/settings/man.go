package settings

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// Man is the command that writes the manual page, made from the tree of
// commands, for man(1).
type Man struct{}

// Run is the command.
func (*Man) Run(k *kong.Kong, p *Program) error {
	m := &manual{Program: p}
	m.write(k.Model)
	_, err := m.WriteTo(k.Stdout)
	return err
}

// manual is a page that grows.
type manual struct {
	bytes.Buffer
	*Program
}

func (m *manual) line(format string, args ...any) { fmt.Fprintf(m, format+"\n", args...) }

func (m *manual) section(key string) { m.line(".SH %s", roff(m.T(key))) }

func (m *manual) write(app *kong.Application) {
	build := ThisBuild()
	paragraphs := strings.Split(app.Help, "\n\n")
	m.line(".TH %s %s \"%s\" \"Hufu\" \"\"", strings.ToUpper(roff(m.Name)), m.Section, build.Date)
	m.line(".ad l") // text without spaces cannot be justified
	m.section("man_name")
	m.line("%s \\-\n%s", roff(m.Name), paragraph(strings.TrimRight(paragraphs[0], ".。")))
	m.section("man_synopsis")
	m.synopsis(m.Name, "<command>", "[flags]")
	m.section("man_description")
	for i, p := range paragraphs {
		if i > 0 {
			m.line(".PP")
		}
		m.line("%s", paragraph(p))
	}
	all := places(app.Node, "", nil)
	m.section("man_flags")
	m.flags(all[0].own)
	m.section("man_commands")
	for _, p := range all[1:] {
		m.command(&p)
	}
	m.settings(app)
	m.section("man_exit")
	for code := ExitOK; code <= max(ExitSharedMemory, m.LastExit); code++ {
		m.item(strconv.Itoa(code), m.T(fmt.Sprintf("exit_%d", code)))
	}
}

func (m *manual) synopsis(name string, rest ...string) {
	m.line(".B %s", roff(name))
	for _, r := range rest {
		m.line("%s", roff(r))
	}
}

// command tells of one command; of a group of commands only what it adds.
func (m *manual) command(p *place) {
	if len(p.commands) > 0 && len(p.own) == 0 {
		return
	}
	m.line(".SS %s", roff(m.Name+" "+p.path))
	if len(p.commands) == 0 {
		var rest []string
		for _, arg := range p.node.Positional {
			rest = append(rest, arg.Summary())
		}
		m.synopsis(m.Name+" "+p.path, append(rest, "[flags]")...)
		m.line(".PP")
	}
	m.line("%s", paragraph(p.node.Help))
	for _, arg := range p.node.Positional {
		m.item(arg.Summary(), arg.Help)
	}
	m.flags(p.own)
}

func (m *manual) flags(flags []*kong.Flag) {
	for _, flag := range flags {
		help := flag.Help
		if flag.Default != "" {
			help += " " + m.T("man_default", flag.Default)
		}
		m.item(flag.String(), help)
	}
}

// settings tells how a setting is set, and every variable.
func (m *manual) settings(app *kong.Application) {
	m.section("man_settings")
	m.line("%s", paragraph(m.T("man_order")))
	m.section("man_environment")
	for _, s := range m.All(app) {
		m.item(s.Env, s.Help)
	}
}

func (m *manual) item(name, words string) { m.line(".TP\n.B %s\n%s", roff(name), paragraph(words)) }

// manWidth is how long a line of the page's source may be.
const manWidth = 78

// paragraph is a paragraph of a page, in lines that are short where there are spaces.
func paragraph(s string) string {
	var b strings.Builder
	width := 0
	for _, word := range strings.Fields(s) {
		word = roff(word)
		switch {
		case b.Len() == 0:
		case width+1+len(word) > manWidth:
			b.WriteByte('\n')
			width = 0
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}

// roff makes s safe for roff: nothing of it is a request or an escape, a minus
// can be copied, and text without spaces may break between its characters.
func roff(s string) string {
	var b strings.Builder
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		b.WriteString(`\&`)
	}
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r >= 0x2e80:
			b.WriteRune(r)
			b.WriteString(`\:`)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

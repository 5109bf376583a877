package settings

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// Example is the command that writes a settings file to begin with: every
// setting with its default, commented out.
type Example struct{}

// Run is the command.
func (*Example) Run(k *kong.Kong, p *Program) error {
	var b bytes.Buffer
	comment := func(words string) {
		for line := range strings.Lines(words) {
			fmt.Fprintln(&b, strings.TrimSpace("# "+strings.TrimSpace(line)))
		}
	}
	comment(p.T("example_head", p.Name))
	for _, s := range p.All(k.Model) {
		if s.Key == configFlag {
			continue
		}
		b.WriteByte('\n')
		comment(s.Help + "\n" + s.Env)
		fmt.Fprintf(&b, "#%s = %s\n", s.Key, s.defaultTOML())
	}
	_, err := b.WriteTo(k.Stdout)
	return err
}

// defaultTOML is the default as it would stand in the file.
func (s *Setting) defaultTOML() string {
	if s.flag == nil {
		return `""`
	}
	switch t := s.flag.Target.Type(); {
	case t.Kind() == reflect.Slice:
		return "[" + strings.Join(quoted(strings.FieldsFunc(s.Default, func(r rune) bool { return r == ',' })), ", ") + "]"
	case t == duration, reflect.PointerTo(t).Implements(texts), t.Kind() == reflect.String:
		return strconv.Quote(s.Default)
	}
	return s.Default
}

package settings

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Completion is the command that writes a shell's completion script, made from
// the tree of commands.
type Completion struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"${help_completion_shell}"`
}

// Run is the command.
func (c *Completion) Run(k *kong.Kong) error {
	all := places(k.Model.Node, "", nil)
	write := map[string]func(*script, []place){"bash": bash, "zsh": zsh, "fish": fish}[c.Shell]
	s := &script{name: k.Model.Name, function: "_" + strings.ReplaceAll(k.Model.Name, "-", "_")}
	write(s, all)
	_, err := s.WriteTo(k.Stdout)
	return err
}

// script is a script that grows.
type script struct {
	bytes.Buffer
	name, function string
}

func (s *script) line(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// valued are the flags, of whatever command, that a value follows.
func valued(all []place) (names []string) {
	seen := make(map[string]bool)
	for _, p := range all {
		for _, flag := range p.own {
			if !takesOf(flag.Value).nothing && !seen[flag.Name] {
				seen[flag.Name] = true
				names = append(names, "--"+flag.Name)
			}
		}
	}
	return names
}

// steps are the ways from a place to one below it, as shell patterns.
func steps(all []place) (patterns []string) {
	for _, p := range all {
		for _, c := range p.commands {
			patterns = append(patterns, quote(p.path+"/"+c.Name))
		}
	}
	return patterns
}

// quote is a word for all three shells.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func quoteAll(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = quote(s)
	}
	return strings.Join(out, " ")
}

func names(nodes []*kong.Node) []string {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		out[i] = n.Name
	}
	return out
}

func flagNames(flags []*kong.Flag) []string {
	out := make([]string, len(flags))
	for i, f := range flags {
		out[i] = "--" + f.Name
	}
	return out
}

// pattern matches a flag's value, written "PATH FLAG": that of the program's
// own flags stands at every place.
func (p *place) pattern(flag *kong.Flag) string {
	if p.path == "" {
		return "*" + quote(" --"+flag.Name)
	}
	return quote(p.path) + "*" + quote(" --"+flag.Name)
}

func bash(s *script, all []place) {
	s.line("# bash completion of %s, from: %s completion bash", s.name, s.name)
	s.line("%s() {", s.function)
	s.line("\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} at='' commands='' flags='' word i")
	s.line("\tCOMPREPLY=()")
	s.line("\tfor ((i = 1; i < COMP_CWORD; i++)); do")
	s.line("\t\tword=${COMP_WORDS[i]}")
	s.line("\t\tcase $word in")
	s.line("\t\t%s)", strings.Join(valued(all), "|"))
	s.line("\t\t\t((i++))")
	s.line("\t\t\t[[ ${COMP_WORDS[i]} == = ]] && ((i++))")
	s.line("\t\t\tcontinue ;;")
	s.line("\t\tesac")
	s.line("\t\tcase \"$at/$word\" in")
	s.line("\t\t%s) at=${at:+$at }$word ;;", strings.Join(steps(all), "|"))
	s.line("\t\tesac")
	s.line("\tdone")
	s.line("\t[[ $cur == = ]] && cur=''")
	s.line("\t[[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD-2]}")
	s.line("\tcase \"$at $prev\" in")
	// The deeper place first: its flag may take something else.
	for i := len(all) - 1; i >= 0; i-- {
		for _, flag := range all[i].own {
			if t := takesOf(flag.Value); !t.nothing {
				s.line("\t%s) %s return ;;", all[i].pattern(flag), bashValue(t))
			}
		}
	}
	s.line("\tesac")
	s.line("\tcase $at in")
	for _, p := range all {
		words, files := arguments(p.node)
		s.line("\t%s)", quote(p.path))
		s.line("\t\tcommands=%s", quote(strings.Join(append(names(p.commands), words...), " ")))
		s.line("\t\tflags=%s", quote(strings.Join(flagNames(p.flags), " ")))
		if files {
			s.line("\t\t[[ $cur != -* ]] && { %s return; }", bashValue(takes{files: true}))
		}
		s.line("\t\t;;")
	}
	s.line("\tesac")
	s.line("\t[[ $cur == -* || -z $commands ]] && commands=$flags")
	s.line("\tCOMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))")
	s.line("}")
	s.line("complete -F %s %s", s.function, s.name)
}

func bashValue(t takes) string {
	const filenames = "compopt -o filenames 2>/dev/null;"
	switch {
	case t.words != nil:
		return fmt.Sprintf("COMPREPLY=($(compgen -W %s -- \"$cur\"));", quote(strings.Join(t.words, " ")))
	case t.folders:
		return filenames + " COMPREPLY=($(compgen -d -- \"$cur\"));"
	case t.files:
		return filenames + " COMPREPLY=($(compgen -f -- \"$cur\"));"
	}
	return ""
}

// arguments are the words that a command takes, and whether it takes a file.
func arguments(node *kong.Node) (words []string, files bool) {
	for _, arg := range node.Positional {
		t := takesOf(arg)
		words = append(words, t.words...)
		files = files || t.files
	}
	return words, files
}

func zsh(s *script, all []place) {
	s.line("#compdef %s", s.name)
	s.line("# zsh completion of %s, from: %s completion zsh", s.name, s.name)
	s.line("%s() {", s.function)
	s.line("\tlocal at='' word prev i")
	s.line("\tlocal -a commands flags")
	s.line("\tfor ((i = 2; i < CURRENT; i++)); do")
	s.line("\t\tword=${words[i]}")
	s.line("\t\tcase $word in")
	s.line("\t\t%s) ((i++)); continue ;;", strings.Join(valued(all), "|"))
	s.line("\t\tesac")
	s.line("\t\tcase \"$at/$word\" in")
	s.line("\t\t%s) at=\"${at:+$at }$word\" ;;", strings.Join(steps(all), "|"))
	s.line("\t\tesac")
	s.line("\tdone")
	s.line("\tword=${words[CURRENT]} prev=${words[CURRENT-1]}")
	s.line("\tif [[ $word == --*=* ]]; then")
	s.line("\t\tprev=${word%%%%=*}")
	s.line("\t\tcompset -P '*='")
	s.line("\tfi")
	s.line("\tcase \"$at $prev\" in")
	for i := len(all) - 1; i >= 0; i-- {
		for _, flag := range all[i].own {
			if t := takesOf(flag.Value); !t.nothing {
				s.line("\t%s) %s return ;;", all[i].pattern(flag), zshValue(t))
			}
		}
	}
	s.line("\tesac")
	s.line("\tcase $at in")
	for _, p := range all {
		s.line("\t%s)", quote(p.path))
		words, files := arguments(p.node)
		described := words
		for _, c := range p.commands {
			described = append(described, zshDescribed(c.Name, c.Help))
		}
		s.line("\t\tcommands=(%s)", quoteAll(described))
		described = nil
		for _, flag := range p.flags {
			described = append(described, zshDescribed("--"+flag.Name, flag.Help))
		}
		s.line("\t\tflags=(%s)", quoteAll(described))
		if files {
			s.line("\t\t[[ $word != -* ]] && { _files; return; }")
		}
		s.line("\t\t;;")
	}
	s.line("\tesac")
	s.line("\tif [[ $word == -* || ${#commands} -eq 0 ]]; then")
	s.line("\t\t_describe flag flags")
	s.line("\telse")
	s.line("\t\t_describe command commands")
	s.line("\tfi")
	s.line("}")
	s.line("if [[ ${funcstack[1]} == %s ]]; then", s.function)
	s.line("\t%s", s.function)
	s.line("else")
	s.line("\tcompdef %s %s", s.function, s.name)
	s.line("fi")
}

func zshValue(t takes) string {
	switch {
	case t.words != nil:
		return "compadd -- " + quoteAll(t.words) + ";"
	case t.folders:
		return "_files -/;"
	case t.files:
		return "_files;"
	}
	return ""
}

func zshDescribed(name, help string) string {
	return name + ":" + strings.ReplaceAll(help, ":", `\:`)
}

func fish(s *script, all []place) {
	at := "_" + s.function + "_at"
	s.line("# fish completion of %s, from: %s completion fish", s.name, s.name)
	s.line("function %s", at)
	s.line("\tset -l at ''")
	s.line("\tset -l skip 0")
	s.line("\tfor word in (commandline -opc)[2..-1]")
	s.line("\t\tif test $skip = 1")
	s.line("\t\t\tset skip 0")
	s.line("\t\t\tcontinue")
	s.line("\t\tend")
	s.line("\t\tswitch $word")
	s.line("\t\t\tcase %s", strings.Join(valued(all), " "))
	s.line("\t\t\t\tset skip 1")
	s.line("\t\t\t\tcontinue")
	s.line("\t\tend")
	s.line("\t\tswitch \"$at/$word\"")
	s.line("\t\t\tcase %s", strings.Join(steps(all), " "))
	s.line("\t\t\t\tset at (string trim -- \"$at $word\")")
	s.line("\t\tend")
	s.line("\tend")
	s.line("\ttest \"$at\" = \"$argv[1]\"")
	s.line("end")
	s.line("complete -c %s -f", s.name)
	for _, p := range all {
		where := " -n " + fishQuote(at+" "+fishQuote(p.path))
		words, files := arguments(p.node)
		for _, word := range words {
			s.line("complete -c %s%s -a %s", s.name, where, word)
		}
		if files {
			s.line("complete -c %s%s -F", s.name, where)
		}
		for _, c := range p.commands {
			s.line("complete -c %s%s -a %s -d %s", s.name, where, c.Name, fishQuote(c.Help))
		}
		if p.path == "" {
			where = ""
		}
		for _, flag := range p.own {
			s.line("complete -c %s%s -l %s%s -d %s", s.name, where, flag.Name, fishValue(takesOf(flag.Value)), fishQuote(flag.Help))
		}
	}
}

func fishValue(t takes) string {
	switch {
	case t.nothing:
		return ""
	case t.words != nil:
		return " -x -a " + fishQuote(strings.Join(t.words, " "))
	case t.folders:
		return " -x -a '(__fish_complete_directories)'"
	case t.files:
		return " -r -F"
	}
	return " -x"
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}

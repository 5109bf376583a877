package settings

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Source is where a value came from.
type Source string

const (
	FromFlag        Source = "flag"
	FromEnvironment Source = "environment"
	FromFile        Source = "file"
	FromDefault     Source = "default"
)

// Before reports whether a value from s hides one from other.
func (s Source) Before(other Source) bool {
	order := []Source{FromFlag, FromEnvironment, FromFile, FromDefault}
	return slices.Index(order, s) < slices.Index(order, other)
}

// Setting is one setting, and its value in this run.
type Setting struct {
	Key     string // in the file; its flag is --Key
	Flag    string // empty: never from the command line
	Env     string
	Default string
	Help    string
	Value   any // a bool, a number, a []string or a string; a secret is masked
	Source  Source
	From    string // the variable's name, or PATH:line; empty for flag and default
	Secret  bool
	flag    *kong.Flag
}

// Secret is a setting that has no flag: a command line can be read by everyone
// on the machine.
type Secret struct {
	Key, Env, Help string
	Value          *string
}

// configFlag names the settings file and therefore does not stand in it.
const configFlag = "config"

// isSetting tells settings from what one command is given once.
func isSetting(flag *kong.Flag) bool { return len(flag.Envs) > 0 }

func inFile(flag *kong.Flag) bool { return isSetting(flag) && flag.Name != configFlag }

// known are the settings that may stand in the file, whatever command runs.
func (p *Program) known(app *kong.Application) map[string]*Setting {
	all := make(map[string]*Setting)
	for _, s := range p.All(app) {
		if s.Key != configFlag {
			all[s.Key] = s
		}
	}
	return all
}

// All lists every setting of the program, without values: that of the file
// first, as the struct has them.
func (p *Program) All(app *kong.Application) (all []*Setting) {
	seen := make(map[string]bool)
	for _, flag := range allFlags(app.Node) {
		if isSetting(flag) && !seen[flag.Name] {
			seen[flag.Name] = true
			all = append(all, p.setting(flag))
		}
	}
	for i := range p.Secrets {
		s := &p.Secrets[i]
		all = append(all, &Setting{Key: s.Key, Env: s.Env, Help: s.Help, Secret: true})
	}
	return all
}

func (p *Program) setting(flag *kong.Flag) *Setting {
	s := &Setting{Key: flag.Name, Flag: "--" + flag.Name, Env: flag.Envs[0], Default: flag.Default, Help: flag.Help, flag: flag}
	if flag.IsBool() && !flag.HasDefault {
		s.Default = "false"
	}
	return s
}

func allFlags(node *kong.Node) []*kong.Flag {
	flags := node.Flags
	for _, child := range node.Children {
		flags = append(flags[:len(flags):len(flags)], allFlags(child)...)
	}
	return flags
}

// Values lists the settings that the command which runs knows, each with its
// value and where that came from.
func (p *Program) Values(ctx *kong.Context) (all []*Setting) {
	given := make(map[*kong.Flag]bool)
	for _, path := range ctx.Path {
		if path.Flag != nil && !path.Resolved {
			given[path.Flag] = true
		}
	}
	for _, flag := range ctx.Flags() {
		if !isSetting(flag) {
			continue
		}
		s := p.setting(flag)
		s.Value = plain(flag.Target)
		s.Source, s.From = p.source(s.Key, envOf(flag))
		if given[flag] {
			s.Source, s.From = FromFlag, ""
		}
		if s.Key == configFlag && s.Source == FromDefault {
			s.Value = p.File.Path
		}
		all = append(all, s)
	}
	for i := range p.Secrets {
		secret := &p.Secrets[i]
		s := &Setting{Key: secret.Key, Env: secret.Env, Help: secret.Help, Secret: true, Value: mask(*secret.Value)}
		s.Source, s.From = p.source(s.Key, present(s.Env))
		all = append(all, s)
	}
	return all
}

// source tells where a value comes from that is not given as a flag.
func (p *Program) source(key, env string) (Source, string) {
	if env != "" {
		return FromEnvironment, env
	}
	if _, is := p.File.has(key); is {
		return FromFile, p.File.at(key)
	}
	return FromDefault, ""
}

// SourceOf is where the value of one setting came from.
func (p *Program) SourceOf(ctx *kong.Context, key string) Source {
	for _, s := range p.Values(ctx) {
		if s.Key == key {
			return s.Source
		}
	}
	return FromDefault
}

func present(env string) string {
	if _, is := os.LookupEnv(env); is {
		return env
	}
	return ""
}

// takeSecrets sets the settings that no flag sets.
func (p *Program) takeSecrets() {
	for i := range p.Secrets {
		s := &p.Secrets[i]
		value, is := os.LookupEnv(s.Env)
		if !is {
			said, _ := p.File.has(s.Key)
			value, _ = said.(string)
		}
		*s.Value = value
	}
}

// mask shows that a secret is there and nothing else of it.
func mask(s string) string {
	if s == "" {
		return ""
	}
	return "********"
}

// plain is a value as the file and JSON have it.
func plain(v reflect.Value) any {
	switch value := v.Interface().(type) {
	case bool, int, float64, string:
		return value
	case []string:
		if value == nil {
			return []string{}
		}
		return value
	case time.Duration:
		return short(value)
	default:
		return fmt.Sprint(value)
	}
}

// short is a duration in the greatest unit that gives a whole number: 24h, 75s.
func short(d time.Duration) string {
	for _, u := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d%u.of == 0 {
			return fmt.Sprint(int64(d/u.of)) + u.name
		}
	}
	return d.String()
}

// Shown is a value for eyes.
func (s *Setting) Shown() string {
	shown := fmt.Sprint(s.Value)
	if list, is := s.Value.([]string); is {
		shown = strings.Join(list, ",")
	}
	if shown == "" {
		return "-"
	}
	return shown
}

package settings

import (
	"encoding"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/alecthomas/kong"
)

// fileError says what is wrong with the settings file, in the person's language.
type fileError struct{ error }

// resolver gives kong what the file says. Kong asks it for every flag that the
// command line leaves out; the environment stands before the file.
type resolver struct {
	p       *Program
	checked bool
	err     error
}

func (r *resolver) check(app *kong.Application) error {
	if !r.checked {
		r.checked = true
		if err := r.p.checkFile(app); err != nil {
			r.err = &fileError{err}
		}
	}
	return r.err
}

// Validate checks the whole file, also what the command that runs does not need.
func (r *resolver) Validate(app *kong.Application) error { return r.check(app) }

// Resolve is kong's question for one flag.
func (r *resolver) Resolve(ctx *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if err := r.check(ctx.Model); err != nil {
		return nil, err
	}
	if !inFile(flag) || envOf(flag) != "" {
		return nil, nil
	}
	if value, is := r.p.File.has(flag.Name); is {
		return value, nil
	}
	return nil, nil
}

// checkFile finds what is wrong with the file, and says it with the place.
func (p *Program) checkFile(app *kong.Application) error {
	f := p.File
	if f.err != nil {
		var syntax toml.ParseError
		if errors.As(f.err, &syntax) {
			return errors.New(p.T("set_syntax", f.Path, syntax.Position.Line, syntax.Message))
		}
		return fmt.Errorf("%s: %w", p.T("set_file"), f.err)
	}
	known := p.known(app)
	for _, key := range f.keys {
		s, is := known[key]
		switch {
		case !is:
			return errors.New(p.T("set_unknown", f.at(key), key, nearest(key, known)))
		case s.Secret && f.private != nil && f.items[key].value != "":
			return f.private
		}
		if err := p.checkItem(s, f.items[key]); err != nil {
			return err
		}
	}
	return nil
}

// checkItem checks one value's type, then the value as kong will.
func (p *Program) checkItem(s *Setting, i item) error {
	want, fits := p.wants(s, i.value)
	at := p.File.at(s.Key)
	if !fits {
		return errors.New(p.T("set_type", at, s.Key, want, typeName(i.value)))
	}
	if s.flag == nil {
		return nil
	}
	set := s.flag.Set
	err := s.flag.Parse(kong.Scan().PushTyped(i.value, kong.FlagValueToken), reflect.New(s.flag.Target.Type()).Elem())
	s.flag.Set = set
	if err != nil || s.flag.Enum != "" && !slices.Contains(s.flag.EnumSlice(), fmt.Sprint(i.value)) {
		return errors.New(p.T("set_value", at, s.Key, want, fmt.Sprint(i.value)))
	}
	return nil
}

var (
	duration = reflect.TypeFor[time.Duration]()
	texts    = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// wants says what a setting takes in a file, and whether a value's type is that.
func (p *Program) wants(s *Setting, value any) (want string, fits bool) {
	_, isString := value.(string)
	if s.flag == nil {
		return p.T("want_string"), isString
	}
	switch t := s.flag.Target.Type(); {
	case s.flag.Enum != "":
		return p.T("want_one", strings.Join(quoted(s.flag.EnumSlice()), ", ")), isString
	case t == duration:
		return p.T("want_duration"), isString
	case reflect.PointerTo(t).Implements(texts):
		return p.T("want_text", s.Default), isString
	case t.Kind() == reflect.Bool:
		_, fits = value.(bool)
		return p.T("want_bool"), fits
	case t.Kind() == reflect.Slice:
		list, isList := value.([]any)
		return p.T("want_list"), isList && !slices.ContainsFunc(list, func(v any) bool { _, is := v.(string); return !is })
	case t.Kind() == reflect.String:
		return p.T("want_string"), isString
	case t.Kind() == reflect.Float64:
		_, isFloat := value.(float64)
		_, isInt := value.(int64)
		return p.T("want_float"), isFloat || isInt
	}
	_, fits = value.(int64)
	return p.T("want_int"), fits
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return out
}

// typeName is TOML's name of a value's type.
func typeName(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case int64:
		return "integer"
	case float64:
		return "float"
	case bool:
		return "boolean"
	case time.Time:
		return "datetime"
	case []any, []map[string]any:
		return "array"
	}
	return "table"
}

// nearest is the known key with the fewest letters to change.
func nearest(key string, known map[string]*Setting) (best string) {
	least := -1
	for name := range known {
		if d := distance(key, name); least < 0 || d < least || d == least && name < best {
			best, least = name, d
		}
	}
	return best
}

// distance is how many letters have to be put in, left out or changed
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// envOf is the variable that sets a flag now; empty: none does.
func envOf(flag *kong.Flag) string {
	for _, name := range flag.Envs {
		if _, is := os.LookupEnv(name); is {
			return name
		}
	}
	return ""
}

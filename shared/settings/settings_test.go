package settings_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"hufu/shared/settings"
	"hufu/shared/text"
)

// commands is a command line with a setting of every type.
type commands struct {
	Config  string           `env:"T_CONFIG" default:"" type:"path"`
	Folder  string           `env:"T_FOLDER" default:"/f" type:"path" placeholder:"DIR"`
	Name    string           `env:"T_NAME" default:"n" help:"A name."`
	Lang    string           `env:"T_LANG" placeholder:"en|zh"`
	Flag    bool             `env:"T_FLAG" help:"It's a flag: set or not."`
	Once    string           // not a setting
	Version kong.VersionFlag `help:"v"`

	Serve struct {
		Wait  time.Duration `env:"T_WAIT" default:"75s"`
		Many  []string      `env:"T_MANY"`
		Count int           `env:"T_COUNT" default:"4"`
		Rate  float64       `env:"T_RATE" default:"2"`
		Form  string        `env:"T_FORM" enum:"text,json" default:"text"`
		Level slog.Level    `env:"T_LEVEL" default:"INFO"`
	} `cmd:"" help:"Serve."`
	Group struct {
		One   struct{}  `cmd:"" help:"One."`
		Two   twoCmd    `cmd:"" help:"Two."`
		Three hiddenCmd `cmd:"" hidden:""`
	} `cmd:"" help:"A group."`
	Example    settings.Example    `cmd:""`
	Completion settings.Completion `cmd:""`
	Man        settings.Man        `cmd:""`
}

type (
	twoCmd struct {
		File string `arg:"" type:"path"`
		Form string `help:"Another form." placeholder:"long|short"`
	}
	hiddenCmd struct{}
)

// line is one command line in this process.
type line struct {
	commands
	secret string
	p      *settings.Program
	ctx    *kong.Context
	out    bytes.Buffer
}

// parse parses args with a settings file of that content; none if it is "-".
func parse(t *testing.T, content string, args ...string) (*line, error) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	if content != "-" {
		args = append(args, "--config", write(t, content, 0o600))
	}
	return parseArgs(args...)
}

func parseArgs(args ...string) (*line, error) {
	l := &line{}
	l.p = &settings.Program{Name: "program", Section: "1", Vars: map[string]string{"version": "program 1"}, T: text.English.T, Stdout: &l.out, Stderr: &l.out,
		File: settings.Open("program.toml", args), Secrets: []settings.Secret{{Key: "secret", Env: "T_SECRET", Help: "A secret.", Value: &l.secret}}}
	var err error
	l.ctx, err = settings.Parse(&l.commands, args, l.p)
	return l, err
}

func write(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program.toml")
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// value is a setting as it came out.
func (l *line) value(t *testing.T, key string) *settings.Setting {
	t.Helper()
	for _, s := range l.p.Values(l.ctx) {
		if s.Key == key {
			return s
		}
	}
	t.Fatalf("there is no setting %s", key)
	return nil
}

// TestOrder: flag before environment before file before default, for every type.
func TestOrder(t *testing.T) {
	for _, c := range []struct {
		key, flag, env, file             string
		byFlag, byEnv, byFile, byDefault any
	}{
		{"folder", "/1", "/2", `"/3"`, "/1", "/2", "/3", "/f"},
		{"name", "1", "2", `"3"`, "1", "2", "3", "n"},
		{"flag", "true", "true", "true", true, true, true, false},
		{"wait", "1s", "2m", `"3h"`, "1s", "2m", "3h", "75s"},
		{"many", "a,b", "c", `["d", "e,f"]`, []string{"a", "b"}, []string{"c"}, []string{"d", "e,f"}, []string{}},
		{"count", "1", "2", "3", 1, 2, 3, 4},
		{"rate", "1.5", "2.5", "3", 1.5, 2.5, 3.0, 2.0},
		{"form", "json", "json", `"json"`, "json", "json", "json", "text"},
		{"level", "WARN", "ERROR", `"DEBUG"`, "WARN", "ERROR", "DEBUG", "INFO"},
	} {
		t.Run(c.key, func(t *testing.T) {
			file := fmt.Sprintf("# a comment\n\n%s = %s\n", c.key, c.file)
			variable := "T_" + strings.ToUpper(c.key)
			check := func(l *line, err error, want any, source settings.Source, from string) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				s := l.value(t, c.key)
				if !reflect.DeepEqual(s.Value, want) || s.Source != source || s.From != from {
					t.Errorf("%v from %s %s, not %v from %s %s", s.Value, s.Source, s.From, want, source, from)
				}
			}
			l, err := parse(t, "", "serve")
			check(l, err, c.byDefault, settings.FromDefault, "")
			l, err = parse(t, file, "serve")
			check(l, err, c.byFile, settings.FromFile, l.p.File.Path+":3")
			t.Setenv(variable, c.env)
			l, err = parse(t, file, "serve")
			check(l, err, c.byEnv, settings.FromEnvironment, variable)
			l, err = parse(t, file, "serve", "--"+c.key+"="+c.flag)
			check(l, err, c.byFlag, settings.FromFlag, "")
		})
	}
}

// TestEmptyVariable: a variable that is set to nothing is set.
func TestEmptyVariable(t *testing.T) {
	t.Setenv("T_NAME", "")
	l, err := parse(t, `name = "3"`, "serve")
	if err != nil || l.Name != "" {
		t.Errorf("%q, %v", l.Name, err)
	}
}

// TestWrongFile: what is wrong is told with key, line and what is expected,
// whatever command runs.
func TestWrongFile(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"name = \"x\"\nnmae = 1", `:2: there is no setting "nmae"; the nearest is "name"`},
		{"coutn = 1", `the nearest is "count"`},
		{"Name = \"x\"", `:1: there is no setting "Name"; the nearest is "name"`},
		{"[serve]\ncount = 1", `there is no setting "serve"; the nearest is "`},
		{"serve.count = 1", `there is no setting "serve"`},
		{"once = \"x\"", `there is no setting "once"; the nearest is "name"`},
		{"config = \"x\"", `there is no setting "config"`},
		{"\n\ncount = \"4\"", `:3: count takes a whole number, without quotes, and this is of type string`},
		{"count = 4.5", "is of type float"},
		{"count = [4]", "is of type array"},
		{"count = {a = 1}", "is of type table"},
		{"count = 2026-11-24", "is of type datetime"},
		{"name = 5", `:1: name takes a string, as in "text", and this is of type integer`},
		{"flag = \"true\"", "flag takes true or false, and this is of type string"},
		{"wait = 75", `wait takes a duration, as in "90s", "15m" or "24h", and this is of type integer`},
		{"wait = \"75\"", `wait takes a duration, as in "90s", "15m" or "24h", not "75"`},
		{"many = \"a\"", `many takes a list of strings, as in ["one", "two"], and this is of type string`},
		{"many = [1]", "many takes a list of strings"},
		{"rate = \"fast\"", "rate takes a number, without quotes"},
		{"form = \"xml\"", `form takes one of "text", "json", not "xml"`},
		{"level = \"LOUD\"", `level takes a word such as "INFO", not "LOUD"`},
		{"level = 4", `level takes a word such as "INFO", and this is of type integer`},
		{"secret = 5", `secret takes a string`},
		{"name = x", ":1: this is not TOML:"},
		{"name = \"a\"\nname = \"b\"", ":2: this is not TOML:"},
	} {
		for _, command := range [][]string{{"serve"}, {"group", "one"}} {
			_, err := parse(t, c.content, command...)
			if err == nil || !strings.Contains(err.Error(), c.want) || settings.Code(err) != settings.ExitUsage {
				t.Errorf("%q: %v (%d), not %q", c.content, err, settings.Code(err), c.want)
			}
		}
	}
}

// TestWrongFileEverySetting: a file is checked though every flag is given.
func TestWrongFileAllGiven(t *testing.T) {
	_, err := parse(t, "nmae = 1", "group", "one", "--folder=/", "--name=a", "--lang=en", "--flag", "--once=a")
	if err == nil || !strings.Contains(err.Error(), "nmae") {
		t.Errorf("%v", err)
	}
}

func TestSecret(t *testing.T) {
	l, err := parse(t, `secret = "pw"`, "serve")
	if err != nil || l.secret != "pw" {
		t.Fatalf("%q, %v", l.secret, err)
	}
	if s := l.value(t, "secret"); s.Value != "********" || s.Source != settings.FromFile || s.Flag != "" {
		t.Errorf("%+v", s)
	}
	t.Setenv("T_SECRET", "of the environment")
	if l, err = parse(t, `secret = "pw"`, "serve"); err != nil || l.secret != "of the environment" {
		t.Errorf("%q, %v", l.secret, err)
	}
	if _, err = parse(t, "", "serve", "--secret=pw"); err == nil {
		t.Error("a secret was taken from the command line")
	}
	for _, c := range []struct {
		content string
		mode    os.FileMode
		refused bool
	}{
		{`secret = "pw"`, 0o644, true}, {`secret = "pw"`, 0o640, true}, {`secret = "pw"`, 0o620, true},
		{`secret = "pw"`, 0o400, false}, {`secret = ""`, 0o644, false}, {`name = "x"`, 0o644, false},
	} {
		path := write(t, c.content, 0o600)
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := parseArgs("serve", "--config", path)
		if (err != nil) != c.refused || c.refused && !strings.Contains(err.Error(), "run: chmod 600 "+path) {
			t.Errorf("%s, %04o: %v", c.content, c.mode, err)
		}
	}
}

// TestPlaces: a named file, else the user's.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	own := filepath.Join(dir, "hufu", "program.toml")
	if places := settings.Places("program.toml"); places[0] != own || places[1] != "/etc/hufu/program.toml" {
		t.Errorf("%v", places)
	}
	name := func(args ...string) string {
		t.Helper()
		l, err := parseArgs(append(args, "serve")...)
		if err != nil {
			t.Fatal(err)
		}
		return l.Name
	}
	if got := name(); got != "n" {
		t.Errorf("without a file: %q", got)
	}
	if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, []byte(`name = "own"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "own" {
		t.Errorf("the user's: %q", got)
	}
	t.Setenv("HUFU_CONFIG", write(t, `name = "variable"`, 0o600))
	if got := name(); got != "variable" {
		t.Errorf("HUFU_CONFIG: %q", got)
	}
	if got := name("--config", write(t, `name = "flag"`, 0o600)); got != "flag" {
		t.Errorf("--config: %q", got)
	}
	if got := name("--config=/dev/null"); got != "n" {
		t.Errorf("an empty file: %q", got)
	}
	if _, err := parseArgs("serve", "--config", filepath.Join(dir, "absent")); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestEarly(t *testing.T) {
	file := settings.Open("program.toml", []string{"--config", write(t, `lang = "file"`, 0o600)})
	for _, c := range []struct {
		args string
		want string
	}{
		{"serve", "file"}, {"serve --lang a", "a"}, {"--lang=a serve --lang b", "b"}, {"serve -- --lang a", "file"}, {"serve --lang", "file"},
	} {
		if got := settings.Early(strings.Fields(c.args), file, "lang", "T_LANG"); got != c.want {
			t.Errorf("%s: %q", c.args, got)
		}
	}
	t.Setenv("T_LANG", "variable")
	if got := settings.Early(nil, file, "lang", "T_LANG"); got != "variable" {
		t.Errorf("%q", got)
	}
}

// TestAboutItself: what tells about the program works whatever the file is like.
func TestAboutItself(t *testing.T) {
	for _, args := range []string{"completion bash", "man", "example", "--help", "serve --help", "--version"} {
		l, err := parse(t, "nmae = 1", strings.Fields(args)...)
		if err != nil {
			t.Errorf("%s: %v", args, err)
		}
		if l.ctx == nil && l.out.Len() == 0 {
			t.Errorf("%s printed nothing", args)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, args := range []string{"", "nothing", "serve --nothing", "serve --count=x", "group"} {
		_, err := parse(t, "", strings.Fields(args)...)
		var usage *settings.UsageError
		if !errors.As(err, &usage) || settings.Code(err) != settings.ExitUsage {
			t.Errorf("%q: %v", args, err)
		}
	}
	t.Setenv("T_COUNT", "x")
	if _, err := parse(t, "", "serve"); err == nil || !strings.Contains(err.Error(), "T_COUNT") {
		t.Errorf("a bad variable: %v", err)
	}
}

func TestBefore(t *testing.T) {
	order := []settings.Source{settings.FromFlag, settings.FromEnvironment, settings.FromFile, settings.FromDefault}
	for i, a := range order {
		for j, b := range order {
			if a.Before(b) != (i < j) {
				t.Errorf("%s before %s: %v", a, b, a.Before(b))
			}
		}
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"hufu/shared/cli"
	"hufu/shared/settings"
	"hufu/shared/text"
)

var update = flag.Bool("update", false, "write deploy/hufu-server.toml and the table in docs/operations.md anew")

// alone keeps the settings of the machine and of the environment away.
func alone(t *testing.T) {
	t.Helper()
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "HUFU_") || strings.HasPrefix(name, "LC_") || name == "LANG" {
			t.Setenv(name, "") // is put back after the test
			os.Unsetenv(name)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("HUFU_CONFIG", "/dev/null")
}

// command runs one command line and returns what it printed.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out, &out)
	return out.String(), err
}

func settingsIn(t *testing.T, content string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), settingsFile)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// bad are settings that the server must not start with.
var bad = []struct {
	key, value, toml string
	en, zh           string
}{
	{"lifetime", "5s", `"5s"`, "--lifetime 5s is not a number of whole seconds from 60 to 2592000", "--lifetime 5s 应为 60 到 2592000 秒之间的整秒数"},
	{"lifetime", "1m0.5s", `"1m0.5s"`, "--lifetime 1m0.5s is not a number", "--lifetime 1m0.5s 应为"},
	{"grace", "721h", `"721h"`, "--grace 721h0m0s is not a number", "--grace 721h0m0s 应为"},
	{"idle", "1s", `"1s"`, "--idle 1s is not a number of whole seconds from 75 to 900", "--idle 1s 应为 75 到 900"},
	{"max-per-client", "0", "0", "--max-per-client 0 lets nobody in", "--max-per-client 0 不允许"},
	{"max-rate", "0", "0", "--max-rate 0 lets nobody negotiate", "--max-rate 0 不允许"},
	{"max-burst", "0", "0", "--max-burst 0 lets nobody negotiate", "--max-burst 0 不允许"},
	{"base-path", "hufu", `"hufu"`, `--base-path "hufu" does not begin with a slash`, `--base-path "hufu" 应以斜杠`},
	{"trusted-proxy", "10.0.0.1", `["10.0.0.1"]`, `--trusted-proxy "10.0.0.1" is not a range`, `--trusted-proxy "10.0.0.1" 不是`},
	{"server-id", "a b", `"a b"`, `--server-id "a b" is not an identifier`, `--server-id "a b" 不是标识`},
	{"url", "ftp://x", `"ftp://x"`, `--url "ftp://x" is not an address`, `--url "ftp://x" 不是`},
}

// TestConfigCheck: what is wrong is found by config check in the same words as
// by serve, by whatever way it was set.
func TestConfigCheck(t *testing.T) {
	alone(t)
	for _, b := range bad {
		variable := "HUFU_" + strings.ToUpper(strings.ReplaceAll(b.key, "-", "_"))
		for way, args := range map[string][]string{
			"flag":        {"--" + b.key + "=" + b.value},
			"file":        {"--config", settingsIn(t, b.key+" = "+b.toml, 0o644)},
			"environment": nil,
		} {
			t.Run(b.key+" "+b.value+" by "+way, func(t *testing.T) {
				if way == "environment" {
					t.Setenv(variable, b.value)
				}
				for lang, want := range map[string]string{"en": b.en, "zh": b.zh} {
					args := append([]string{"--lang", lang, "--data", filepath.Join(t.TempDir(), "none")}, args...)
					_, check := command(t, append([]string{"config", "check"}, args...)...)
					_, serve := command(t, append([]string{"serve"}, args...)...)
					if check == nil || serve == nil || check.Error() != serve.Error() || !strings.Contains(check.Error(), want) {
						t.Errorf("check: %v\nserve: %v\nwant: %s", check, serve, want)
					}
					if settings.Code(check) != settings.ExitUsage || settings.Code(serve) != settings.ExitUsage {
						t.Errorf("exit codes %d, %d", settings.Code(check), settings.Code(serve))
					}
				}
			})
		}
	}
}

func TestConfigCheckAll(t *testing.T) {
	alone(t)
	_, err := command(t, "config", "check", "--idle=1s", "--grace=1s", "--url=x")
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three faults in three lines: %v", err)
	}
	out, err := command(t, "config", "check")
	if err != nil || out != "The settings are in order; the settings file is /dev/null.\n" {
		t.Errorf("%q, %v", out, err)
	}
	os.Unsetenv("HUFU_CONFIG")
	own := settings.Places(settingsFile)[0]
	if out, err = command(t, "config", "check", "--lang=zh"); err != nil || !strings.Contains(out, "设置无误，没有设置文件。已查找："+own) {
		t.Errorf("%q, %v", out, err)
	}
	if out, err = command(t, "config", "check", "--json"); err != nil || out != `{"ok":true}`+"\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestConfigShow(t *testing.T) {
	alone(t)
	file := settingsIn(t, "lifetime = \"12h\"\ntrusted-proxy = [\"10.0.0.0/8\", \"::1/128\"]\nidle = \"80s\"\ndatabase-url = \"postgres://u:secret@h/db\"\n", 0o600)
	t.Setenv("HUFU_CONFIG", file)
	t.Setenv("HUFU_IDLE", "90s")
	for lang, want := range map[string][]string{
		"en": {"SETTING FROM VALUE", "listen 127.0.0.1:8470 default", "lifetime 12h file " + file + ":1", "idle 90s environment HUFU_IDLE",
			"grace 2h flag", "trusted-proxy 10.0.0.0/8,::1/128 file " + file + ":2", "database-url ******** file " + file + ":4",
			"config " + file + " environment HUFU_CONFIG", "lang en flag"},
		"zh": {"设置 值 来源", "listen 127.0.0.1:8470 默认值", "lifetime 12h 文件 " + file + ":1", "idle 90s 环境变量 HUFU_IDLE", "grace 2h 命令行"},
	} {
		out, err := command(t, "config", "show", "--grace=2h", "--lang", lang)
		if err != nil {
			t.Fatal(err)
		}
		shown := make(map[string]bool)
		for line := range strings.Lines(out) {
			shown[strings.Join(strings.Fields(line), " ")] = true
		}
		for _, line := range want {
			if line != "SETTING FROM VALUE" && !shown[line] {
				t.Errorf("%s: no line %q in\n%s", lang, line, out)
			}
		}
		if strings.Contains(out, "secret") {
			t.Error("the password is shown")
		}
	}
	out, err := command(t, "config", "show", "--json")
	if err != nil || strings.Contains(out, "secret") {
		t.Fatal(out, err)
	}
	seen := make(map[string]cli.SettingView)
	for line := range strings.Lines(out) {
		var v cli.SettingView
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		seen[v.Key] = v
	}
	for key, want := range map[string]string{
		"lifetime": "{lifetime 12h file " + file + ":1}", "max-per-client": "{max-per-client 4 default }", "json": "{json true flag }",
		"database-url": "{database-url ******** file " + file + ":4}", "idle": "{idle 90s environment HUFU_IDLE}",
	} {
		if got := fmt.Sprint(seen[key]); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

// TestDatabaseSource: the stronger source decides between the two ways to name
// a database; the same source with both is refused.
func TestDatabaseSource(t *testing.T) {
	alone(t)
	urlFile := settingsIn(t, "postgres://by-file/", 0o600)
	const inFile = `database-url = "postgres://in-settings/"`
	for _, c := range []struct {
		name, settings string
		env            map[string]string
		flags          []string
		want           string
	}{
		{name: "none"},
		{name: "settings", settings: inFile, want: "postgres://in-settings/"},
		{name: "file in settings", settings: fmt.Sprintf("database-url-file = %q", urlFile), want: "postgres://by-file/"},
		{name: "variable over file in settings", settings: fmt.Sprintf("database-url-file = %q", urlFile), env: map[string]string{"HUFU_DATABASE_URL": "postgres://variable/"}, want: "postgres://variable/"},
		{name: "flag over variable", env: map[string]string{"HUFU_DATABASE_URL": "postgres://variable/"}, flags: []string{"--database-url-file", urlFile}, want: "postgres://by-file/"},
		{name: "variable over settings", settings: inFile, env: map[string]string{"HUFU_DATABASE_URL_FILE": urlFile}, want: "postgres://by-file/"},
		{name: "empty variable over settings", settings: inFile, env: map[string]string{"HUFU_DATABASE_URL": ""}},
		{name: "both in settings", settings: inFile + fmt.Sprintf("\ndatabase-url-file = %q", urlFile), want: "both"},
		{name: "both variables", env: map[string]string{"HUFU_DATABASE_URL": "x", "HUFU_DATABASE_URL_FILE": urlFile}, want: "both"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			args := append([]string{"config", "check", "--config", settingsIn(t, c.settings, 0o600)}, c.flags...)
			var got string
			var cmd commands
			p := program(&cmd, settings.Open(settingsFile, args), text.English)
			ctx, err := settings.Parse(&cmd, args, p)
			if err != nil {
				t.Fatal(err)
			}
			e := &env{Common: cmd.Common}
			if err = e.settleDatabase(p.SourceOf(ctx, "database-url"), p.SourceOf(ctx, "database-url-file")); err == nil {
				got, err = e.databaseURL()
			}
			if err != nil && strings.HasPrefix(err.Error(), "both") {
				got = "both"
			} else if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
}

// TestReadableByOthers: a file with a password that others can read is refused.
func TestReadableByOthers(t *testing.T) {
	alone(t)
	inSettings := settingsIn(t, `database-url = "postgres://u:pw@h/"`, 0o644)
	urlFile := settingsIn(t, "postgres://u:pw@h/", 0o640)
	for _, name := range []string{"config check", "config show", "outlet list"} {
		for _, args := range [][]string{{"--config", inSettings}, {"--database-url-file", urlFile}} {
			if name == "config show" && args[0] != "--config" {
				continue // shows the file's name, and does not read it
			}
			_, err := command(t, append(strings.Fields(name), args...)...)
			if err == nil || !strings.Contains(err.Error(), "can be read by others (mode 06") || !strings.Contains(err.Error(), "run: chmod 600 "+args[1]) {
				t.Errorf("%s %v: %v", name, args, err)
			}
			_, err = command(t, append(strings.Fields(name+" --lang=zh"), args...)...)
			if err == nil || !strings.Contains(err.Error(), "可被其他用户读取") || strings.Contains(err.Error(), "pw") {
				t.Errorf("%s %v: %v", name, args, err)
			}
		}
	}
}

// TestLanguage: every way to choose a language governs help, results and errors.
func TestLanguageEverywhere(t *testing.T) {
	alone(t)
	file := settingsIn(t, `lang = "zh"`, 0o644)
	for name, c := range map[string]struct {
		env  map[string]string
		args []string
		zh   bool
	}{
		"nothing":            {},
		"flag":               {args: []string{"--lang", "zh"}, zh: true},
		"flag=":              {args: []string{"--lang=zh"}, zh: true},
		"variable":           {env: map[string]string{"HUFU_LANG": "zh"}, zh: true},
		"file":               {args: []string{"--config", file}, zh: true},
		"locale":             {env: map[string]string{"LANG": "zh_CN.UTF-8"}, zh: true},
		"flag over variable": {env: map[string]string{"HUFU_LANG": "zh"}, args: []string{"--lang=en"}},
		"variable over file": {env: map[string]string{"HUFU_LANG": "en"}, args: []string{"--config", file}},
		"file over locale":   {env: map[string]string{"LANG": "en_GB"}, args: []string{"--config", file}, zh: true},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			for args, words := range map[string][2]string{
				"--help":                  {"Usage: hufu-server", "用法： hufu-server"},
				"serve --help":            {"Address to listen on", "监听地址"},
				"--version":               {"built by", "构建"},
				"nothing":                 {"unexpected argument nothing", "用法有误：unexpected argument nothing"},
				"serve --idle=1s":         {"not a number of whole seconds", "秒之间的整秒数"},
				"key list --state x":      {"is not a state", "不是状态"},
				"config check":            {"in order", "设置无误"},
				"backup /none/a --data /": {"run hufu-server migrate", "请运行 hufu-server migrate"},
			} {
				out, err := command(t, append(strings.Fields(args), c.args...)...)
				if err != nil {
					out += err.Error()
				}
				want := words[0]
				if c.zh {
					want = words[1]
				}
				if !strings.Contains(out, want) || !c.zh && strings.ContainsFunc(out, isChinese) {
					t.Errorf("%s: no %q in:\n%s", args, want, out)
				}
			}
		})
	}
	if _, err := command(t, "config", "check", "--lang=de"); err == nil || !strings.Contains(err.Error(), `--lang "de"`) || settings.Code(err) != settings.ExitUsage {
		t.Errorf("%v", err)
	}
}

func isChinese(r rune) bool { return unicode.Is(unicode.Han, r) }

// TestKnown: every error that the packages below name has words here.
func TestKnown(t *testing.T) {
	raw, err := os.ReadFile("failure.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{"keyservice", "seal", "store/schema", "../shm"} {
		for _, name := range sentinels(t, pkg) {
			if want := "{Err: " + filepath.Base(pkg) + "." + name + ","; !strings.Contains(string(raw), want) {
				t.Errorf("%s.%s has no words in failure.go", pkg, name)
			}
		}
	}
	for _, k := range known {
		zh := describe(text.Chinese, fmt.Errorf("detail: %w", k.Err))
		if !strings.HasPrefix(zh, "detail: ") || !strings.ContainsFunc(zh, isChinese) || strings.Contains(zh, k.Err.Error()) {
			t.Errorf("%v: %q", k.Err, zh)
		}
	}
}

var sentinel = regexp.MustCompile(`(?m)^(?:var |\t)(Err\w+) *= `)

// sentinels are the exported errors of a folder.
func sentinels(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range sentinel.FindAllStringSubmatch(string(raw), -1) {
			names = append(names, m[1])
		}
	}
	if len(names) == 0 {
		t.Fatalf("%s has no errors", dir)
	}
	return names
}

// TestExampleFile: deploy/hufu-server.toml is what config example writes:
// every setting with its default and nothing else.
func TestExampleFile(t *testing.T) {
	alone(t)
	out, err := command(t, "config", "example")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "../deploy/hufu-server.toml", "", "", out)
	uncommented := regexp.MustCompile(`(?m)^#(\S)`).ReplaceAllString(out, "$1")
	for _, content := range []string{out, uncommented} {
		if _, err := command(t, "config", "check", "--config", settingsIn(t, content, 0o644)); err != nil {
			t.Error(err)
		}
	}
	for _, s := range all(t) {
		if want := s.Key != "config"; strings.Contains(uncommented, "\n"+s.Key+" = ") != want {
			t.Errorf("%s is in the example: %v", s.Key, !want)
		}
	}
}

// all lists the settings as the struct has them.
func all(t *testing.T) []*settings.Setting {
	t.Helper()
	var c commands
	p := program(&c, &settings.File{}, text.English)
	parser, err := settings.Parser(&c, p)
	if err != nil {
		t.Fatal(err)
	}
	return p.All(parser.Model)
}

// TestOperations: the table in docs/operations.md has every setting.
func TestOperations(t *testing.T) {
	alone(t)
	var b strings.Builder
	b.WriteString("\n| flag | variable | key in the file | default | meaning |\n|---|---|---|---|---|\n")
	for _, s := range all(t) {
		cell := func(s string) string {
			if s == "" {
				return "-"
			}
			return "`" + s + "`"
		}
		key := s.Key
		if key == "config" {
			key = ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", cell(s.Flag), cell(s.Env), cell(key), cell(s.Default), strings.ReplaceAll(s.Help, "|", `\|`))
	}
	same(t, "../docs/operations.md", "<!-- settings of hufu-server -->\n", "\n<!-- end -->", b.String())
}

// same compares a part of a file with what it must be; -update writes it.
func same(t *testing.T, path, from, to, want string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(raw), from)
	part, after, ended := strings.Cut(rest, to)
	if to == "" {
		before, part, after, ended = "", rest, "", true
		if from == "" {
			part = string(raw)
		}
	}
	switch {
	case !found || !ended:
		t.Fatalf("%s has no %s...%s", path, from, to)
	case part == want:
	case *update:
		if err := os.WriteFile(path, []byte(before+from+want+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not what the settings are; run: make settings", path)
	}
}

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
	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shm"
)

var update = flag.Bool("update", false, "write deploy/hufu.toml and the table in docs/operations.md anew")

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
	t.Setenv("XDG_STATE_HOME", "~/.local/state")
	t.Setenv("HUFU_CONFIG", "/dev/null")
}

// command runs one command line and returns what it printed.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, strings.NewReader(""), &out, &out)
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

// TestConfigCheck: what is wrong is found by config check in the same words as
// by the command that needs it, by whatever way it was set.
func TestConfigCheck(t *testing.T) {
	alone(t)
	dir := t.TempDir()
	tests := []struct {
		key, value, toml string
		command          string // one that fails on it; empty: it needs an enrolment first
		en, zh           string
	}{
		{"segment", "a/b", `"a/b"`, "shm create", "bad segment name: give 1 to 200 bytes", "共享内存名称不对"},
		{"capacity", "0", "0", "shm create", "bad capacity: give 1 to 16777216 entries", "容量不对"},
		{"capacity", "16777217", "16777217", "shm create", ": 16777217", "容量不对"},
		{"ca", "/none", `"/none"`, "", "--ca: open /none: no such file or directory", "--ca 有误：open /none: 没有这个文件或目录"},
		{"reverify", "1s", `"1s"`, "agent", "--reverify 1s is less than 5s", "--reverify 1s 小于最小值 5s"},
		{"metrics-listen", "9470", `"9470"`, "agent", "--metrics-listen: address 9470: missing port in address", "--metrics-listen 有误"},
		{"tls-cert", "/none", `"/none"`, "", "--tls-cert needs --tls-key too", "--tls-cert 须与 --tls-key 一起给出"},
	}
	for _, c := range tests {
		if c.command != "" && !hasSegments {
			continue
		}
		for way, args := range map[string][]string{
			"flag":        {"--" + c.key + "=" + c.value},
			"file":        {"--config", settingsIn(t, c.key+" = "+c.toml, 0o644)},
			"environment": nil,
		} {
			t.Run(c.key+" "+c.value+" by "+way, func(t *testing.T) {
				if way == "environment" {
					t.Setenv("HUFU_"+strings.ToUpper(strings.ReplaceAll(c.key, "-", "_")), c.value)
				}
				for lang, want := range map[string]string{"en": c.en, "zh": c.zh} {
					args := append([]string{"--lang", lang, "--shm-dir", dir}, args...)
					_, check := command(t, append([]string{"config", "check"}, args...)...)
					if check == nil || !strings.Contains(check.Error(), want) || exitCode(check) != settings.ExitUsage {
						t.Errorf("check: %v, not %s", check, want)
					}
					if c.command == "" {
						continue
					}
					if _, err := command(t, append(strings.Fields(c.command), args...)...); err == nil || err.Error() != check.Error() {
						t.Errorf("check: %v\n%s: %v", check, c.command, err)
					}
				}
			})
		}
	}
	if out, err := command(t, "config", "check"); err != nil || out != "The settings are in order; the settings file is /dev/null.\n" {
		t.Errorf("%q, %v", out, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("config check wrote: %v, %v", entries, err)
	}
}

// hasSegments tells whether shared memory can be had here.
var hasSegments = shm.Destroy(shm.Options{}) != shm.ErrUnsupported

func TestConfigShow(t *testing.T) {
	alone(t)
	file := settingsIn(t, "# mine\nsegment = \"mine\"\ncapacity = 8\ngroup-readable = true\n", 0o644)
	t.Setenv("HUFU_CAPACITY", "16")
	for lang, want := range map[string][]string{
		"en": {"SETTING VALUE FROM", "segment mine file " + file + ":2", "capacity 16 environment HUFU_CAPACITY", "shm-dir /dev/shm default",
			"group-readable true file " + file + ":4", "home /h flag", "config " + file + " flag", "ca - default"},
		"zh": {"设置 值 来源", "segment mine 文件 " + file + ":2", "capacity 16 环境变量 HUFU_CAPACITY", "shm-dir /dev/shm 默认值", "home /h 命令行"},
	} {
		out, err := command(t, "config", "show", "--home=/h", "--lang", lang, "--config", file)
		if err != nil {
			t.Fatal(err)
		}
		shown := make(map[string]bool)
		for line := range strings.Lines(out) {
			shown[strings.Join(strings.Fields(line), " ")] = true
		}
		for _, line := range want {
			if !shown[line] {
				t.Errorf("%s: no line %q in\n%s", lang, line, out)
			}
		}
	}
	out, err := command(t, "config", "show", "--json", "--config", file)
	if err != nil {
		t.Fatal(err)
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
		"segment": "{segment mine file " + file + ":2}", "capacity": "{capacity 16 environment HUFU_CAPACITY}", "json": "{json true flag }",
		"group-readable": "{group-readable true file " + file + ":4}", "tls-key": "{tls-key  default }",
	} {
		if got := fmt.Sprint(seen[key]); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

// TestLanguageEverywhere: every way to choose a language governs help, results
// and errors.
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
		"variable":           {env: map[string]string{"HUFU_LANG": "zh"}, zh: true},
		"file":               {args: []string{"--config", file}, zh: true},
		"locale":             {env: map[string]string{"LC_ALL": "zh_CN.UTF-8"}, zh: true},
		"flag over variable": {env: map[string]string{"HUFU_LANG": "zh"}, args: []string{"--lang=en"}},
		"file over locale":   {env: map[string]string{"LANG": "en_GB"}, args: []string{"--config", file}, zh: true},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			for args, words := range map[string][2]string{
				"--help":                   {"Usage: hufu", "用法： hufu"},
				"shm --help":               {"Make the segment", "创建共享内存"},
				"--version":                {"built by", "构建"},
				"nothing":                  {"unexpected argument nothing", "用法有误：unexpected argument nothing"},
				"view --from x":            {"neither a date", "既不是"},
				"config check":             {"in order", "设置无误"},
				"negotiate --home /none":   {"not enrolled", "尚未登记"},
				"enrol":                    {"not a valid token", "令牌无效"},
				"":                         {"a command is missing", "缺少命令"},
				"enrol --token-file /none": {"no such file or directory", "没有这个文件或目录"},
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
	if _, err := command(t, "config", "check", "--lang=de"); err == nil || !strings.Contains(err.Error(), `--lang "de"`) || exitCode(err) != settings.ExitUsage {
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
	for _, dir := range []string{"../shm", "../shared/client", "../shared/kex"} {
		for _, name := range sentinels(t, dir) {
			if want := filepath.Base(dir) + "." + name; !strings.Contains(string(raw), want) {
				t.Errorf("%s has no words in failure.go", want)
			}
		}
	}
	for _, k := range known {
		zh := describe(text.Chinese, fmt.Errorf("detail: %w", k.Err))
		if !strings.HasPrefix(zh, "detail: ") || !strings.ContainsFunc(zh, isChinese) || strings.Contains(zh, k.Err.Error()) {
			t.Errorf("%v: %q", k.Err, zh)
		}
	}
	for _, err := range []error{client.ErrRefused, client.ErrSilent} {
		if zh := describe(text.Chinese, err); !strings.ContainsFunc(zh, isChinese) {
			t.Errorf("%v: %q", err, zh)
		}
	}
}

// TestUnsupported: where there is no shared memory, that is said.
func TestUnsupported(t *testing.T) {
	err := settings.With(settings.ExitSharedMemory, shm.ErrUnsupported)
	if en := describe(text.English, err); en != "shared memory needs Linux on amd64 or arm64" {
		t.Error(en)
	}
	if zh := describe(text.Chinese, err); zh != "共享内存只支持 amd64 或 arm64 上的 Linux" {
		t.Error(zh)
	}
	if !hasSegments {
		if _, err := command(t, "show"); exitCode(err) != settings.ExitSharedMemory || err.Error() != "shared memory needs Linux on amd64 or arm64" {
			t.Errorf("%v", err)
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

// TestExampleFile: deploy/hufu.toml is what config example writes: every
// setting with its default and nothing else.
func TestExampleFile(t *testing.T) {
	alone(t)
	out, err := command(t, "config", "example")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "../deploy/hufu.toml", "", "", out)
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
	p := program(&settings.File{}, text.English)
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
	same(t, "../docs/operations.md", "<!-- settings of hufu -->\n", "\n<!-- end -->", b.String())
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

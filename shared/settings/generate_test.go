package settings_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"hufu/shared/text"
)

// output runs one of the commands that tell about the program.
func output(t *testing.T, lang text.Lang, args ...string) string {
	t.Helper()
	l, err := parse(t, "", args...)
	if err != nil {
		t.Fatal(err)
	}
	l.p.T = lang.T
	if err := l.ctx.Run(); err != nil {
		t.Fatal(err)
	}
	return l.out.String()
}

// TestBash sources the completion in a real bash and completes command lines.
func TestBash(t *testing.T) {
	script := filepath.Join(t.TempDir(), "program.bash")
	if err := os.WriteFile(script, []byte(output(t, text.English, "completion", "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, name := range []string{"alpha.txt", "beta"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "gamma"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ words, want string }{ // the last word is completed
		{"program ,", "completion example group man serve"},
		{"program ,gr", "group"},
		{"program ,--na", "--name"},
		{"program ,group,", "one two"},
		{"program ,group,three,", "one two"}, // hidden
		{"program ,serve,", "--config --count --flag --folder --form --help --lang --level --many --name --once --rate --version --wait"},
		{"program ,serve,--co", "--config --count"},
		{"program ,--count", ""}, // serve's alone
		{"program ,group,two,--fo", "--folder --form"},
		{"program ,--lang,", "en zh"},
		{"program ,--lang,=,z", "zh"},
		{"program ,--lang,=", "en zh"},
		{"program ,serve,--form,", "json text"},
		{"program ,group,two,--form,", "long short"},
		{"program ,--name,group,", "completion example group man serve"}, // the value of a flag is no command
		{"program ,--name,=,group,", "completion example group man serve"},
		{"program ,--name,", ""},
		{"program ,--flag,gr", "group"},
		{"program ,--folder,", "alpha.txt beta"},
		{"program ,group,two,", "alpha.txt beta gamma"},
		{"program ,group,two,b", "beta"},
		{"program ,completion,", "bash fish zsh"},
	} {
		words := strings.Split(strings.ReplaceAll(c.words, " ", ""), ",")
		cmd := exec.Command("bash", append([]string{"--norc", "-c", `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _program; printf '%s\n' "${COMPREPLY[@]}"`, script}, words...)...)
		cmd.Dir = folder
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		// compopt tells that bash itself is not completing here.
		if err != nil || strings.Contains(errs.String(), "syntax") {
			t.Fatalf("%s: %v\n%s", c.words, err, errs.String())
		}
		got := strings.Fields(string(out))
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, not %s", c.words, got, c.want)
		}
	}
	cmd := exec.Command("bash", "--norc", "-c", `source "$0"; complete -p program`, script)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "complete -F _program program\n" {
		t.Errorf("%s, %v", out, err)
	}
}

// TestShells has the shells that are here read their scripts.
func TestShells(t *testing.T) {
	for shell, check := range map[string][]string{"bash": {"-n"}, "zsh": {"-n"}, "fish": {"-n"}} {
		script := filepath.Join(t.TempDir(), shell)
		content := output(t, text.English, "completion", shell)
		if err := os.WriteFile(script, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"serve", "group", "wait", "long", "program"} {
			if !strings.Contains(content, want) {
				t.Errorf("%s: %q is not in it", shell, want)
			}
		}
		for _, hidden := range []string{"three", "secret"} {
			if strings.Contains(content, hidden) {
				t.Errorf("%s: %q is in it", shell, hidden)
			}
		}
		if _, err := exec.LookPath(shell); err != nil {
			continue // the three are made from one tree; bash is always here
		}
		if out, err := exec.Command(shell, append(check, script)...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
}

// TestMan has the manual page checked by whatever here can.
func TestMan(t *testing.T) {
	tools := [][]string{{"mandoc", "-T", "lint", "-W", "error"}, {"groff", "-K", "utf8", "-ww", "-mandoc", "-Tutf8", "-z"}}
	checked := false
	for _, lang := range []text.Lang{text.English, text.Chinese} {
		page := output(t, lang, "man")
		for _, want := range []string{lang.T("man_name"), lang.T("man_exit"), `\-\-wait=75s`, "T_WAIT", "T_SECRET", "program group two", `\-\-form=long|short`} {
			plain := strings.ReplaceAll(page, `\:`, "")
			if !strings.Contains(plain, want) {
				t.Errorf("%q is not in the page", want)
			}
		}
		for _, tool := range tools {
			if _, err := exec.LookPath(tool[0]); err != nil {
				continue
			}
			checked = true
			cmd := exec.Command(tool[0], tool[1:]...)
			cmd.Stdin = strings.NewReader(page)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s: %v\n%s", tool[0], err, out)
			}
		}
	}
	if !checked {
		t.Fatal("groff and mandoc are missing; install the package groff-base")
	}
}

// TestExample: what it writes is a settings file, also with every line put to use.
func TestExample(t *testing.T) {
	content := output(t, text.English, "example")
	if strings.Contains(content, "once") || strings.Contains(content, "config =") {
		t.Errorf("it has what is no setting:\n%s", content)
	}
	lines := strings.Split(content, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "# ") {
			lines[i] = line[1:]
		}
	}
	used := strings.Join(lines, "\n")
	var values map[string]any
	if _, err := toml.Decode(used, &values); err != nil {
		t.Fatal(err)
	}
	l, err := parse(t, used, "serve")
	if err != nil {
		t.Fatal(err)
	}
	d, err := parse(t, content, "serve")
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range l.p.Values(l.ctx) {
		def := d.p.Values(d.ctx)[i]
		if s.Key == "config" {
			continue
		}
		if _, is := values[s.Key]; !is || s.Shown() != def.Shown() || def.Source != "default" {
			t.Errorf("%s: %s from the example, %s by default", s.Key, s.Shown(), def.Shown())
		}
	}
	if len(values) != len(l.p.Values(l.ctx))-1 {
		t.Errorf("%d keys in the example, %d settings", len(values), len(l.p.Values(l.ctx))-1)
	}
}

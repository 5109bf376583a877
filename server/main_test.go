package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hufu/shared/settings"
	"hufu/shared/wire"
)

func TestMain(m *testing.M) {
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "HUFU_") || strings.HasPrefix(name, "LC_") || name == "LANG" {
			os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// folder is a data folder, and commands run over it in this process.
type folder struct {
	*testing.T
	path string
}

func newFolder(t *testing.T) *folder { return &folder{t, filepath.Join(t.TempDir(), "data")} }

func (f *folder) run(args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	err = run(f.Context(), append([]string{"--data", f.path}, args...), &out, &errs)
	return out.String(), errs.String(), err
}

// ok runs what must succeed.
func (f *folder) ok(args ...string) string {
	f.Helper()
	out, errs, err := f.run(args...)
	if err != nil {
		f.Fatalf("%q: %v\n%s", args, err, errs)
	}
	return out
}

// fails runs what must fail with an exit code and words.
func (f *folder) fails(code int, words string, args ...string) {
	f.Helper()
	out, _, err := f.run(args...)
	if settings.Code(err) != code || !strings.Contains(fmt.Sprint(err), words) {
		f.Errorf("%q: exit %d, %v; want %d, …%s…", args, settings.Code(err), err, code, words)
	}
	if strings.Contains(out, "hufu1_") {
		f.Errorf("%q fails and shows a token", args)
	}
}

func (f *folder) file(name, content string, mode os.FileMode) string {
	f.Helper()
	path := filepath.Join(f.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		f.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		f.Fatal(err)
	}
	return path
}

// TestSettingsRefused: each wrong setting is named, and all of them at once.
func TestSettingsRefused(t *testing.T) {
	good := serveSettings{Lifetime: 24 * time.Hour, Grace: time.Hour, Idle: 75 * time.Second, MaxPerClient: 4, MaxRate: 2, MaxBurst: 10}
	if _, err := good.check(); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		names string
		spoil func(c *serveSettings)
	}{
		{"--lifetime", func(c *serveSettings) { c.Lifetime = 59 * time.Second }},
		{"--lifetime", func(c *serveSettings) { c.Lifetime = 90500 * time.Millisecond }},
		{"--lifetime", func(c *serveSettings) { c.Lifetime = 720*time.Hour + time.Second }},
		{"--lifetime", func(c *serveSettings) { c.Lifetime = -24 * time.Hour }},
		{"--grace", func(c *serveSettings) { c.Grace = 59 * time.Second }},
		{"--grace", func(c *serveSettings) { c.Grace = 721 * time.Hour }},
		{"--idle", func(c *serveSettings) { c.Idle = 74 * time.Second }},
		{"--idle", func(c *serveSettings) { c.Idle = 901 * time.Second }},
		{"--max-per-client", func(c *serveSettings) { c.MaxPerClient = 0 }},
		{"--max-per-client", func(c *serveSettings) { c.MaxPerClient = -4 }},
		{"--base-path", func(c *serveSettings) { c.BasePath = "hufu" }},
		{"--base-path", func(c *serveSettings) { c.BasePath = "/" }},
		{"--trusted-proxy", func(c *serveSettings) { c.TrustedProxy = []string{"10.0.0.1"} }},
		{"--trusted-proxy", func(c *serveSettings) { c.TrustedProxy = []string{"10.0.0.0/8", "all"} }},
		{"--idle --base-path", func(c *serveSettings) { c.Idle, c.BasePath = 0, "x" }},
	} {
		c := good
		test.spoil(&c)
		_, err := c.check()
		for name := range strings.FieldsSeq(test.names) {
			if !strings.Contains(fmt.Sprint(err), name+" ") {
				t.Errorf("%v; want a word about %s", err, name)
			}
		}
	}
	for _, c := range []Common{
		{ServerID: "a b", URL: "http://x"}, {ServerID: "twelve-bytes", URL: "http://x"}, {ServerID: "", URL: "http://x"},
		{ServerID: "HQ", URL: "https://x.example/"}, {ServerID: "HQ", URL: "ws://x.example"}, {ServerID: "HQ", URL: "x.example"},
		{ServerID: "HQ", URL: "https://user:password@x.example"},
	} {
		if c.check() == nil {
			t.Errorf("server %q at %q: taken", c.ServerID, c.URL)
		}
	}

	f := newFolder(t)
	f.fails(settings.ExitUsage, "--idle", "serve", "--idle", "1s")
	f.fails(settings.ExitUsage, "--log-format", "serve", "--log-format", "xml")
	f.fails(settings.ExitUsage, "--server-id", "outlet", "list", "--server-id", "a b")
	f.fails(settings.ExitUsage, "--what", "serve", "--what")
	f.fails(settings.ExitUsage, "nonsense", "nonsense")
	t.Setenv("HUFU_LIFETIME", "1s")
	f.fails(settings.ExitUsage, "--lifetime", "serve")
	if _, err := os.Stat(f.path); err == nil {
		t.Error("settings that are wrong have made a data folder")
	}
}

func TestOutletAdd(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	file := filepath.Join(t.TempDir(), "token")
	out := f.ok("outlet", "add", "o1", "--token-file", file, "--url", "https://keys.example.com/hufu")
	if strings.Contains(out, "hufu1_") || !strings.Contains(out, file) {
		t.Errorf("said: %q", out)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	token, err := wire.DecodeToken(string(raw))
	if err != nil || token.ClientID != "o1" || token.ServerID != "HQ" || token.URL != "https://keys.example.com/hufu" || token.Role != wire.RoleOutlet || token.Epoch != 1 {
		t.Errorf("%v, %v", token, err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the token's file: %v, %v", st.Mode(), err)
	}

	// A file that is there is not written over, and nobody is enrolled for nothing.
	f.fails(settings.ExitUsage, "exists", "outlet", "add", "o2", "--token-file", file)
	f.fails(settings.ExitUsage, "--token-file", "outlet", "add", "o2", "--token-file", filepath.Join(t.TempDir(), "no", "folder"))
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(raw, again) {
		t.Error("the file was changed")
	}
	f.fails(settings.ExitRefused, "no such outlet", "outlet", "show", "o2")

	// An id that is there leaves no file behind.
	other := filepath.Join(t.TempDir(), "token")
	f.fails(settings.ExitRefused, "enrolled already", "outlet", "add", "o1", "--token-file", other)
	f.fails(settings.ExitRefused, "enrolled already", "outlet", "add", "o1")
	if _, err := os.Lstat(other); err == nil {
		t.Error("a token's file without a token is left")
	}
	if _, _, err := f.run("outlet", "add", "a b", "--token-file", other); err == nil {
		t.Error("an id with a space was enrolled")
	}
	if _, err := os.Lstat(other); err == nil {
		t.Error("a token's file without a token is left")
	}

	var shown struct {
		ID, Role, Token string
		Epoch           uint64
	}
	if err := json.Unmarshal([]byte(f.ok("--json", "outlet", "add", "o2")), &shown); err != nil || shown.ID != "o2" || shown.Role != "outlet" || shown.Epoch != 1 {
		t.Errorf("%v, %v", shown.ID, err)
	}
	if _, err := wire.DecodeToken(shown.Token); err != nil {
		t.Error(err)
	}
	if strings.Contains(f.ok("--json", "outlet", "show", "o2")+f.ok("outlet", "list"), "hufu1_") {
		t.Error("a token is shown twice")
	}
}

func TestOutletList(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.ok("outlet", "add", "o1")
	f.ok("outlet", "add", "o2")
	f.ok("outlet", "disable", "o2")
	for args, want := range map[string][]string{
		"--lang en":                       {"LAST SEEN", "HOW ITS KEY STANDS", "ENDS", "no key yet", "o1", "o2"},
		"--lang zh":                       {"最后在线", "密钥情况", "有效至", "尚无密钥", "o1", "o2"},
		"--freshness none --json":         {`"connected":false`, `"freshness":"none"`, `"id":"o1"`, `"id":"o2"`},
		"--freshness soon,stale,fresh":    {},
		"--connected --json":              {},
		"--connected=false --search 1":    {"o1"},
		"--connected=false --search none": {},
	} {
		out := f.ok(append([]string{"outlet", "list"}, strings.Fields(args)...)...)
		for _, word := range want {
			if !strings.Contains(out, word) {
				t.Errorf("outlet list %s: no %q in\n%s", args, word, out)
			}
		}
		if len(want) == 0 && strings.Contains(out, "o1") {
			t.Errorf("outlet list %s:\n%s", args, out)
		}
	}
	f.fails(settings.ExitUsage, `"old" is not how a key can stand`, "outlet", "list", "--freshness", "fresh,old")
	for lang, want := range map[string]string{"en": "never seen; key: no key yet", "zh": "从未上线；密钥：尚无密钥"} {
		if out := f.ok("outlet", "show", "o1", "--lang", lang); !strings.Contains(out, want) {
			t.Errorf("outlet show --lang %s: %s", lang, out)
		}
	}
	if out := f.ok("key", "list", "--unreceipted", "--json"); out != "" {
		t.Errorf("keys of nobody: %s", out)
	}
}

func TestOutletDisable(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.ok("outlet", "add", "o1")
	status := func() string {
		var shown struct{ Disabled bool }
		if err := json.Unmarshal([]byte(f.ok("--json", "outlet", "show", "o1")), &shown); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(shown.Disabled)
	}
	for _, step := range []struct{ do, want string }{{"disable", "true"}, {"enable", "false"}} {
		f.ok("outlet", step.do, "o1")
		if got := status(); got != step.want {
			t.Errorf("after %s it is disabled: %s", step.do, got)
		}
	}
	f.fails(settings.ExitRefused, "no such outlet", "outlet", "disable", "nobody")
}

func TestKeys(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.ok("outlet", "add", "o1")
	if out := f.ok("--json", "key", "list", "--outlet", "o1", "--state", "active,revoked", "--from", "2026-01-01", "--to", "2026-01-01", "--limit", "1"); out != "" {
		t.Errorf("keys of nobody: %q", out)
	}
	for _, args := range [][]string{
		{"--state", "dead"}, {"--from", "2026-13-01"}, {"--to", "2026-01-01T00:00:00"}, {"--from", "2026-02-01", "--to", "2026-01-31"}, {"--limit", "many"},
	} {
		f.fails(settings.ExitUsage, args[0], append([]string{"key", "list"}, args...)...)
	}
	f.fails(settings.ExitRefused, "no such key", "key", "show", "o1", "18446744073709551615")
	f.fails(settings.ExitRefused, "no such key", "key", "revoke", "nobody", "1")
	f.fails(settings.ExitUsage, "--note", "key", "revoke", "o1", "1", "--note", strings.Repeat("密", 67))
	f.fails(settings.ExitUsage, "reason", "key", "revoke", "o1", "1", "--reason", "256")
}

// TestLanguage: a person is told what is wrong in the language asked for.
func TestLanguage(t *testing.T) {
	f := newFolder(t)
	t.Setenv("HUFU_LANG", "zh")
	f.fails(settings.ExitRefused, "没有这个网点", "outlet", "show", "nobody")
	f.fails(settings.ExitRefused, "no such outlet", "--lang", "en", "outlet", "show", "nobody")
}

// TestDatabaseURLFile: the address may hold a password, so its file is the
// owner's alone, and no message repeats it.
func TestDatabaseURLFile(t *testing.T) {
	f := newFolder(t)
	url := "postgres://hufu:canary-password@127.0.0.1:1/hufu?connect_timeout=2\n"
	for _, mode := range []os.FileMode{0o640, 0o602} {
		f.fails(settings.ExitUsage, "chmod 600", "outlet", "list", "--database-url-file", f.file("url", url, mode))
	}
	f.fails(settings.ExitUsage, "--database-url-file", "outlet", "list", "--database-url-file", filepath.Join(t.TempDir(), "none"))
	out, errs, err := f.run("outlet", "list", "--database-url-file", f.file("url", url, 0o600))
	if settings.Code(err) != settings.ExitUnreachable {
		t.Errorf("nobody listens there: exit %d, %v", settings.Code(err), err)
	}
	t.Setenv("HUFU_DATABASE_URL", url)
	_, _, fromEnv := f.run("outlet", "list")
	if settings.Code(fromEnv) != settings.ExitUnreachable {
		t.Errorf("by the environment: exit %d, %v", settings.Code(fromEnv), fromEnv)
	}
	if strings.Contains(fmt.Sprint(out, errs, err, fromEnv), "canary-password") {
		t.Error("the password is told")
	}
	f.fails(settings.ExitUsage, "database-url", "outlet", "list", "--database-url", url)
	if _, err := os.Stat(filepath.Join(f.path, "hufu.db")); err == nil {
		t.Error("the embedded store was made instead")
	}
}

func TestKeyRing(t *testing.T) {
	t.Parallel()
	f, other := newFolder(t), newFolder(t)
	f.ok("outlet", "add", "o1")
	other.ok("outlet", "list")
	path := filepath.Join(f.path, "keyring.json")
	ring, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o602} {
		f.fails(settings.ExitFailure, "can be read by others", "outlet", "list", "--key-ring", f.file("ring", string(ring), mode))
	}
	f.fails(settings.ExitFailure, "not the one", "outlet", "list", "--key-ring", filepath.Join(other.path, "keyring.json"))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.run("outlet", "list", "--key-ring", link); err == nil {
		t.Error("a link is followed")
	}
	if _, _, err := f.run("outlet", "list", "--key-ring", f.file("ring", string(ring[:len(ring)/2]), 0o600)); err == nil {
		t.Error("half a ring is taken")
	}

	// A store whose ring is lost does not get a new one.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.run("outlet", "list"); err == nil {
		t.Error("a lost ring is not missed")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a new ring was made for a store that has one")
	}
	if err := os.WriteFile(path, ring, 0o600); err != nil {
		t.Fatal(err)
	}
	f.ok("outlet", "show", "o1")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for _, args := range [][]string{{"--help"}, {"outlet", "add", "--help"}} {
		if out := f.ok(args...); !strings.Contains(out, "--data") || strings.Contains(out, "${") {
			t.Errorf("%q: %q", args, out)
		}
	}
	if _, err := os.Stat(f.path); err == nil {
		t.Error("help has made a data folder")
	}
}

// log collects what serve says while it runs.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// after is what stands behind the first occurrence of a word, up to a blank.
func (l *log) after(word string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, rest, _ := strings.Cut(l.b.String(), word)
	value, _, found := strings.Cut(rest, " ")
	if !found {
		return ""
	}
	return value
}

// TestServeStopped: a server that is told to stop while it still opens its
// store ends as one that is told to later.
func TestServeStopped(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	said := &log{}
	if err := run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--data", f.path}, said, said); err != nil {
		t.Errorf("it ends with %v", err)
	}
	if said.after("msg=stopped while=") == "" {
		t.Errorf("it says %q", said.b.String())
	}
}

// TestServe: it serves until it is told to stop, and commands work beside it.
func TestServe(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said := &log{}
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"--data", f.path, "serve", "--listen", "127.0.0.1:0", "--base-path", "/hufu"}, io.Discard, said)
	}()
	var address string
	for end := time.Now().Add(30 * time.Second); address == ""; time.Sleep(5 * time.Millisecond) {
		if address = said.after("address="); time.Now().After(end) {
			t.Fatal("it does not listen")
		}
	}
	for path, want := range map[string]int{"/hufu/healthz": http.StatusOK, "/hufu/readyz": http.StatusOK, "/hufu/ws": http.StatusUpgradeRequired, "/healthz": http.StatusNotFound} {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: %s, want %d", path, response.Status, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	f.ok("outlet", "add", "o1")
	_, _, err := f.run("serve", "--listen", address)
	if err == nil {
		t.Error("a second server over the same folder, on the same address")
	}
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("stopped: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not stop")
	}
}

package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hufu/shared/wire"
	"hufu/shm"
)

// onBoth runs a test on an installation of each store.
func onBoth(t *testing.T, test func(t *testing.T, s *site)) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			test(t, newSite(t, store))
		})
	}
}

// read runs the consumer in C.
func (o *outlet) read(number ...string) (fields map[string]string, code int) {
	o.t.Helper()
	r := runs(o.t, o.env, "", "reader", append([]string{o.segment, o.id}, number...)...)
	fields = map[string]string{}
	for line := range strings.Lines(r.out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		fields[name] = value
	}
	return fields, r.code
}

func (o *outlet) expectRead(number, state, status, fingerprint string, code int) {
	o.t.Helper()
	got, c := o.read(number)
	if c != code || got["state"] != state || got["status"] != status || fingerprint != "" && got["fingerprint"] != fingerprint {
		o.t.Errorf("the C reader sees key %s as %v (%d), expected %s, status %s, %s (%d)", number, got, c, state, status, fingerprint, code)
	}
}

// first is the first line of JSON that a program has printed.
func first(t testing.TB, out string) entry {
	t.Helper()
	list := entries(t, out)
	if len(list) == 0 {
		t.Fatal("nothing was printed")
	}
	return list[0]
}

// TestPath walks through the whole life of keys, by the programs alone.
func TestPath(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		o := s.outlet(t, wire.RoleOutlet)
		file := filepath.Join(o.home, "token-by-hand")
		o.id = "BRANCH-" + o.id[2:]
		if r := s.admin(t, "outlet", "add", o.id, "--token-file", file); r.code != 0 {
			t.Fatal(r.err)
		}
		o.must("enrol", "--token-file", file)

		agreed := first(t, o.must("negotiate", "--json").out)
		if agreed.State != "active" || agreed.Seckeyid != 1 {
			t.Errorf("negotiated: %+v", agreed)
		}
		o.expectRead("1", "active", "1", agreed.Fingerprint, 0)
		if current, _ := o.read(); current["number"] != "1" {
			t.Errorf("the current key, by the C reader: %v", current)
		}
		if verified := first(t, o.must("verify", "--json").out); verified.State != "active" || verified.Fingerprint != agreed.Fingerprint {
			t.Errorf("verified: %+v", verified)
		}
		o.expectViews(agreed.Fingerprint)
		o.expectSwitch(agreed.Fingerprint)

		revoked := first(t, o.must("revoke", "2", "--reason", "2", "--json").out)
		if revoked.State != "revoked" {
			t.Errorf("revoked: %+v", revoked)
		}
		o.expectRead("2", "revoked", "0", "", 1)
		shown := s.admin(t, "key", "show", o.id, "2", "--json").out
		if !strings.Contains(shown, `"receipt"`) {
			t.Errorf("hufu revoke has ended before its receipt was recorded: %s", shown)
		}
		if e := first(t, shown); e.State != "revoked" || e.Reason != "key compromised" {
			t.Errorf("the history of key 2: %s", shown)
		}
		if got := o.history(); got != "2 revoked, 1 retired" {
			t.Errorf("the history: %s", got)
		}
		o.must("shm", "destroy")
	})
}

// expectViews looks at the history by date and state; key 1 is active.
func (o *outlet) expectViews(fingerprint string) {
	o.t.Helper()
	now := time.Now()
	day := func(days int) string { return now.UTC().AddDate(0, 0, days).Format(time.DateOnly) }
	for _, view := range []struct {
		args []string
		rows int
	}{
		{nil, 1},
		{[]string{"--from", day(-1), "--to", day(2)}, 1}, // wherever this machine is, and at midnight too
		{[]string{"--to", day(-2)}, 0},
		{[]string{"--from", day(2)}, 0},
		{[]string{"--from", now.Add(-time.Hour).Format(time.RFC3339), "--to", now.Add(time.Hour).Format(time.RFC3339)}, 1},
		{[]string{"--state", "active"}, 1},
		{[]string{"--state", "pending,active"}, 1},
		{[]string{"--state", "revoked,expired"}, 0},
		{[]string{"--outlet", o.id, "--limit", "1"}, 1},
	} {
		rows := entries(o.t, o.must(append([]string{"view", "--json"}, view.args...)...).out)
		if len(rows) != view.rows {
			o.t.Errorf("view %v: %d rows, expected %d", view.args, len(rows), view.rows)
		}
		for _, r := range rows {
			if r.Outlet != o.id || r.Fingerprint != fingerprint || r.State != "active" {
				o.t.Errorf("view %v: %+v", view.args, r)
			}
		}
	}
}

// expectSwitch agrees a second key, and watches how it follows the first: the
// first stays current for 5 s, and both open all the time.
func (o *outlet) expectSwitch(older string) {
	o.t.Helper()
	cmd := o.command("negotiate", "--json")
	var out bytes.Buffer // read when the command has ended
	cmd.Stdout = &out
	began := time.Now()
	before := began // the last look that did not see the second, which may have come right after it
	p := start(o.t, cmd)
	o.t.Cleanup(func() {
		p.cmd.Process.Kill() // where the test has not come to its end
		<-p.done
	})
	var verified time.Time
	for {
		look := time.Now()
		current, _ := o.read()
		first, code1 := o.read("1")
		second, code2 := o.read("2")
		if code1 != 0 || first["fingerprint"] != older {
			o.t.Errorf("the first key does not open: %v", first)
		}
		if code2 == 0 && verified.IsZero() {
			verified = before
		}
		before = look
		if !verified.IsZero() && code2 != 0 {
			o.t.Errorf("the second key does not open any more: %v", second)
		}
		switch current["number"] {
		case "1":
			if time.Since(began) > patience {
				o.t.Fatal("the second key does not become current")
			}
			continue
		case "2":
		default:
			o.t.Fatalf("no key is current: %v", current)
		}
		break
	}
	if took := time.Since(verified); took < 4900*time.Millisecond {
		o.t.Errorf("the first key was current for %s after the second came", took)
	}
	if code := p.stop(o.t, syscall.Signal(0)); code != 0 || first(o.t, out.String()).State != "active" {
		o.t.Errorf("the second negotiate: %d %s%s", code, &out, strings.Join(p.log.since(0), "\n"))
	}
	if got := o.history(); got != "2 active, 1 retired" {
		o.t.Errorf("the history: %s", got)
	}
	o.expectRead("1", "retired", "1", older, 0)
}

// TestPush: what another process does reaches a connected outlet at once.
func TestPush(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		o := s.enrolled(t)
		p := o.opened(t, o.token)
		var all []time.Duration
		for range 5 {
			n := p.key()
			if r := s.admin(t, "key", "revoke", o.id, fmt.Sprint(n), "--reason", "3"); r.code != 0 {
				t.Fatal(r.err)
			}
			done := time.Now()
			push := p.push()
			all = append(all, time.Since(done))
			if push.Seckeyid != n || push.State != wire.StateRevoked || push.Reason != wire.ReasonOutletClosed {
				t.Errorf("the push says key %d %s for reason %d", push.Seckeyid, push.State, push.Reason)
			}
			if code := p.code(&wire.Receipt{Seckeyid: n, State: wire.StateRevoked}); code != wire.CodeOK {
				t.Errorf("the receipt is answered %v", code)
			}
		}
		if took := median(all); took > time.Second {
			t.Errorf("the push came %v after the command had ended: %v", took, all)
		}
		p.close()
	})
}

// TestStop: on SIGTERM clients are told to come again, and everything ends.
func TestStop(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		o := s.enrolled(t)
		p := o.opened(t, o.token)
		p.key()
		waiting := o.dial(t, o.token) // and has not opened
		stopped := make(chan int)
		go func() { stopped <- s.server.stop(t, syscall.SIGTERM) }()
		for name, p := range map[string]*peer{"an open connection": p, "one that waits": waiting} {
			if frames, code := p.end(); code != 1012 || len(frames) > 0 {
				t.Errorf("%s: code %d after %d messages", name, code, len(frames))
			}
		}
		if code := <-stopped; code != 0 {
			t.Errorf("hufu-server ended with %d", code)
		}
		if r := o.hufu("view"); r.code != 4 {
			t.Errorf("hufu view without a server: %d %s", r.code, r.err)
		}
		s.start()
		if got := o.history(); got != "1 active" {
			t.Errorf("after a restart the history is %s", got)
		}
	})
}

// TestMenu works the numbered menu on a terminal, in both languages.
func TestMenu(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite")
	for lang, says := range map[string]struct{ menu, agreed, same, ask, revoked, row, what string }{
		"en": {"0 exit   1 negotiate   2 verify   3 revoke   4 view", "Key 1 agreed and verified", "both ends hold the same",
			"Number of the key to revoke", "Key 1 is revoked and wiped", "revoked", `"9" is not one of`},
		"zh": {"0-退出   1-协商   2-校验   3-注销   4-查看", "密钥 1 已协商并校验", "两端一致",
			"要注销的密钥号", "密钥 1 已注销", "已注销", `"9" 不是`},
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			o := s.enrolled(t)
			x := o.onTerminal("--lang", lang)
			x.expect(says.menu)
			x.types("1")
			x.expect(says.agreed)
			x.expect(says.menu)
			x.types("2")
			x.expect(says.same)
			x.expect(says.menu)
			x.types("9")
			x.expect(says.what)
			x.expect(says.menu)
			x.types("3")
			x.expect(says.ask)
			x.types("")
			x.expect(says.revoked)
			x.expect(says.menu)
			x.types("4")
			x.expect(says.row)
			x.expect(says.menu)
			x.types("0")
			if code := x.exit(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if got := (after{o.history(), o.shared()}); got != (after{"1 revoked", "1 revoked wiped"}) {
				t.Errorf("afterwards %+v", got)
			}
		})
	}
}

// TestPrompt: a token that is typed does not appear on the screen.
func TestPrompt(t *testing.T) {
	t.Parallel()
	o := newSite(t, "sqlite").outlet(t, wire.RoleOutlet)
	x := o.onTerminal("enrol", "--lang", "en")
	x.expect("Token (it is not shown): ")
	token := ascii(t, o.token)
	x.types(token)
	x.expect("Enrolled as " + o.id)
	if code := x.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(x.all(), token[:20]) {
		t.Error("the token is on the screen")
	}
	stored, err := os.ReadFile(o.tokenPath())
	must(t, err)
	if strings.TrimSpace(string(stored)) != token {
		t.Error("another token is stored")
	}
}

// TestPromptGivenUp: Ctrl-C at the prompt ends the command.
func TestPromptGivenUp(t *testing.T) {
	t.Parallel()
	o := newSite(t, "sqlite").outlet(t, wire.RoleOutlet)
	x := o.onTerminal("enrol", "--lang", "en")
	x.expect("Token (it is not shown): ")
	x.types("hufu1_\x03")
	x.expect("this is not a valid token")
	if code := x.exit(); code != 2 {
		t.Errorf("exit code %d", code)
	}
}

// TestEnrolAgain: an enrolment gives way only to one that has opened.
func TestEnrolAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite")
	o := s.outlet(t, wire.RoleOutlet)
	other := s.outlet(t, wire.RoleOutlet)
	enrol := func(token *wire.Token) result {
		file := filepath.Join(o.home, "offered")
		write(t, file, ascii(t, token))
		return o.hufu("enrol", "--token-file", file)
	}
	stored := func() string {
		b, err := os.ReadFile(o.tokenPath())
		must(t, err)
		return strings.TrimSpace(string(b))
	}
	if r := enrol(o.token); r.code != 0 {
		t.Fatal(r.err)
	}
	s.stop(t, syscall.SIGTERM)
	if r := enrol(other.token); r.code != 4 || stored() != ascii(t, o.token) {
		t.Errorf("with the server down: %d %s", r.code, r.err)
	}
	s.start()
	if r := enrol(other.token); r.code != 0 || stored() != ascii(t, other.token) {
		t.Errorf("with the server up: %d %s", r.code, r.err)
	}
	info, err := os.Stat(o.tokenPath())
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("the token file has mode %v", info.Mode())
	}
	if files, err := os.ReadDir(filepath.Dir(o.tokenPath())); err != nil || len(files) != 1 {
		t.Errorf("beside the token: %v %v", files, err)
	}
}

// TestHelp: the exit codes that the rows of TestBadInput see are documented.
func TestHelp(t *testing.T) {
	t.Parallel()
	env := environment(t.TempDir())
	for lang, codes := range map[string]string{
		"C":           "0 done, 1 failure, 2 usage, 3 refused, 4 unreachable, 5 key mismatch, 6 shared memory",
		"zh_CN.UTF-8": "0 完成，1 失败，2 用法，3 被拒绝，4 无法连接，5 密钥不一致，6 共享内存",
	} {
		r := runs(t, append(env, "LANG="+lang), "", "hufu", "--help")
		if words := strings.Join(strings.Fields(r.out), " "); r.code != 0 || !strings.Contains(words, codes) {
			t.Errorf("LANG=%s: %d\n%s", lang, r.code, r.out)
		}
	}
	seen := map[int]bool{}
	for _, row := range allRows() {
		if row.sees.how == "exit" {
			seen[row.sees.code] = true
		}
	}
	for code := 1; code <= 6; code++ {
		if !seen[code] {
			t.Errorf("no row of TestBadInput ends with %d", code)
		}
	}
}

// TestJSON: what is printed for scripts is JSON, and neither it nor a log or a
// list ever holds a key or a token.
func TestJSON(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		o := s.outlet(t, wire.RoleOutlet)
		file := filepath.Join(o.home, "offered")
		write(t, file, ascii(t, o.token))
		var printed strings.Builder
		client := func(args ...string) {
			r := o.must(append(args, "--json")...)
			printed.WriteString(r.out + r.err)
			expectJSON(t, strings.Join(args, " "), r.out)
		}
		server := func(args ...string) {
			r := s.admin(t, append(args, "--json")...)
			if r.code != 0 {
				t.Errorf("hufu-server %v: %d %s", args, r.code, r.err)
			}
			printed.WriteString(r.out + r.err)
			expectJSON(t, strings.Join(args, " "), r.out)
		}
		client("enrol", "--token-file", file)
		client("negotiate")
		canaries := append(o.keyBytes(1), o.token.Secret[:])
		client("verify")
		client("view")
		client("show")
		client("shm", "info")
		server("outlet", "list")
		server("outlet", "show", o.id)
		server("key", "list")
		server("key", "show", o.id, "1")
		server("outlet", "disable", o.id)
		server("outlet", "enable", o.id)
		client("revoke")
		client("negotiate")
		canaries = append(canaries, o.keyBytes(2)...)
		server("key", "revoke", o.id, "2")
		client("view")
		client("shm", "destroy")
		client("shm", "create")
		client("config", "show")
		client("config", "check")
		server("config", "show")
		server("config", "check")
		server("migrate")
		tokens := t.TempDir()
		for _, added := range [][]string{{"outlet", "add"}, {"outlet", "new-secret"}, {"operator", "add"}, {"operator", "new-secret"}} {
			file := filepath.Join(tokens, strings.Join(added, "-"))
			server(added[0], added[1], "X-"+added[0], "--token-file", file)
			token := tokenFrom(t, file)
			canaries = append(canaries, token.Secret[:])
		}
		server("operator", "list")
		server("operator", "disable", "X-operator")
		server("operator", "enable", "X-operator")
		server("event", "list")
		server("kek", "new")
		server("kek", "rotate")
		server("kek", "check")
		client("negotiate") // under the new key ring
		client("unenrol")
		printed.WriteString(strings.Join(s.server.log.since(0), "\n"))

		text := printed.String()
		for i, c := range canaries {
			for name, form := range map[string]string{"bytes": string(c), "hex": hex.EncodeToString(c),
				"base64": base64.RawStdEncoding.EncodeToString(c), "base64url": base64.RawURLEncoding.EncodeToString(c), "numbers": fmt.Sprint(c)} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
					t.Errorf("secret %d was printed, as %s", i, name)
				}
			}
		}
		if strings.Contains(text, ascii(t, o.token)[:60]) || strings.Contains(text, "hufu1_") {
			t.Error("a token was printed")
		}
	})
}

// tokenFrom reads a token from a file.
func tokenFrom(t testing.TB, file string) *wire.Token {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	token, err := wire.DecodeToken(string(text))
	must(t, err)
	return token
}

func expectJSON(t testing.TB, command, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%s: not JSON: %q", command, line)
		}
	}
	if out == "" {
		t.Errorf("%s: nothing was printed", command)
	}
}

// keyBytes are the bytes of a key and of its confirmation keys, from the two
// files of the segment.
func (o *outlet) keyBytes(seckeyid uint64) [][]byte {
	o.t.Helper()
	r, err := shm.OpenReader(shm.Options{Name: o.segment})
	must(o.t, err)
	defer r.Close()
	e, err := r.Key(o.id, seckeyid)
	must(o.t, err)
	return [][]byte{e.Key[:]}
}

package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/integration/pgtest"
	"hufu/shared/wire"
)

// console runs hufu admin.
func (o *outlet) console(args ...string) result {
	o.t.Helper()
	return o.hufu(append([]string{"admin"}, args...)...)
}

// person makes an operator or auditor who is enrolled at both ends.
func (s *site) person(t testing.TB, role wire.Role) *outlet {
	t.Helper()
	o := s.outlet(t, role)
	o.keep(o.token)
	return o
}

func (o *outlet) wants(code int, said string, args ...string) result {
	o.t.Helper()
	r := o.console(args...)
	if r.code != code || !strings.Contains(r.out+r.err, said) {
		o.t.Errorf("hufu admin %s: exit code %d, want %d with %q: %s%s", strings.Join(args, " "), r.code, code, said, r.out, r.err)
	}
	return r
}

// recorded lists what the centre has refused, oldest first, as "who: what".
func (s *site) recorded(t testing.TB) (all []string) {
	t.Helper()
	r := s.admin(t, "event", "list", "--kind", "refused", "--json")
	for line := range strings.Lines(r.out) {
		var e struct{ Outlet, By, Note string }
		must(t, json.Unmarshal([]byte(line), &e))
		all = append(all, e.By+": "+e.Note)
	}
	slices.Reverse(all)
	return all
}

// TestAdmin: an operator enrols an outlet from a terminal, and the outlet uses
// that token; everything else that a console does, from the terminal too.
func TestAdmin(t *testing.T) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			s := newSite(t, store)
			s.stop(t, syscall.SIGTERM)
			s.start() // now it knows the address that its tokens carry
			op := s.person(t, wire.RoleOperator)
			file := filepath.Join(t.TempDir(), "new.token")
			op.wants(0, file, "enrol", "new", "--token-file", file)
			st, err := os.Stat(file)
			must(t, err)
			if st.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", file, st.Mode())
			}
			token, err := os.ReadFile(file)
			must(t, err)

			fresh := s.outlet(t, wire.RoleOutlet) // for a home and a segment of its own
			fresh.id = "new"
			fresh.must("enrol", "--token-file", file)
			fresh.must("negotiate")
			if got := fresh.shared(); got != "1 active current" {
				t.Errorf("the new outlet holds %s", got)
			}
			r := op.wants(0, `"fingerprint"`, "key", "new", "1", "--json")
			var key struct {
				State, Fingerprint string
				History            []struct{ State, By string }
			}
			must(t, json.Unmarshal([]byte(r.out), &key))
			if list := entries(t, fresh.must("show", "--json").out); key.State != "active" || len(key.History) != 2 || key.Fingerprint != list[0].Fingerprint {
				t.Errorf("the console says %+v, the outlet %+v", key, list)
			}
			op.wants(0, "Outlets: 2, of them", "overview")
			var overview struct{ Hours []struct{ Negotiated int } }
			must(t, json.Unmarshal([]byte(op.wants(0, "", "overview", "--json").out), &overview))
			negotiated := 0
			for _, hour := range overview.Hours {
				negotiated += hour.Negotiated
			}
			if negotiated != 2 { // the operator's, to seal under, and the outlet's
				t.Errorf("%d keys were negotiated: %+v", negotiated, overview)
			}
			op.wants(0, `"freshness":"fresh"`, "outlets", "--query", "NEW", "--freshness", "fresh", "--json")
			op.wants(0, "epoch 1: made", "outlet", "new")

			// Acts, done once and asked for twice.
			op.wants(2, "--yes", "revoke", "new", "1")
			op.wants(0, `"changed":true`, "revoke", "new", "1", "--reason", "2", "--note", "遗失", "--yes", "--json")
			op.wants(0, "already", "revoke", "new", "1", "--yes")
			op.wants(3, "no key 7", "revoke", "new", "7", "--yes")
			op.wants(0, "遗失", "key", "new", "1")
			op.wants(0, "is disabled", "disable", "new", "--yes")
			if r := fresh.hufu("negotiate"); r.code != 4 {
				t.Errorf("a disabled outlet negotiates: %+v", r)
			}
			op.wants(0, "already", "disable", "new", "--yes")
			op.wants(0, "is enabled", "enable", "new")
			op.wants(3, "yourself", "disable", op.id, "--yes")
			op.wants(3, "is enrolled already", "enrol", "new")
			op.wants(3, "nobody is enrolled", "new-secret", "nobody")
			op.wants(2, "is not an identifier", "enrol", "no one")
			fresh.must("negotiate") // it hears of its revocation, and has a new key

			// A new secret, a stale one, a cut.
			again := filepath.Join(t.TempDir(), "again.token")
			op.wants(0, "epoch 2", "new-secret", "new", "--epoch", "1", "--token-file", again)
			op.wants(3, "of epoch 2", "new-secret", "new", "--epoch", "1", "--cut", "--yes", "--token-file", again+"2")
			if _, err := os.Stat(again + "2"); err == nil {
				t.Error("the file of a token that was not made is there")
			}
			fresh.must("enrol", "--token-file", again)
			shown := op.wants(0, "hufu1_", "new-secret", "new", "--cut", "--yes").out
			if r := fresh.hufu("negotiate"); r.code != 4 {
				t.Errorf("an outlet whose secret was cut negotiates: %+v", r)
			}

			// No token was ever logged.
			second, err := os.ReadFile(again)
			must(t, err)
			logged := strings.Join(s.server.log.since(0), "\n")
			for _, secret := range []string{string(token), string(second), shown[strings.Index(shown, "hufu1_"):]} {
				if secret = strings.Fields(secret)[0]; len(secret) < 100 || strings.Contains(logged, secret[6:]) {
					t.Errorf("%d characters of a token, or they are logged", len(secret))
				}
			}
		})
	}
}

// TestAdminRefused: what a role may not do is refused, whatever document asks
// for it, and recorded under the name of who tried.
func TestAdminRefused(t *testing.T) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			s := newSite(t, store)
			au, plain := s.person(t, wire.RoleAuditor), s.enrolled(t)
			plain.must("negotiate")
			var want []string
			for _, args := range [][]string{{"enrol", "x"}, {"new-secret", plain.id}, {"enable", plain.id}, {"disable", plain.id, "--yes"}, {"revoke", plain.id, "1", "--yes"}} {
				au.wants(3, "error 8", args...)
				want = append(want, au.id+": "+strings.ReplaceAll(args[0], "-", ""))
			}
			for _, args := range [][]string{{"overview"}, {"outlets"}, {"outlet", plain.id}, {"key", plain.id, "1"}, {"events"}} {
				au.wants(0, "", args...)
			}
			for _, args := range [][]string{{"overview"}, {"outlets"}, {"outlet", plain.id}, {"key", plain.id, "1"}, {"events"}, {"events", "--follow"}, {"enrol", "x"}, {"enable", plain.id}} {
				plain.wants(3, "error 8", args...)
				want = append(want, plain.id+": administer")
			}
			// By hand, past every client.
			hand := s.opened(t, au.token)
			for _, c := range []struct {
				doc  string
				code wire.Code
				note string
			}{
				{"\x83\xa2op\xa5enrol\xa2id\xa1x\xa4role\x02", wire.CodeNotPermitted, "enrol"},
				{"\x84\xa2op\xa9newsecret\xa2id\xa1x\xa3cut\xc3\xa1x\x00", wire.CodeNotPermitted, "newsecret"},
				{"\x82\xa2op\xa6revoke\xa2op\xa6revoke", wire.CodeBadBody, ""},
				{"\x82\xa1x\x81\xa2op\xa8overview\xa2op\xa7disable", wire.CodeNotPermitted, "disable"},
				{"\x81\xa2op\xa6Revoke", wire.CodeBadBody, ""},
				{"\x82\xa2op\xa8overview\xa1x\xc3", wire.CodeBadBody, ""},
				{"\xde\x00\x01\xa2op\xd9\x06revoke", wire.CodeNotPermitted, "revoke"}, // other spellings
				{"\x80", wire.CodeBadBody, ""},
				{"", wire.CodeBadBody, ""},
			} {
				if got := hand.code(&wire.Administer{Doc: []byte(c.doc)}); got != c.code {
					t.Errorf("%q: %v, want %v", c.doc, got, c.code)
				}
				if c.note != "" {
					want = append(want, au.id+": "+c.note)
				}
			}
			hand.close()
			if got := s.recorded(t); !slices.Equal(got, want) {
				t.Errorf("recorded\n%q, want\n%q", got, want)
			}
			if got := plain.history(); got != "1 active" {
				t.Errorf("something was done: %s", got)
			}
			if r := s.admin(t, "outlet", "list", "--json"); strings.Contains(r.out, `"id":"x"`) || strings.Contains(r.out, `"disabled":true`) {
				t.Errorf("something was done: %s", r.out)
			}
		})
	}
}

// following is hufu admin events --follow --json.
type following struct {
	t    testing.TB
	cmd  *exec.Cmd
	rows chan eventRow
	errs output
}

type eventRow struct {
	N            uint64
	Kind, Outlet string
	By           string
	came         time.Time
}

func (o *outlet) follow(args ...string) *following {
	o.t.Helper()
	f := &following{t: o.t, cmd: exec.Command(filepath.Join(bin, "hufu"), append([]string{"admin", "events", "--follow", "--json"}, args...)...),
		rows: make(chan eventRow, 10000)}
	f.cmd.Env, f.cmd.Stderr = o.env, &f.errs
	out, err := f.cmd.StdoutPipe()
	must(o.t, err)
	must(o.t, f.cmd.Start())
	go func() {
		defer close(f.rows)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var row eventRow
			if json.Unmarshal(lines.Bytes(), &row) == nil {
				row.came = time.Now()
				f.rows <- row
			}
		}
	}()
	o.t.Cleanup(f.stop)
	return f
}

// stop ends it as a person does, which is no failure.
func (f *following) stop() {
	if f.cmd.ProcessState != nil {
		return
	}
	must(f.t, f.cmd.Process.Signal(syscall.SIGINT))
	for range f.rows {
	}
	if err := f.cmd.Wait(); err != nil {
		f.t.Errorf("%v: %s", err, &f.errs)
	}
	sound(f.t, "hufu", f.errs.String())
}

// until takes rows until one is as it is wanted, and returns all.
func (f *following) until(what string, ok func(eventRow) bool) (rows []eventRow) {
	f.t.Helper()
	late := time.After(patience)
	for {
		select {
		case row, more := <-f.rows:
			if !more {
				f.t.Fatalf("it ended while waiting for %s: %s", what, &f.errs)
			}
			if rows = append(rows, row); ok(row) {
				return rows
			}
		case <-late:
			f.t.Fatalf("waited for %s, and saw %v", what, rows)
		}
	}
}

// TestTwoOperators: what one does the other sees within a second, in this server
// process or another; who acts upon a stale view is told.
func TestTwoOperators(t *testing.T) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			s := newSite(t, store)
			a, b, o := s.person(t, wire.RoleOperator), s.person(t, wire.RoleOperator), s.enrolled(t)
			o.must("negotiate")
			f := b.follow("--limit", "500")
			f.until("the outlet's key", func(r eventRow) bool { return r.Outlet == o.id && r.Kind == "verified" })
			seen := func(kind, by string, done time.Time) time.Duration {
				rows := f.until(kind, func(r eventRow) bool { return r.Kind == kind && r.Outlet == o.id })
				row := rows[len(rows)-1]
				if row.By != by {
					t.Errorf("%s by %q: %+v", kind, by, row)
				}
				return row.came.Sub(done)
			}
			var answered, beside []time.Duration
			for range 5 {
				a.must("admin", "disable", o.id, "--yes")
				answered = append(answered, seen("disabled", a.id, time.Now()))
				a.must("admin", "enable", o.id)
				answered = append(answered, seen("enabled", a.id, time.Now()))
				for _, act := range []string{"disable", "enable"} { // from beside the server
					if r := s.admin(t, "outlet", act, o.id); r.code != 0 {
						t.Fatal(r.err)
					}
					beside = append(beside, seen(act+"d", "", time.Now()))
				}
			}
			if took := median(answered); took > time.Second {
				t.Errorf("the other saw it %v after it was answered: %v", took, answered)
			}
			if took := median(beside); took > time.Second {
				t.Errorf("an operator saw it %v after the command had ended: %v", took, beside)
			}
			s.admin(t, "key", "revoke", o.id, "1", "--note", "by the centre")
			seen("revoked", "", time.Now())
			// Both mean to replace the same secret: one of them is told.
			a.wants(0, "epoch 2", "new-secret", o.id, "--epoch", "1", "--token-file", filepath.Join(t.TempDir(), "a"))
			b.wants(3, "of epoch 2", "new-secret", o.id, "--epoch", "1", "--token-file", filepath.Join(t.TempDir(), "b"))
			b.wants(0, "already", "revoke", o.id, "1", "--yes")
			t.Logf("%s: seen %v after the act was answered, %v after it was done beside the server", store, median(answered), median(beside))
		})
	}
}

// TestFollowOverRestart: events go on after the server was away, each of them
// once and none left out, what happened meanwhile too.
func TestFollowOverRestart(t *testing.T) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			s := newSite(t, store)
			op := s.person(t, wire.RoleOperator)
			f := op.follow()
			seen := map[uint64]string{}
			note := func(rows []eventRow) { once(t, seen, rows) }
			eventually(t, "it watches", func() bool {
				s.enrol(t, fmt.Sprintf("w%d", serial.Add(1)), wire.RoleOutlet)
				return len(f.rows) > 0
			})
			first := (<-f.rows).N
			seen[first] = "enrolled"
			for round := range 2 {
				for i := range 10 {
					if i == 5 {
						s.stop(t, []os.Signal{syscall.SIGTERM, syscall.SIGINT}[round])
					}
					s.enrol(t, fmt.Sprintf("r%d-%d", round, i), wire.RoleOutlet)
				}
				s.start()
				last := fmt.Sprintf("z%d", round)
				s.enrol(t, last, wire.RoleOutlet)
				note(f.until(last, func(r eventRow) bool { return r.Outlet == last }))
			}
			r, last := s.admin(t, "event", "list", "--json"), slices.Max(slices.Collect(maps.Keys(seen)))
			for line := range strings.Lines(r.out) {
				var row eventRow
				must(t, json.Unmarshal([]byte(line), &row))
				if row.N > first && row.N <= last && seen[row.N] == "" { // it was committed after the last one
					note(f.until(fmt.Sprintf("%+v", row), func(r eventRow) bool { return r.N == row.N }))
				}
			}
		})
	}
}

// once notes what was seen, and that nothing was seen before or lost.
func once(t testing.TB, seen map[uint64]string, rows []eventRow) {
	t.Helper()
	for _, r := range rows {
		if r.Kind == wire.EventLost || seen[r.N] != "" {
			t.Errorf("lost, or told twice: %+v", r)
		}
		seen[r.N] = r.Kind
	}
}

// TestFollowLateCommit: a transaction that takes its number first and commits
// last, after the connection broke, and without a word to anybody, is told.
func TestFollowLateCommit(t *testing.T) {
	database := pgtest.Database(t)
	s := siteOn(t, database)
	op := s.person(t, wire.RoleOperator)
	f := op.follow("--limit", "500")
	seen := map[uint64]string{}
	f.until("itself", func(r eventRow) bool { return r.Outlet == op.id && r.Kind == "opened" })
	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	must(t, err)
	_, err = tx.Exec(t.Context(), `INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note) VALUES (now(), 'refused', 'late', 0, 0, 0, '', '')`)
	must(t, err)
	enrol := func(id string) {
		t.Helper()
		s.enrol(t, id, wire.RoleOutlet)
		once(t, seen, f.until(id, func(r eventRow) bool { return r.Outlet == id }))
	}
	enrol("before")
	s.stop(t, syscall.SIGTERM)
	s.start()
	enrol("after")
	must(t, tx.Commit(t.Context()))
	once(t, seen, f.until("the late one", func(r eventRow) bool { return r.Outlet == "late" }))
	s.stop(t, syscall.SIGTERM) // and is not told again when it has been settled, or before
	s.start()
	enrol("at-last")
}

// TestAdminAsks: on a terminal a person confirms what cannot be taken back.
func TestAdminAsks(t *testing.T) {
	s := newSite(t, "sqlite")
	op, o := s.person(t, wire.RoleOperator), s.enrolled(t)
	o.must("negotiate")
	x := op.onTerminal("admin", "revoke", o.id, "1")
	x.expect("ended for good")
	x.expect("[y/N]")
	x.types("n")
	x.expect("nothing was done")
	if code := x.exit(); code != 2 {
		t.Errorf("exit code %d", code)
	}
	if got := o.history(); got != "1 active" {
		t.Errorf("%s", got)
	}
	x = op.onTerminal("admin", "revoke", o.id, "1")
	x.expect("[y/N]")
	x.types("y")
	x.expect("is revoked")
	if code := x.exit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := o.history(); got != "1 revoked" {
		t.Errorf("%s", got)
	}
	x = op.onTerminal("admin", "disable", o.id)
	x.expect("[y/N]")
	x.types("") // Enter is no
	x.expect("nothing was done")
	if code := x.exit(); code != 2 {
		t.Errorf("exit code %d", code)
	}
}

// TestAdminInDoubt: whoever does not hear whether a token was made is told so,
// and nothing that was changed on the way is taken for one. Coming down, 0 is
// hello, 1 open ok, 2 that there is no key to seal under, 3 and 4 such a key, 5
// the token.
func TestAdminInDoubt(t *testing.T) {
	s := newSite(t, "sqlite")
	for i, c := range []struct {
		down tamper
		code int
		said string
	}{
		{only(5, cutOff), 4, "is not known, and it is lost if it was"},
		{only(5, flip("doc")), 1, notAuthentic + "authCode (administer)"},
		{only(5, cut), 1, notAuthentic + "frame (administer)"},
	} {
		op := s.person(t, wire.RoleOperator)
		op.via(s.middle(t, untouched, c.down))
		id, file := fmt.Sprint("doubt-", i), filepath.Join(t.TempDir(), "token")
		op.wants(c.code, c.said, "enrol", id, "--token-file", file)
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%d: the file of a token that did not come is there", i)
		}
		op.keep(op.token)
		op.wants(0, "epoch 2", "new-secret", id, "--token-file", file) // as it was told to
	}
	// Going up, 5 asks for it once there is a key.
	op := s.person(t, wire.RoleOperator)
	op.via(s.middle(t, only(4, flip("doc")), untouched))
	op.wants(4, "", "enrol", "changed", "--token-file", filepath.Join(t.TempDir(), "token"))
	op.keep(op.token)
	op.wants(3, "nobody is enrolled", "outlet", "changed")
}

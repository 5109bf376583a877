package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/shared/wire"
	"hufu/shm"
)

// wipedWithin is how soon after its commit a revocation has wiped the key of
// an outlet that is connected.
const wipedWithin = time.Second

// TestRevocation: another process than the server revokes, the agent wipes
// within a second and receipts, and the centre can tell who has and who has not.
func TestRevocation(t *testing.T) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			s := newSite(t, store, "--max-rate", "1000", "--max-burst", "1000")
			o := s.enrolled(t)
			o.unattended(t)
			var all []time.Duration
			for range 10 {
				took, seckeyid := o.revoked(t)
				all = append(all, took)
				eventually(t, fmt.Sprintf("the bytes of key %d are wiped", seckeyid), func() bool { return o.wiped(t, seckeyid) })
				o.receipted(t, seckeyid)
			}
			if took := median(all); took > wipedWithin {
				t.Errorf("keys were wiped %v after they were revoked: %v", took, all)
			}
		})
	}
}

// revoked has the command revoke the outlet's current key, and returns how long
// after the commit the key was wiped in the segment.
func (o *outlet) revoked(t testing.TB) (took time.Duration, seckeyid uint64) {
	t.Helper()
	seckeyid = o.agreed(t, 0, patience)
	r, err := shm.OpenReader(shm.Options{Name: o.segment})
	must(t, err)
	defer r.Close()
	gone := make(chan time.Time, 1)
	go func() {
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
			e, err := r.Key(o.id, seckeyid)
			e.Key.Zero()
			if err != nil {
				break
			}
		}
		gone <- time.Now()
	}()
	if r := o.admin(t, "key", "revoke", o.id, strconv.FormatUint(seckeyid, 10), "--reason", "2"); r.code != 0 {
		t.Fatalf("hufu-server key revoke: %d: %s", r.code, r.err)
	}
	rows, err := o.rules.Keys(t.Context(), keyservice.KeyQuery{Outlet: o.id, ByNumber: true, BeforeKey: seckeyid + 1, Limit: 1})
	must(t, err)
	if len(rows) != 1 || rows[0].State != wire.StateRevoked {
		t.Fatalf("key %d is not revoked: %+v", seckeyid, rows)
	}
	return (<-gone).Sub(rows[0].Ended), seckeyid
}

// BenchmarkRevocation measures from the commit of hufu-server key revoke to
// when the key is wiped in the agent's segment. Run:
//
//	go test -run '^$' -bench Revocation -benchtime 100x ./integration
func BenchmarkRevocation(b *testing.B) {
	measured := func(b *testing.B, s *site) {
		o := s.enrolled(b)
		o.unattended(b)
		var all []time.Duration
		for b.Loop() {
			took, _ := o.revoked(b)
			all = append(all, took)
		}
		slices.Sort(all)
		ms := func(i int) float64 { return float64(all[i].Microseconds()) / 1000 }
		b.ReportMetric(ms(len(all)/2), "ms-p50")
		b.ReportMetric(ms(len(all)*99/100), "ms-p99")
		b.ReportMetric(ms(len(all)-1), "ms-max")
		b.ReportMetric(0, "ns/op")
	}
	flags := []string{"--max-rate", "1000", "--max-burst", "1000"}
	b.Run("sqlite", func(b *testing.B) { measured(b, siteOn(b, "", flags...)) })
	b.Run("postgres", func(b *testing.B) {
		cluster, err := pgtest.Start(b.Context(), pgtest.FSync())
		must(b, err)
		b.Cleanup(func() { must(b, cluster.Stop()) })
		must(b, cluster.CreateDatabase(b.Context(), "bench", ""))
		must(b, postgres.Migrate(b.Context(), cluster.URL("bench")))
		measured(b, siteOn(b, cluster.URL("bench"), flags...))
	})
}

// unreceipted is what key list --unreceipted tells of the outlet's keys.
func (o *outlet) unreceipted(t testing.TB) (numbers string) {
	t.Helper()
	r := o.admin(t, "key", "list", "--outlet", o.id, "--unreceipted", "--json")
	if r.code != 0 {
		t.Fatal(r.err)
	}
	for _, e := range entries(t, r.out) {
		numbers += fmt.Sprint(e.Seckeyid, e.State, " ")
	}
	return strings.TrimSpace(numbers)
}

// TestRevokedWhileAway: an agent that was away learns of what was revoked
// meanwhile at its next contact, wipes it before it negotiates anew, and
// receipts; the centre tells of each whether it has.
func TestRevokedWhileAway(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, store)
			o := s.enrolled(t)
			for range 3 {
				o.must("negotiate")
			}
			if got := o.unreceipted(t); got != "" {
				t.Errorf("before: %s", got)
			}
			for n := range 3 {
				if r := s.admin(t, "key", "revoke", o.id, strconv.Itoa(n+1)); r.code != 0 {
					t.Fatal(r.err)
				}
			}
			if got := o.unreceipted(t); got != "3revoked 2revoked 1revoked" {
				t.Errorf("revoked, and nobody has wiped: %s", got)
			}
			for lang, want := range map[string]string{"en": "revoked: the outlet has not confirmed that it wiped its copies", "zh": "已注销：网点尚未确认清除其副本"} {
				if r := s.admin(t, "key", "show", o.id, "2", "--lang", lang); !strings.Contains(r.out, want) {
					t.Errorf("key show --lang %s: %s", lang, r.out)
				}
			}
			agent := o.unattended(t)
			agent.says(t, 0, "msg=verified")
			negotiated := slices.IndexFunc(agent.log.since(0), func(line string) bool {
				return strings.Contains(line, "msg=negotiated") || strings.Contains(line, "msg=verified")
			})
			for n := uint64(1); n <= 3; n++ {
				wiped := slices.IndexFunc(agent.log.since(0), func(line string) bool {
					return strings.Contains(line, "msg=wiped") && strings.Contains(line, fmt.Sprintf("key=%d ", n))
				})
				if wiped < 0 || wiped > negotiated {
					t.Errorf("key %d: wiped in line %d of the log, and negotiated in %d", n, wiped, negotiated)
				}
				o.receipted(t, n)
			}
			eventually(t, "all are receipted", func() bool { return o.unreceipted(t) == "" })
			var shown struct {
				Receipts []struct {
					State, Connection string
					At                time.Time
				}
			}
			must(t, json.Unmarshal([]byte(s.admin(t, "key", "show", o.id, "2", "--json").out), &shown))
			if len(shown.Receipts) != 1 || shown.Receipts[0].State != "revoked" || shown.Receipts[0].Connection == "" || shown.Receipts[0].At.IsZero() {
				t.Errorf("key show --json: %+v", shown)
			}
			if r := s.admin(t, "key", "show", o.id, "2", "--lang", "en"); !strings.Contains(r.out, "revoked: the outlet confirmed at ") || !strings.Contains(r.out, "over connection c") {
				t.Errorf("key show: %s", r.out)
			}
		})
	}
}

// TestRevocationOutOfOrder: a revocation takes its number first and commits
// last, nobody is notified of it, and the session that listens is gone besides;
// it reaches the outlet all the same, and what came in between was not held up.
func TestRevocationOutOfOrder(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	s := siteOn(t, database)
	first, second := s.enrolled(t), s.enrolled(t)
	for _, o := range []*outlet{first, second} {
		o.unattended(t)
		o.agreed(t, 0, patience)
	}
	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	t.Cleanup(func() { conn.Close(t.Context()) })
	tx, err := conn.Begin(t.Context())
	must(t, err)
	var early uint64
	for _, sql := range []string{
		`DELETE FROM sealed_key WHERE outlet = $1 AND seckeyid = 1`,
		`INSERT INTO key_state (outlet, seckeyid, state, at, reason, actor) VALUES ($1, 1, 5, now(), 2, '')`,
	} {
		_, err := tx.Exec(t.Context(), sql, first.id)
		must(t, err)
	}
	must(t, tx.QueryRow(t.Context(), `INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note)
		VALUES (now(), 'revoked', $1, 1, 5, 2, '', '') RETURNING n`, first.id).Scan(&early))
	if r := s.admin(t, "key", "revoke", second.id, "1"); r.code != 0 {
		t.Fatal(r.err)
	}
	eventually(t, "the later number is wiped", func() bool { return !second.usable(1) })
	if !first.usable(1) {
		t.Fatal("wiped before it was committed")
	}
	var killed int
	var late uint64
	other, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer other.Close(t.Context())
	must(t, other.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN %'`).Scan(&killed))
	must(t, other.QueryRow(t.Context(), `SELECT n FROM change WHERE outlet = $1 AND kind = 'revoked'`, second.id).Scan(&late))
	if killed != 1 || late < early {
		t.Fatalf("%d sessions listened, numbers %d and %d: this test shows nothing", killed, early, late)
	}
	committed := time.Now()
	must(t, tx.Commit(t.Context()))
	eventually(t, "the earlier number is wiped", func() bool { return !first.usable(1) })
	t.Logf("wiped %s after a commit without a word", time.Since(committed).Round(time.Millisecond))
	first.receipted(t, 1)

	// The server listens again, and goes on as before.
	s.server.says(t, 0, "looked for, not waited for")
	n := first.agreed(t, 1, patience)
	if r := s.admin(t, "key", "revoke", first.id, strconv.FormatUint(n, 10)); r.code != 0 {
		t.Fatal(r.err)
	}
	eventually(t, "the next one is wiped", func() bool { return !first.usable(n) })
}

// listed is a line of outlet list --json.
type listed struct {
	ID, Freshness string
	Connected     bool
	SeenAt, Ends  *time.Time
	Seckeyid      uint64
}

// TestPresence: outlet list tells who is connected, since when others are not,
// and how their keys stand; what a killed server has left counts no more once
// it is taken to be dead, or another one begins in its place.
func TestPresence(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, store)
			here, away := s.enrolled(t), s.enrolled(t)
			here.unattended(t)
			agent := away.command("agent")
			other := start(t, agent)
			away.agreed(t, 0, patience)
			here.agreed(t, 0, patience)
			list := func(flags ...string) (lines []listed) {
				r := s.admin(t, append([]string{"outlet", "list", "--json"}, flags...)...)
				if r.code != 0 {
					t.Fatal(r.err)
				}
				for line := range strings.Lines(r.out) {
					var l listed
					must(t, json.Unmarshal([]byte(line), &l))
					lines = append(lines, l)
				}
				return lines
			}
			eventually(t, "both are connected", func() bool { return len(list("--connected", "--freshness", "fresh")) == 2 })
			if code := other.stop(t, syscall.SIGTERM); code != 0 {
				t.Errorf("the agent ended with %d", code)
			}
			eventually(t, "one is not any more", func() bool { return len(list("--connected=false")) == 1 })
			gone := list("--connected=false")[0]
			if gone.ID != away.id || gone.SeenAt == nil || time.Since(*gone.SeenAt) > patience || gone.Seckeyid != 1 || gone.Ends == nil {
				t.Errorf("gone: %+v", gone)
			}
			s.server.cmd.Process.Kill()
			<-s.server.done
			s.start()
			eventually(t, "it is connected to the next server", func() bool {
				var told []string
				for line := range strings.Lines(s.admin(t, "event", "list", "--outlet", here.id, "--kind", "connected,disconnected", "--json").out) {
					var e struct{ Kind string }
					must(t, json.Unmarshal([]byte(line), &e))
					told = append(told, e.Kind)
				}
				return slices.Equal(told, []string{"connected", "disconnected", "connected"})
			})
		})
	}
}

package integration

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/shared/wire"
)

// setupRows: what an installation stands on is not as it should be. What
// hufu-server says is seen as exit code and text, like hufu's.
var setupRows = []badInput{
	{name: "ring/it lacks a key", do: withRing(func(o *outlet, ring string) {
		content, err := os.ReadFile(ring)
		must(o.t, err)
		number := regexp.MustCompile(`"number": 1`)
		write(o.t, ring, number.ReplaceAllString(string(content), `"number": 7`))
	}), sees: exits(1, "this key ring is not the one that the store was sealed under"), after: nothing},
	{name: "ring/its group may read it", do: withRing(func(o *outlet, ring string) { must(o.t, os.Chmod(ring, 0o640)) }),
		sees: exits(1, "can be read by others (mode 0640); run: chmod 600"), after: nothing},
	{name: "ring/another server's", do: withRing(func(o *outlet, ring string) {
		must(o.t, os.Remove(ring))
		_, err := seal.Create(ring, "OTHER")
		must(o.t, err)
	}), sees: exits(1, "this key ring is not the one that the store was sealed under"), after: nothing},
	{name: "ring/cut off in the middle", do: withRing(func(o *outlet, ring string) { must(o.t, os.Truncate(ring, 40)) }),
		sees: exits(1, "it is not a key ring"), after: nothing},
	{name: "ring/not there", do: withRing(func(o *outlet, ring string) { must(o.t, os.Remove(ring)) }),
		sees: exits(1, "no such file or directory"), after: nothing},

	{name: "data/of a newer version", do: func(o *outlet) seen {
		copied := o.copyData()
		db, err := sql.Open("sqlite", filepath.Join(copied, "hufu.db"))
		must(o.t, err)
		_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
		must(o.t, err)
		must(o.t, db.Close())
		return o.centre("serve", "--data", copied, "--listen", "127.0.0.1:0")
	}, sees: exits(1, "newer"), after: nothing},
	{name: "data/in use by another server", do: func(o *outlet) seen {
		return o.centre("serve", "--listen", "127.0.0.1:0")
	}, sees: exits(1, "is in use by another hufu-server; stop it first, or choose another folder with --data"), after: nothing},
	{name: "data/not a store", do: func(o *outlet) seen {
		dir := o.t.TempDir()
		write(o.t, filepath.Join(dir, "hufu.db"), strings.Repeat("this is no database\n", 100))
		return o.centre("outlet", "list", "--data", dir)
	}, sees: exits(1, "not a database"), after: nothing},
	{name: "data/a backup that is none", do: func(o *outlet) seen {
		file := filepath.Join(o.home, "backup")
		write(o.t, file, "this is no backup")
		return o.centre("restore", file, "--data", o.t.TempDir())
	}, sees: exits(1, "not a database"), after: nothing},

	{name: "settings/an unknown key", do: func(o *outlet) seen {
		return o.centre("outlet", "list", "--config", o.settings("lifetme = \"1h\"\n"))
	}, sees: exits(2, "lifetime"), after: nothing},
	{name: "settings/not TOML", do: func(o *outlet) seen {
		return o.centre("outlet", "list", "--config", o.settings("lifetime = = 1h\n"))
	}, sees: exits(2, "settings"), after: nothing},
	{name: "settings/hufu's, an unknown key", do: func(o *outlet) seen {
		return o.run("show", "--config", o.settings("segmnt = \"x\"\n"))
	}, sees: exits(2, "segment"), after: nothing},

	{name: "token/in use on two machines", given: func(o *outlet) {
		holdsKey(o)
		o.elsewhere()
	}, do: hufu("verify"), sees: exits(0, "is in use on another machine too"),
		after: after{"2 active, 1 retired", "1 retired"}},
}

// centre runs hufu-server at the outlet's site.
func (o *outlet) centre(args ...string) seen {
	o.t.Helper()
	r := o.admin(o.t, args...)
	return exits(r.code, r.out+r.err)
}

// settings writes a settings file.
func (o *outlet) settings(content string) (path string) {
	path = filepath.Join(o.home, "settings.toml")
	write(o.t, path, content)
	return path
}

// copyData copies the site's store, as it stands, and its key ring.
func (o *outlet) copyData() (dir string) {
	o.t.Helper()
	dir = filepath.Join(o.t.TempDir(), "data")
	must(o.t, os.Mkdir(dir, 0o700))
	if s := o.centre("backup", filepath.Join(dir, "hufu.db")); s.code != 0 {
		o.t.Fatal(s)
	}
	content, err := os.ReadFile(filepath.Join(o.dir, "data", "keyring.json"))
	must(o.t, err)
	must(o.t, os.WriteFile(filepath.Join(dir, "keyring.json"), content, 0o600))
	return dir
}

// withRing lists the outlets with a copy of the key ring that was tampered with.
func withRing(tamper func(o *outlet, ring string)) func(*outlet) seen {
	return func(o *outlet) seen {
		dir := o.copyData()
		tamper(o, filepath.Join(dir, "keyring.json"))
		return o.centre("outlet", "list", "--data", dir)
	}
}

// elsewhere negotiates with the same token on another machine: another home,
// another segment.
func (o *outlet) elsewhere() {
	o.t.Helper()
	p := o.opened(o.t, o.token)
	n, held := p.negotiate()
	if c := p.code(p.verify(n, held)); c != wire.CodeOK {
		o.t.Fatal(c)
	}
	p.close()
}

// TestRingLacksAKeyInUse: a server that runs on a ring without a key that some
// rows stand under says so and lets nobody of them in; nothing is lost.
func TestRingLacksAKeyInUse(t *testing.T) {
	s := newSite(t, "sqlite")
	o := s.enrolled(t)
	o.must("negotiate")
	s.stop(t, syscall.SIGTERM)
	ring := filepath.Join(s.dir, "data", "keyring.json")
	whole, err := os.ReadFile(ring)
	must(t, err)
	for _, args := range [][]string{{"kek", "new"}, {"kek", "rotate"}} {
		if r := s.admin(t, args...); r.code != 0 {
			t.Fatal(r.err)
		}
	}
	rotated, err := os.ReadFile(ring)
	must(t, err)
	must(t, os.WriteFile(ring, whole, 0o600)) // the ring of before the rotation
	if r := s.admin(t, "outlet", "list"); r.code != 1 || !strings.Contains(r.err, "not the one that the store was sealed under") {
		t.Errorf("the older ring: exit code %d: %s", r.code, r.err)
	}
	must(t, os.WriteFile(ring, rotated, 0o600))
	s.start()
	o.must("verify")
}

// TestStoreFull: on a full disk nothing is acknowledged that is not kept; the
// server goes on once there is room.
func TestStoreFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small tmpfs")
	}
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	s := siteIn(t, dir, "", "--max-rate", "10000", "--max-burst", "10000")
	token := s.token(t)
	p := s.opened(t, token)
	var acknowledged []uint64
	code := wire.CodeOK
	for code == wire.CodeOK && len(acknowledged) < 5000 {
		var n uint64
		if n, code = p.tryKey(); code == wire.CodeOK {
			acknowledged = append(acknowledged, n)
		}
	}
	if code != wire.CodeBusy {
		t.Errorf("after %d keys: %v, want %v", len(acknowledged), code, wire.CodeBusy)
	}
	// What /readyz writes is smaller than a key, and fits in for a little longer.
	eventually(t, "the server is not ready", func() bool { return s.ready(t) == http.StatusServiceUnavailable })
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT, "size=16m"))
	eventually(t, "the server is ready again", func() bool { return s.ready(t) == http.StatusOK })
	if _, code := p.tryKey(); code != wire.CodeOK {
		t.Errorf("with room again: %v", code)
	}
	kept := make(map[uint64]bool)
	rows, err := s.rules.Keys(t.Context(), keyservice.KeyQuery{Outlet: token.ClientID, ByNumber: true, Limit: 6000})
	must(t, err)
	for _, row := range rows {
		kept[row.Seckeyid] = !row.Verified.IsZero()
	}
	for _, n := range acknowledged {
		if !kept[n] {
			t.Errorf("key %d was acknowledged and is not kept", n)
		}
	}
	t.Logf("%d keys fitted in", len(acknowledged))
}

// TestClockSetBack: a server whose machine's clock was set back while it was
// down goes on from the newest record, and says so.
func TestClockSetBack(t *testing.T) {
	s := newSite(t, "sqlite")
	o := s.enrolled(t)
	o.must("negotiate")
	s.stop(t, syscall.SIGTERM)
	ahead := time.Now().Add(time.Hour).UTC()
	s.recordAt(t, ahead) // what was recorded before the clock was set back
	s.start()
	if s.server.log.find(0, func(line string) bool { return strings.Contains(line, "clock stands before the newest record") }) == "" {
		t.Error("the server says nothing of the clock")
	}
	o.must("verify")
	rows, err := s.rules.Keys(t.Context(), keyservice.KeyQuery{Outlet: o.id, Limit: 1})
	must(t, err)
	p := s.opened(t, o.token)
	n, held := p.negotiate()
	p.code(p.verify(n, held))
	p.close()
	newer, err := s.rules.Keys(t.Context(), keyservice.KeyQuery{Outlet: o.id, Limit: 1})
	must(t, err)
	if !newer[0].Negotiated.After(rows[0].Negotiated) || newer[0].Negotiated.Before(ahead.Add(-time.Second)) {
		t.Errorf("recorded at %s after %s, with a record of %s there", newer[0].Negotiated, rows[0].Negotiated, ahead)
	}
}

// recordAt makes a record at a time of one's own choice.
func (s *site) recordAt(t *testing.T, at time.Time) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "data", "hufu.db"))
	must(t, err)
	_, err = db.Exec(`INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note) VALUES (?, 'refused', 'NOBODY', 0, 0, 0, '', '')`, at.UnixMilli())
	must(t, err)
	must(t, db.Close())
}

// TestRestoredBackup: after an older backup was restored no number is issued
// twice, a key revoked since is not usable, and the outlet is mended by its
// next negotiation.
func TestRestoredBackup(t *testing.T) {
	s := newSite(t, "sqlite")
	o := s.enrolled(t)
	o.must("negotiate")
	backup := filepath.Join(s.dir, "backup.db")
	if r := s.admin(t, "backup", backup); r.code != 0 {
		t.Fatal(r.err)
	}
	o.must("negotiate")
	o.must("revoke", "1")
	s.stop(t, syscall.SIGTERM)
	s.closeRules() // nobody else has the file open while it is replaced
	if r := s.admin(t, "restore", backup); r.code != 2 || !strings.Contains(r.err, "--force") {
		t.Errorf("over a store that is there: exit code %d: %s", r.code, r.err)
	}
	if r := s.admin(t, "restore", backup, "--force"); r.code != 0 {
		t.Fatal(r.err)
	}
	s.start()
	o.must("negotiate")
	if got, want := o.history(), fmt.Sprintf("%d active, 1 expired", 1+1<<32+1); got != want {
		t.Errorf("history %q, want %q", got, want)
	}
	if got, want := o.shared(), fmt.Sprintf("1 revoked wiped, 2 expired wiped, %d active current", 1+1<<32+1); got != want {
		t.Errorf("segment %q, want %q", got, want)
	}
}

// TestRingRotationWhileServing rotates the key ring while clients negotiate.
func TestRingRotationWhileServing(t *testing.T) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, store, "--max-rate", "10000", "--max-burst", "10000")
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var load load
			done := make(chan struct{})
			token := s.token(t)
			go func() {
				defer close(done)
				load.client(ctx, token)
			}()
			eventually(t, "the client gets on", func() bool { return load.acknowledged.Load() > 0 })
			kek := func(command string) {
				if r := s.admin(t, "kek", command); r.code != 0 {
					t.Fatal(r.err)
				}
			}
			kek("new")
			began := time.Now()
			kek("rotate")
			taken := loggedAt(s.server.says(t, 0, "the key ring was replaced", "primary=2"))
			if taken.Sub(began) > 2*time.Second { // as long as rotate waits: it stood still, and has sealed under the older key until then
				kek("rotate")
			}
			r := s.admin(t, "kek", "check", "--json")
			stop()
			<-done
			if r.code != 0 || !strings.Contains(r.out, `{"number":1,"status":"retired","sealed":0}`) {
				t.Errorf("kek check: exit code %d: %s%s", r.code, r.out, r.err)
			}
			if load.inDoubt.Load() > 0 || load.refused.Load() > 0 || load.acknowledged.Load() == 0 {
				t.Errorf("acknowledged %d, refused %d, in doubt %d", load.acknowledged.Load(), load.refused.Load(), load.inDoubt.Load())
			}
		})
	}
}

// TestRestoredDump is the same for PostgreSQL: an older dump is restored into
// a new database, as docs/operations.md says.
func TestRestoredDump(t *testing.T) {
	s := newSite(t, "postgres")
	o := s.enrolled(t)
	o.must("negotiate")
	dump := filepath.Join(s.dir, "dump.sql")
	postgresTool(t, "pg_dump", "--file", dump, s.database(t))
	o.must("negotiate")
	o.must("revoke", "1")
	s.stop(t, syscall.SIGTERM)

	fresh := fmt.Sprintf("restored_%d", serial.Add(1))
	must(t, pgtest.Shared().CreateDatabase(t.Context(), fresh, "template0"))
	t.Cleanup(func() { must(t, pgtest.Shared().DropDatabase(context.Background(), fresh)) })
	postgresTool(t, "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", dump, pgtest.Shared().URL(fresh))
	write(t, filepath.Join(s.dir, "database-url"), pgtest.Shared().URL(fresh))
	if r := s.admin(t, "migrate", "--restored"); r.code != 0 {
		t.Fatal(r.err)
	}
	s.start()
	o.must("negotiate")
	if got, want := o.history(), fmt.Sprintf("%d active, 1 expired", 1+1<<32+1); got != want {
		t.Errorf("history %q, want %q", got, want)
	}
	if got, want := o.shared(), fmt.Sprintf("1 revoked wiped, 2 expired wiped, %d active current", 1+1<<32+1); got != want {
		t.Errorf("segment %q, want %q", got, want)
	}
}

// database is the address of the site's database.
func (s *site) database(t *testing.T) string {
	t.Helper()
	url, err := os.ReadFile(filepath.Join(s.dir, "database-url"))
	must(t, err)
	return strings.TrimSpace(string(url))
}

// postgresTool runs a program that comes with PostgreSQL.
func postgresTool(t *testing.T, name string, args ...string) {
	t.Helper()
	path := name
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); err == nil && len(found) > 0 {
		path = found[len(found)-1]
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

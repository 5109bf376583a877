package integration

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/integration/pgtest"
	"hufu/server/store/postgres"
	"hufu/shm"
)

// published is a site whose server keeps a segment, and a publisher beside it
// that keeps another.
type published struct {
	*site
	t               *testing.T
	served, printed string   // the segments of server and publisher
	env             []string // of the publisher
	publisher       *process
}

// newPublished starts a server on a store, and a publisher.
func newPublished(t *testing.T, store string) *published {
	t.Helper()
	c := &published{t: t, served: segmentName(t), printed: segmentName(t)}
	c.site = newSite(t, store, "--shm", c.served, "--shm-capacity", "256")
	c.env = c.site.env
	c.publish()
	t.Cleanup(func() { c.endPublisher(syscall.SIGTERM) })
	return c
}

// segmentName is a name for a segment, which is removed when the test ends.
func segmentName(t testing.TB) string {
	name := fmt.Sprint(prefix, "c", serial.Add(1))
	t.Cleanup(func() {
		for _, suffix := range []string{"", ".confirm"} {
			os.Remove("/dev/shm/" + name + suffix)
		}
	})
	return name
}

// publish starts the publisher and waits until its segment is filled.
func (c *published) publish(flags ...string) {
	c.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "hufu-server"), append([]string{"publish", "--shm", c.printed, "--shm-capacity", "256", "--log-level", "DEBUG"}, flags...)...)
	cmd.Env = c.env
	c.publisher = start(c.t, cmd)
	eventually(c.t, "the publisher fills its segment", func() bool {
		select {
		case <-c.publisher.done:
			c.t.Fatalf("hufu-server publish ended: %s", strings.Join(c.publisher.log.since(0), "\n"))
		default:
		}
		return c.publisher.log.find(0, func(line string) bool { return strings.Contains(line, "the segment is filled") }) != ""
	})
}

func (c *published) endPublisher(sig os.Signal) {
	c.t.Helper()
	code := c.publisher.stop(c.t, sig)
	if sig == syscall.SIGTERM && code != 0 {
		c.t.Errorf("hufu-server publish ended with %d: %s", code, strings.Join(c.publisher.log.since(0), "\n"))
	}
}

// inC is what the reader in C says of a key in a segment, with the key itself.
func inC(t testing.TB, segment, client string, number ...string) string {
	t.Helper()
	return runs(t, environment("/"), "", "reader", append([]string{"--show-key", segment, client}, number...)...).out
}

// agrees waits until both of the centre's segments show what the outlet's shows.
func (c *published) agrees(o *outlet, number ...string) {
	c.t.Helper()
	want := inC(c.t, o.segment, o.id, number...)
	for _, segment := range []string{c.served, c.printed} {
		got := ""
		eventually(c.t, fmt.Sprintf("%s shows of %s what the outlet has: %s", segment, o.id, want), func() bool {
			got = inC(c.t, segment, o.id, number...)
			return got == want
		})
	}
}

// early is what the server says where an answer could not wait for its segment any longer.
const early = "answered before it was published"

// answered is what has to be so in the server's segment when it has answered;
// soon after, where it says that it stood still meanwhile.
func (c *published) answered(what string, ok func() bool) {
	c.t.Helper()
	if ok() {
		return
	}
	c.server.says(c.t, 0, early)
	eventually(c.t, what, ok)
}

// ended waits until a segment shows a key as ended, without its bytes.
func (c *published) ended(segment string, o *outlet, number, state string) {
	c.t.Helper()
	eventually(c.t, fmt.Sprintf("%s has key %s of %s as %s", segment, number, o.id, state), func() bool {
		return wiped(inC(c.t, segment, o.id, number), state)
	})
}

func wiped(said, state string) bool {
	return strings.Contains(said, "state "+state+"\nstatus 0\n") && !strings.Contains(said, "key ")
}

// TestCentreSegment: readers in C find the same key under the same number in
// the outlet's segment, in the server's and in the publisher's, and none that was revoked.
func TestCentreSegment(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			c := newPublished(t, store)
			a, b := c.enrolled(t), c.enrolled(t)
			a.must("negotiate")
			c.answered("hufu negotiate has ended, and the server's segment shows its key", func() bool {
				return strings.Contains(inC(t, c.served, a.id), "number 1\nstate active\nstatus 1\n")
			})
			b.must("negotiate")
			c.agrees(a)
			c.agrees(b)
			a.must("negotiate")
			c.agrees(a)
			c.agrees(a, "1")
			python := c.python(a.id)
			if want := inC(t, c.served, a.id); !strings.HasPrefix(want, python) || !strings.Contains(python, "number 2\nstate active\nstatus 1\n") {
				t.Errorf("the reader in Python sees %q, that in C %q", python, want)
			}

			// By the outlet: wiped at the centre before its answer.
			a.must("revoke", "2")
			c.answered("hufu revoke has ended, and the server's segment shows it", func() bool {
				return wiped(inC(t, c.served, a.id, "2"), "revoked")
			})
			c.ended(c.printed, a, "2", "revoked")
			// By a third process.
			if r := c.admin(t, "key", "revoke", b.id, "1"); r.code != 0 {
				t.Fatal(r.err)
			}
			for _, segment := range []string{c.served, c.printed} {
				c.ended(segment, b, "1", "revoked")
			}
			c.agrees(a, "1")
			for name, p := range map[string]*process{"server": c.server, "publisher": c.publisher} {
				complaint := func(line string) bool {
					return strings.Contains(line, "publish") && !strings.Contains(line, early) && (strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR"))
				}
				if line := p.log.find(0, complaint); line != "" {
					t.Errorf("the %s complains: %s", name, line)
				}
			}
		})
	}
}

// python is what the reader of docs/shm.md says of a client's current key in the server's segment.
func (c *published) python(client string) string {
	c.t.Helper()
	document, err := os.ReadFile("../docs/shm.md")
	must(c.t, err)
	_, code, _ := strings.Cut(string(document), "```python\n")
	code, _, _ = strings.Cut(code, "\n```")
	cmd := exec.Command("python3", "-", c.served, client)
	cmd.Stdin = strings.NewReader(code)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("python3: %v: %s", err, out)
	}
	return string(out)
}

// TestCentreWeather: the segments come to what the store has, whatever
// happened to those who keep them.
func TestCentreWeather(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			c := newPublished(t, store)
			a, b := c.enrolled(t), c.enrolled(t)
			a.must("negotiate")
			b.must("negotiate")
			c.agrees(a)
			c.agrees(b)
			kept, err := shm.OpenReader(shm.Options{Name: c.printed})
			must(t, err)
			defer kept.Close()

			t.Log("the publisher is killed; a key is replaced and one revoked meanwhile")
			c.endPublisher(syscall.SIGKILL)
			a.must("negotiate")
			b.must("revoke", "1")
			if e, err := kept.Current(a.id); err != nil || e.SeckeyID != 1 {
				t.Errorf("with its publisher dead: %v, %v", e, err)
			}
			c.publish()
			c.agrees(a)
			c.agrees(a, "1")
			c.ended(c.printed, b, "1", "revoked")

			t.Log("the server is killed; what it had published stays")
			before := inC(t, c.served, a.id)
			c.server.stop(t, syscall.SIGKILL)
			if now := inC(t, c.served, a.id); now != before {
				t.Errorf("with its server dead: %q, before %q", now, before)
			}
			c.start()
			b.must("negotiate")
			c.agrees(a)
			c.agrees(b)

			t.Log("both segments are removed; readers follow to new ones")
			for _, segment := range []string{c.served, c.printed} {
				must(t, os.Remove("/dev/shm/"+segment))
			}
			eventually(t, "a reader follows", func() bool {
				e, err := kept.Current(a.id)
				return err == nil && e.SeckeyID == 2
			})
			c.agrees(a)
			c.agrees(a, "1")
			c.agrees(b)

			t.Log("the key ring is rotated")
			for _, command := range [][]string{{"kek", "new"}, {"kek", "rotate"}} {
				if r := c.admin(t, command...); r.code != 0 {
					t.Fatal(r.err)
				}
			}
			a.must("negotiate")
			c.agrees(a)
			c.endPublisher(syscall.SIGTERM)
			c.publish()
			c.agrees(a)
			c.agrees(b)

			t.Log("the store came from a backup: no key of before is good")
			if r := c.admin(t, "migrate", "--restored"); r.code != 0 {
				t.Fatal(r.err)
			}
			for _, segment := range []string{c.served, c.printed} {
				c.ended(segment, a, "3", "expired")
				c.ended(segment, b, "2", "expired")
			}
			a.must("negotiate")
			c.agrees(a)
		})
	}
}

// TestPublisherReads: a role of PostgreSQL that can read what publish needs is enough, and can do nothing else.
func TestPublisherReads(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	must(t, execute(t, database, `DO $$ BEGIN CREATE ROLE "hufu-publisher" LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`))
	c := &published{t: t, served: segmentName(t), printed: segmentName(t)}
	c.site = siteOn(t, database, "--shm", c.served, "--shm-capacity", "256", "--metrics-listen", "127.0.0.1:0")
	if r := c.admin(t, "migrate", "--publish-role", "hufu-publisher"); r.code != 0 {
		t.Fatal(r.err)
	}
	as, err := url.Parse(database)
	must(t, err)
	q := as.Query()
	q.Set("user", "hufu-publisher")
	as.RawQuery = q.Encode()
	for _, statement := range []string{"DELETE FROM change", "INSERT INTO probe VALUES (true, now())", "UPDATE outlet SET disabled = true",
		"DELETE FROM sealed_key", "SELECT sealed FROM sealed_secret", "TRUNCATE receipt"} {
		if err := execute(t, as.String(), statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", statement, err)
		}
	}

	file := filepath.Join(c.dir, "publisher-url")
	write(t, file, as.String())
	c.env = append(environment(c.dir), "HUFU_DATA="+filepath.Join(c.dir, "data"), "HUFU_DATABASE_URL_FILE="+file)
	c.publish("--metrics-listen", "127.0.0.1:0")
	defer c.endPublisher(syscall.SIGTERM)
	a := c.enrolled(t)
	a.must("negotiate")
	a.must("negotiate")
	c.agrees(a)
	c.agrees(a, "1")
	for _, p := range []*process{c.server, c.publisher} {
		line := p.log.find(0, func(line string) bool { return strings.Contains(line, "msg=metrics") })
		address := strings.TrimSuffix(strings.TrimPrefix(attribute(line, "url"), "http://"), "/metrics")
		expectMetrics(t, address, "hufu_segment_entries 256", "hufu_segment_keys 2", "hufu_segment_missing_outlets 0", `hufu_changes_total{kind="verified"} 2`)
	}
	a.must("revoke", "2")
	c.ended(c.printed, a, "2", "revoked")
}

func execute(t testing.TB, database, statement string) error {
	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), statement)
	return err
}

// TestPublishRefuses: what cannot be kept is said in words, with the code of its kind.
func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	c := newPublished(t, "sqlite")
	a := c.enrolled(t)
	a.must("negotiate")
	a.must("negotiate")
	other := segmentName(t)
	for _, test := range []struct {
		code  int
		words string
		args  []string
	}{
		{2, "--shm names", []string{"publish"}},
		{2, "bad segment name", []string{"publish", "--shm", "a/b"}},
		{2, "--shm-capacity: ", []string{"publish", "--shm", other, "--shm-capacity", "0"}},
		{2, "--shm-capacity: ", []string{"serve", "--shm", other, "--shm-capacity", "-1"}},
		{6, "has room for 1 keys, and 2 are usable now: set --shm-capacity to 4", []string{"publish", "--shm", other, "--shm-capacity", "1"}},
		{6, "another writer", []string{"publish", "--shm", c.printed, "--shm-capacity", "256"}},
		{1, "no server has used it", []string{"publish", "--shm", other, "--data", t.TempDir()}},
	} {
		r := c.admin(t, test.args...)
		if r.code != test.code || !strings.Contains(r.err, test.words) {
			t.Errorf("%q: exit code %d, %s; want %d, …%s…", test.args, r.code, r.err, test.code, test.words)
		}
	}
	for _, file := range []string{other, other + ".confirm"} {
		if _, err := os.Stat("/dev/shm/" + file); err == nil {
			t.Errorf("what was refused has made %s", file)
		}
	}
}

// TestCentreOutage: the database is away for a while. What stands in the
// segment stays, and what came meanwhile follows.
func TestCentreOutage(t *testing.T) {
	t.Parallel()
	cluster, err := pgtest.Start(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, cluster.Stop()) })
	must(t, cluster.CreateDatabase(t.Context(), "hufu", ""))
	database := cluster.URL("hufu")
	must(t, postgres.Migrate(t.Context(), database))
	s := siteOn(t, database)
	c := &published{t: t, served: segmentName(t), printed: segmentName(t), site: s, env: s.env}
	c.publish()
	defer c.endPublisher(syscall.SIGTERM)
	a := s.enrolled(t)
	a.must("negotiate")
	want := inC(t, a.segment, a.id)
	there := func() bool { return inC(t, c.printed, a.id) == want }
	eventually(t, "the key is published", there)

	mark := c.publisher.log.mark()
	must(t, cluster.Kill())
	eventually(t, "the publisher notices", func() bool {
		return c.publisher.log.find(mark, func(line string) bool { return strings.Contains(line, "changes cannot be read") }) != ""
	})
	time.Sleep(2 * time.Second) // time in which it could do harm
	if !there() {
		t.Errorf("with the database away: %s", inC(t, c.printed, a.id))
	}
	must(t, cluster.Restart(t.Context()))
	eventually(t, "the server is well again", func() bool { return a.hufu("negotiate").code == 0 })
	want = inC(t, a.segment, a.id)
	eventually(t, "the publisher follows", there)
}

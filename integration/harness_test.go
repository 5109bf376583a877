package integration

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/server/store/postgres"
	"hufu/server/store/sqlite"
	"hufu/shared/wire"
)

var stores = []string{"sqlite", "postgres"}

// site is one installation of the centre: a store, a key ring, a server.
type site struct {
	t          testing.TB
	dir        string
	url        string   // of the server
	env        []string // of every hufu-server here
	server     *process
	address    string
	flags      []string
	rules      *keyservice.Service // over the same store, in this process
	closeRules func()
}

// newSite makes an installation on a store and starts its server.
func newSite(t testing.TB, store string, flags ...string) *site {
	t.Helper()
	if store == "postgres" {
		return siteOn(t, pgtest.Database(t), flags...)
	}
	return siteOn(t, "", flags...)
}

// siteOn makes an installation on a database; empty: on the embedded store.
func siteOn(t testing.TB, database string, flags ...string) *site {
	t.Helper()
	return siteIn(t, t.TempDir(), database, flags...)
}

// siteIn makes an installation in a folder.
func siteIn(t testing.TB, dir, database string, flags ...string) *site {
	t.Helper()
	s := &site{t: t, dir: dir, address: freeAddress(t), flags: flags}
	s.env = append(environment(s.dir), "HUFU_DATA="+filepath.Join(s.dir, "data"))
	if database != "" {
		file := filepath.Join(s.dir, "database-url")
		write(t, file, database)
		s.env = append(s.env, "HUFU_DATABASE_URL_FILE="+file)
	}
	s.start()
	t.Cleanup(func() { s.stop(t, syscall.SIGTERM) })
	s.env = append(s.env, "HUFU_URL="+s.url)
	s.openRules(database)
	return s
}

// start starts the server, every time at the same address.
func (s *site) start() {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "hufu-server"), append([]string{"serve", "--listen", s.address, "--log-level", "DEBUG"}, s.flags...)...)
	cmd.Env = s.env
	s.server = start(s.t, cmd)
	eventually(s.t, "the server listens", func() bool {
		select {
		case <-s.server.done:
			s.t.Fatalf("hufu-server ended: %s", strings.Join(s.server.log.since(0), "\n"))
		default:
		}
		return s.server.log.find(0, func(line string) bool { return strings.Contains(line, "msg=listening") }) != ""
	})
	s.url = "http://" + s.address
}

// stop stops the server and checks that it ends well.
func (s *site) stop(t testing.TB, sig os.Signal) {
	t.Helper()
	if code := s.server.stop(t, sig); code != 0 {
		t.Errorf("hufu-server ended with %d", code)
	}
}

// attribute takes the value of name=value from a line of a log.
func attribute(line, name string) string {
	_, rest, _ := strings.Cut(line, " "+name+"=")
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// loggedAt is the time of a line of a log; zero: it has none.
func loggedAt(line string) time.Time {
	value, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
	at, _ := time.Parse(time.RFC3339, value)
	return at
}

// openRules opens the installation's store in this process too, which is
// faster to enrol by than a program is to start.
func (s *site) openRules(database string) {
	s.t.Helper()
	var store keyservice.Store
	var err error
	if database == "" {
		store, err = sqlite.Open(s.t.Context(), filepath.Join(s.dir, "data", "hufu.db"))
	} else {
		store, err = postgres.Open(s.t.Context(), database, postgres.Options{MaxConns: 2})
	}
	must(s.t, err)
	ring, err := seal.Load(filepath.Join(s.dir, "data", "keyring.json"))
	must(s.t, err)
	s.rules, err = keyservice.New(keyservice.Config{ServerID: ring.ServerID(), URL: s.url}, store, ring)
	must(s.t, err)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.rules.RunWriter(ctx)
	}()
	s.closeRules = sync.OnceFunc(func() {
		stop()
		<-stopped
		must(s.t, store.Close())
	})
	s.t.Cleanup(s.closeRules)
}

// admin runs hufu-server.
func (s *site) admin(t testing.TB, args ...string) result {
	t.Helper()
	return runs(t, s.env, "", "hufu-server", args...)
}

// environment is what every program is run in: of ours, nothing but PATH.
// Under the race detector a program would sleep a second before it ends.
func environment(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GORACE=atexit_sleep_ms=0"}
}

var serial atomic.Int64

// outlet is one client of a site, with a home and a segment of its own.
type outlet struct {
	*site
	t       testing.TB
	id      string
	token   *wire.Token
	home    string
	segment string
	env     []string
}

// enrolled makes an outlet that is enrolled at both ends.
func (s *site) enrolled(t testing.TB) *outlet {
	t.Helper()
	o := s.outlet(t, wire.RoleOutlet)
	o.keep(o.token)
	return o
}

// outlet makes a client that the centre knows, and that has not taken its token.
func (s *site) outlet(t testing.TB, role wire.Role) *outlet {
	t.Helper()
	n := serial.Add(1)
	o := &outlet{site: s, t: t, id: fmt.Sprintf("T-%d", n), home: t.TempDir(), segment: fmt.Sprint(prefix, n)}
	o.token = s.enrol(t, o.id, role)
	o.env = append(environment(o.home), "HUFU_HOME="+filepath.Join(o.home, "hufu"), "HUFU_SEGMENT="+o.segment, "HUFU_CAPACITY=8")
	t.Cleanup(func() {
		for _, suffix := range []string{"", ".confirm"} {
			os.Remove(o.path() + suffix)
		}
	})
	return o
}

// enrol makes a client at the centre.
func (s *site) enrol(t testing.TB, id string, role wire.Role) (token *wire.Token) {
	t.Helper()
	unlessBusy(t, id+" is enrolled", func() (err error) {
		token, err = s.rules.Enrol(t.Context(), id, role)
		return err
	})
	return token
}

// unlessBusy does something to the store, again while that is busy: as it is
// when the database was away, or another process stands still with its lock.
func unlessBusy(t testing.TB, what string, do func() error) {
	t.Helper()
	eventually(t, what, func() bool {
		err := do()
		if !errors.Is(err, wire.CodeBusy) {
			must(t, err)
		}
		return err == nil
	})
}

// path is the segment's file.
func (o *outlet) path() string { return "/dev/shm/" + o.segment }

// tokenPath is where hufu keeps its enrolment.
func (o *outlet) tokenPath() string { return filepath.Join(o.home, "hufu", "token") }

// keep writes a token where hufu enrol would.
func (o *outlet) keep(token *wire.Token) {
	o.t.Helper()
	must(o.t, os.MkdirAll(filepath.Dir(o.tokenPath()), 0o700))
	write(o.t, o.tokenPath(), ascii(o.t, token))
}

// via keeps the outlet's token with another address in it.
func (o *outlet) via(url string) {
	o.t.Helper()
	moved := *o.token
	moved.URL = url
	o.keep(&moved)
}

// hufu runs the client.
func (o *outlet) hufu(args ...string) result {
	o.t.Helper()
	return runs(o.t, o.env, "", "hufu", args...)
}

// must runs the client, which has to succeed.
func (o *outlet) must(args ...string) result {
	o.t.Helper()
	r := o.hufu(args...)
	if r.code != 0 {
		o.t.Fatalf("hufu %s: exit code %d: %s", strings.Join(args, " "), r.code, r.err)
	}
	return r
}

// entry is a line of hufu show --json, of hufu view --json and of hufu-server
// key list --json.
type entry struct {
	Outlet, ClientID, State, Fingerprint, Reason string
	Seckeyid                                     uint64
	Status                                       int
	Current                                      bool
}

func entries(t testing.TB, lines string) (list []entry) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		list = append(list, e)
	}
	return list
}

// history tells, newest first, what the centre has recorded of the outlet's
// keys, as "2 active, 1 retired".
func (o *outlet) history() string {
	o.t.Helper()
	r := o.admin(o.t, "key", "list", "--outlet", o.id, "--json")
	if r.code != 0 {
		o.t.Fatalf("hufu-server key list: exit code %d: %s", r.code, r.err)
	}
	var keys []string
	for _, e := range entries(o.t, r.out) {
		keys = append(keys, fmt.Sprintf("%d %s", e.Seckeyid, e.State))
	}
	return strings.Join(keys, ", ")
}

// shared tells what stands in the segment, by ascending number, as "1 active
// current, 2 revoked wiped"; "none" if there is no segment.
func (o *outlet) shared() string {
	o.t.Helper()
	r := o.hufu("show", "--json")
	if r.code == 6 && strings.Contains(r.err, "no such segment") {
		return "none"
	}
	if r.code != 0 {
		return refusal + strings.TrimSpace(r.err)
	}
	list := entries(o.t, r.out)
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.Seckeyid, b.Seckeyid) })
	var keys []string
	for _, e := range list {
		words := fmt.Sprintf("%d %s", e.Seckeyid, e.State)
		if e.Current {
			words += " current"
		}
		if e.Status == 0 {
			words += " wiped"
		}
		keys = append(keys, words)
	}
	return strings.Join(keys, ", ")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file that only its owner can read.
func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
}

func ascii(t testing.TB, token *wire.Token) string {
	t.Helper()
	s, err := token.Encode()
	must(t, err)
	return s
}

// freeAddress is one that the kernel gives to nobody else until the test ends.
// Nobody listens there, unless told to.
func freeAddress(t testing.TB) string {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(socket) })
	must(t, unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)) // as those who listen do
	must(t, unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	bound, err := unix.Getsockname(socket)
	must(t, err)
	return fmt.Sprint("127.0.0.1:", bound.(*unix.SockaddrInet4).Port)
}

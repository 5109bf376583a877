package browser

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that has to happen.
const patience = time.Minute

// eventually polls until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen within %s: %s", patience, what)
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// site is one hufu-server on an embedded store of its own.
type site struct {
	t        testing.TB
	dir      string
	database string // the file with its address; empty: the embedded store
	flags    []string
	address  string // public
	console  string // the page's address, with its final slash
	cmd      *exec.Cmd
	ended    chan struct{}
	log      lines
}

// newSite starts a server that lets negotiate as often as a test wants to.
func newSite(t testing.TB, flags ...string) *site {
	t.Helper()
	needChromium(t)
	build(t)
	s := &site{t: t, dir: t.TempDir(), address: "127.0.0.1:0", flags: append([]string{"--max-rate", "1000", "--max-burst", "1000"}, flags...)}
	s.start()
	t.Cleanup(func() { s.stop(syscall.SIGTERM) })
	return s
}

func (s *site) env() []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "HUFU_DATA=" + filepath.Join(s.dir, "data"), "HUFU_CONFIG=/dev/null",
		"GORACE=atexit_sleep_ms=0"}
	if s.database != "" {
		env = append(env, "HUFU_DATABASE_URL_FILE="+s.database)
	}
	return env
}

// start starts the server, again at the address that it had.
func (s *site) start() {
	s.t.Helper()
	s.cmd = exec.Command(filepath.Join(built.dir, "hufu-server"), append([]string{"serve", "--listen", s.address}, s.flags...)...)
	s.cmd.Env = s.env()
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	errs := must(s.cmd.StderrPipe())(s.t)
	must(0, s.cmd.Start())(s.t)
	s.ended = make(chan struct{})
	mark := s.log.mark()
	go func() {
		defer close(s.ended)
		for in := bufio.NewScanner(errs); in.Scan(); {
			s.log.add(in.Text())
		}
		_ = s.cmd.Wait() // its code is in ProcessState
	}()
	eventually(s.t, "the server listens", func() bool {
		select {
		case <-s.ended:
			s.t.Fatalf("hufu-server ended: %s", s.log.since(0))
		default:
		}
		line := s.log.find(mark, "msg=listening")
		s.address = attribute(line, "address")
		return line != ""
	})
	s.console = attribute(s.log.find(mark, "msg=console"), "url")
}

// stop ends the server by a signal.
func (s *site) stop(sig syscall.Signal) {
	s.t.Helper()
	_ = s.cmd.Process.Signal(sig) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Errorf("hufu-server does not end: %s", s.log.since(0))
		_ = s.cmd.Process.Kill()
		<-s.ended
	}
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:"} {
		if strings.Contains(s.log.since(0), bad) {
			s.t.Errorf("hufu-server: %s", s.log.since(0))
		}
	}
}

// admin runs hufu-server and returns what it printed.
func (s *site) admin(args ...string) string {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(built.dir, "hufu-server"), args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env(), &out, &errs
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("hufu-server %s: %v: %s", strings.Join(args, " "), err, &errs)
	}
	return out.String()
}

var serial atomic.Int64

// enrol makes an outlet and returns its identifier and token.
func (s *site) enrol() (id, token string) {
	s.t.Helper()
	id = fmt.Sprintf("WEB-%d", serial.Add(1))
	file := filepath.Join(s.dir, id)
	s.admin("outlet", "add", id, "--token-file", file, "--url", "http://"+s.address)
	return id, strings.TrimSpace(string(must(os.ReadFile(file))(s.t)))
}

// recorded is a key as the centre has it.
type recorded struct {
	State       string
	Fingerprint string
	Reason      string
}

// record is what the centre has of one key.
func (s *site) record(id string, seckeyid uint64) (r recorded) {
	s.t.Helper()
	out := s.admin("key", "show", id, fmt.Sprint(seckeyid), "--json")
	must(0, json.Unmarshal([]byte(out), &r))(s.t)
	return r
}

// newest is the number of the last key that the centre has negotiated with one.
func (s *site) newest(id string) uint64 {
	s.t.Helper()
	var key struct{ Seckeyid uint64 }
	must(0, json.Unmarshal([]byte(s.admin("key", "list", "--outlet", id, "--limit", "1", "--json")), &key))(s.t)
	return key.Seckeyid
}

// attribute takes the value of name=value from a line of a log.
func attribute(line, name string) string {
	_, rest, _ := strings.Cut(line, " "+name+"=")
	value, _, _ := strings.Cut(rest, " ")
	return strings.Trim(value, `"`)
}

// lines is a log.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, line)
}

func (l *lines) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

func (l *lines) since(mark int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all[mark:], "\n")
}

// find is the first line after a mark that contains all of what.
func (l *lines) find(mark int, what ...string) string {
	for line := range strings.Lines(l.since(mark)) {
		all := true
		for _, w := range what {
			all = all && strings.Contains(line, w)
		}
		if all {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

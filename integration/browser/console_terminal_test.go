package browser

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var native struct {
	once sync.Once
	err  error
}

// terminal is the machine of one outlet: its enrolment and its segment.
type terminal struct {
	t       testing.TB
	s       *site
	home    string
	segment string
}

// newTerminal makes one, with hufu built.
func newTerminal(t testing.TB, s *site) *terminal {
	t.Helper()
	build(t)
	native.once.Do(func() {
		native.err = run(nil, "go", append(append([]string{"build", "-buildvcs=false"}, buildFlags...), "-o", filepath.Join(built.dir, "hufu"), "hufu/nativeclient")...)
	})
	must(0, native.err)(t)
	m := &terminal{t, s, t.TempDir(), fmt.Sprintf("hufu-console-%d-%d", os.Getpid(), serial.Add(1))}
	t.Cleanup(func() {
		for _, end := range []string{"", ".confirm"} {
			_ = os.Remove("/dev/shm/" + m.segment + end) // it may not be there
		}
	})
	return m
}

func (m *terminal) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(built.dir, "hufu"), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.home, "HUFU_HOME=" + filepath.Join(m.home, "hufu"), "HUFU_SEGMENT=" + m.segment,
		"HUFU_SERVERS=http://" + m.s.address, "HUFU_CONFIG=/dev/null", "GORACE=atexit_sleep_ms=0"}
	return cmd
}

// try runs hufu and returns what it printed, and whether it did what it was told.
func (m *terminal) try(args ...string) (out string, ok bool) {
	m.t.Helper()
	cmd := m.command(args...)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	return both.String(), err == nil
}

// hufu runs hufu, which has to do it.
func (m *terminal) hufu(args ...string) string {
	m.t.Helper()
	out, ok := m.try(args...)
	if !ok {
		m.t.Fatalf("hufu %s: %s", strings.Join(args, " "), out)
	}
	return out
}

// enrol takes a token.
func (m *terminal) enrol(token string) {
	m.t.Helper()
	file := filepath.Join(m.home, "token")
	must(0, os.WriteFile(file, []byte(token+"\n"), 0o600))(m.t)
	m.hufu("enrol", "--token-file", file)
}

// agent starts the agent, which runs until stop or the test's end.
func (m *terminal) agent() (stop func()) {
	m.t.Helper()
	cmd := m.command("agent")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(0, cmd.Start())(m.t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // what it says is in its log
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
			select {
			case <-ended:
			case <-time.After(patience):
				_ = cmd.Process.Kill()
				<-ended
				m.t.Errorf("hufu agent does not end: %s", &log)
			}
		})
	}
	m.t.Cleanup(stop)
	return stop
}

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is hufu on a pseudo-terminal.
type terminal struct {
	t      testing.TB
	master *os.File
	cmd    *exec.Cmd
	ended  chan struct{} // closed when nothing more comes

	mu     sync.Mutex
	screen strings.Builder
	seen   int // how much of it was expected already
}

// onTerminal starts hufu on a terminal of its own.
func (o *outlet) onTerminal(args ...string) *terminal {
	o.t.Helper()
	master, name, err := openPTY()
	must(o.t, err)
	slave, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	must(o.t, err)
	defer slave.Close()
	x := &terminal{t: o.t, master: master, cmd: exec.Command(filepath.Join(bin, "hufu"), args...), ended: make(chan struct{})}
	x.cmd.Env = append(o.env, "TERM=xterm")
	x.cmd.Stdin, x.cmd.Stdout, x.cmd.Stderr = slave, slave, slave
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(o.t, x.cmd.Start())
	go x.watch()
	o.t.Cleanup(func() {
		x.cmd.Process.Kill()
		master.Close()
		<-x.ended
	})
	return x
}

func openPTY() (master *os.File, slave string, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, "", err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	return master, fmt.Sprint("/dev/pts/", n), err
}

// watch keeps what is printed. The kernel answers with an error when nobody has
// the other end open any more.
func (x *terminal) watch() {
	defer close(x.ended)
	b := make([]byte, 4096)
	for {
		n, err := x.master.Read(b)
		if err != nil {
			return
		}
		x.mu.Lock()
		x.screen.Write(b[:n])
		x.mu.Unlock()
	}
}

// expect waits until the text stands on the screen, beyond what was expected before.
func (x *terminal) expect(text string) {
	x.t.Helper()
	defer func() {
		if x.t.Failed() {
			x.t.Logf("the screen:\n%s", x.all())
		}
	}()
	eventually(x.t, fmt.Sprintf("%q on the screen", text), func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		at := strings.Index(x.screen.String()[x.seen:], text)
		if at < 0 {
			return false
		}
		x.seen += at + len(text)
		return true
	})
}

// types types a line.
func (x *terminal) types(line string) {
	x.t.Helper()
	_, err := x.master.WriteString(line + "\n")
	must(x.t, err)
}

func (x *terminal) all() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.screen.String()
}

// exit waits for the end and returns the exit code.
func (x *terminal) exit() int {
	x.t.Helper()
	_ = x.cmd.Wait() // its code is in ProcessState
	<-x.ended
	sound(x.t, "hufu", x.all())
	return x.cmd.ProcessState.ExitCode()
}

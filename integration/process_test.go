package integration

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait for something that has to happen, also on a
// machine whose processes stand still for seconds.
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

// median is the middle one of several measurements. A limit holds for it also
// on a machine that stands still during some of them.
func median(all []time.Duration) time.Duration { return slices.Sorted(slices.Values(all))[len(all)/2] }

// result is how a program ended.
type result struct {
	code     int
	out, err string
}

// runs runs a program of bin to its end.
func runs(t testing.TB, env []string, stdin, program string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, program), args...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &errs
	cmd.Stdin = strings.NewReader(stdin)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || cmd.ProcessState.ExitCode() < 0 {
		t.Fatalf("%s %s: %v: %s", program, strings.Join(args, " "), err, &errs)
	}
	r := result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	sound(t, program, r.err)
	return r
}

// sound checks that a program neither panicked nor raced.
func sound(t testing.TB, program, errs string) {
	t.Helper()
	for _, bad := range []string{"DATA RACE", "panic:", "goroutine 1 [", "fatal error:"} {
		if strings.Contains(errs, bad) {
			t.Errorf("%s: %s", program, errs)
		}
	}
}

// process is a program that runs on.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	log  log
}

// start starts cmd, which ends at the latest when this program does.
func start(t testing.TB, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: filepath.Base(cmd.Path), cmd: cmd, done: make(chan struct{})}
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if cmd.SysProcAttr.Pdeathsig == 0 {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel's signal on our death is bound to this thread's
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.log.follow(errs)
		_ = cmd.Wait() // its code is in ProcessState
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	return p
}

// stop ends the program by a signal and returns its exit code.
func (p *process) stop(t testing.TB, sig os.Signal) int {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Errorf("%s does not end; its log:\n%s", p.name, strings.Join(p.log.since(0), "\n"))
		p.cmd.Process.Kill()
		<-p.done
	}
	sound(t, p.name, strings.Join(p.log.since(0), "\n"))
	return p.cmd.ProcessState.ExitCode()
}

// halt has the program stand still, and returns when every thread of it does.
func (p *process) halt(t testing.TB) {
	t.Helper()
	must(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	eventually(t, p.name+" stands still", func() bool { return p.stoppedOutside(t, 0, 0) })
}

// log is the lines that a program writes on standard error.
type log struct {
	mu    sync.Mutex
	lines []string
}

func (l *log) follow(r io.Reader) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		l.mu.Lock()
		l.lines = append(l.lines, in.Text())
		l.mu.Unlock()
	}
}

// mark is the place where the log ends now.
func (l *log) mark() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// since is what came after a mark.
func (l *log) since(mark int) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[mark:len(l.lines):len(l.lines)]
}

// find is the first line after a mark for which ok holds; empty: none does.
func (l *log) find(mark int, ok func(line string) bool) string {
	for _, line := range l.since(mark) {
		if ok(line) {
			return line
		}
	}
	return ""
}

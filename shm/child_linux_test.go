//go:build amd64 || arm64

package shm

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// The test binary runs itself as other processes: HUFU_SHM_CHILD names the part, the arguments follow.
func TestMain(m *testing.M) {
	part, ok := os.LookupEnv("HUFU_SHM_CHILD")
	if !ok {
		goleak.VerifyTestMain(m)
		return
	}
	parts := map[string]func(o Options, args []string) error{
		"stress-writer": childStressWriter, "stress-reader": childStressReader,
		"stop-at": childStopAt, "hold": childHold, "rewrite": childRewrite, "unprivileged": childUnprivileged,
	}
	args := os.Args[1:]
	if err := parts[part](Options{Dir: args[0], Name: args[1]}, args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// child prepares a part to be run.
func child(t *testing.T, part string, o Options, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0], append([]string{o.Dir, o.Name}, args...)...)
	c.Env = append(os.Environ(), "HUFU_SHM_CHILD="+part, "GORACE=atexit_sleep_ms=0")
	c.Stderr = os.Stderr
	return c
}

// startChild starts a part and waits until it says "ready".
func startChild(t *testing.T, part string, o Options, args ...string) (*exec.Cmd, io.WriteCloser, *bufio.Reader) {
	t.Helper()
	c := child(t, part, o, args...)
	in, out := start(t, c)
	return c, in, out
}

// start starts a program and waits until it says "ready". It is killed when the test ends.
func start(t *testing.T, c *exec.Cmd) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	in, err := c.StdinPipe()
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%v: %q, %v", c.Args, line, err)
	}
	return in, r
}

// childStressWriter gives every client a new key over and over until standard input ends.
func childStressWriter(o Options, clients []string) error {
	w, err := OpenWriter(o)
	if err != nil {
		return err
	}
	stop := make(chan bool)
	go func() { io.ReadAll(os.Stdin); close(stop) }()
	for number := uint64(1); ; number++ {
		for _, c := range clients {
			if err := w.Put(entry(c, number, Pending), nil); err != nil {
				return err
			}
			if err := w.MakeCurrent(c, number); err != nil {
				return err
			}
			if number == 1 {
				continue
			}
			if err := w.Wipe(c, number-1, Expired); err != nil {
				return err
			}
		}
		if number == 1 {
			fmt.Println("ready")
		}
		select {
		case <-stop:
			fmt.Println(number)
			return w.Close()
		default:
		}
	}
}

// childStressReader is stress.c in Go.
func childStressReader(o Options, args []string) error {
	want, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return err
	}
	r, err := OpenReader(o)
	if err != nil {
		return err
	}
	misses := 0
	reads := uint64(0)
	for clients := args[1:]; reads < want; {
		for _, c := range clients {
			e, err := r.Current(c)
			if err != nil {
				return fmt.Errorf("client %s: %w", c, err)
			}
			if e.Key != keyOf(c, e.SeckeyID) {
				return fmt.Errorf("torn key: %v", e)
			}
			for n, end := e.SeckeyID-2, e.SeckeyID+2; n < end; n++ {
				e, err := r.Key(c, n)
				if err != nil {
					misses++
				} else if e.SeckeyID != n || e.Key != keyOf(c, n) {
					return fmt.Errorf("torn key: %v", e)
				}
			}
			reads += 5
		}
	}
	fmt.Printf("reads %d misses %d\n", reads, misses)
	return nil
}

// childStopAt replaces outlet1's key 1 and stops for good in the middle, at the hook named.
func childStopAt(o Options, args []string) error {
	w, err := OpenWriter(o)
	if err != nil {
		return err
	}
	w.hook = func(point string) {
		if point == args[0] {
			fmt.Println("ready")
			select {}
		}
	}
	go func() { time.Sleep(time.Minute) }() // select {} with nothing else alive is reported as a deadlock
	return w.Put(entry("outlet1", 2, Active), &[ConfirmSize]byte{9})
}

// childHold is a writer until standard input ends.
func childHold(o Options, _ []string) error {
	w, err := OpenWriter(o)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	io.ReadAll(os.Stdin)
	return w.Close()
}

// childUnprivileged gives up root and the right to lock memory, then prints what becomes of a reader or writer.
func childUnprivileged(o Options, args []string) error {
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
		return err
	}
	group, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for _, err := range []error{syscall.Setgroups(nil), syscall.Setgid(group), syscall.Setuid(65534)} {
		if err != nil {
			return err
		}
	}
	var warnings []string
	switch args[0] {
	case "reader":
		r, err := OpenReader(o)
		if err != nil {
			return err
		}
		e, err := r.Current("outlet1")
		if err != nil {
			return err
		}
		fmt.Println(e)
		warnings = r.Warnings()
	case "writer":
		o.Capacity = 4
		if err := Create(o); err != nil {
			return err
		}
		w, err := OpenWriter(o)
		if err != nil {
			return err
		}
		warnings = w.Warnings()
	}
	fmt.Println(strings.Join(warnings, "\n"))
	return nil
}

// build compiles a C program of testdata and returns its path.
func build(t *testing.T, source string, flags ...string) string {
	t.Helper()
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Fatal("cc is missing; install the package gcc")
	}
	bin := t.TempDir() + "/" + source
	args := append([]string{"-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-I.", "-o", bin, "testdata/" + source + ".c"}, flags...)
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		t.Fatalf("cc %v: %v\n%s", args, err, out)
	}
	return bin
}

// run returns what a program printed and its exit code.
func run(t *testing.T, c *exec.Cmd) (string, int) {
	t.Helper()
	out, err := c.Output()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}

func hexOf(b []byte) string { return fmt.Sprintf("%x", b) }

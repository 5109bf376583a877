//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// supervisor listens as systemd does.
func supervisor(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return conn
}

// heard is everything that was sent so far, as lines.
func heard(t *testing.T, conn *net.UnixConn) (lines []string) {
	t.Helper()
	const end = "the end"
	self, err := net.DialUnix("unixgram", nil, conn.LocalAddr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if _, err := self.Write([]byte(end)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	for {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if string(b[:n]) == end {
			return lines
		}
		lines = append(lines, strings.Split(string(b[:n]), "\n")...)
	}
}

func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprint("@hufu-test-", os.Getpid())} {
		conn := supervisor(t, name)
		t.Setenv("WATCHDOG_USEC", "4000000")
		t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
		n, err := newNotifier()
		if err != nil {
			t.Fatal(err)
		}
		n.send("READY=1", "X=2")
		n.status("well")
		n.status("well")
		n.status("less\nwell")
		now := time.Hour
		for range 5 { // every second: a sign of life at every half of the interval
			n.alive(now)
			now += time.Second
		}
		want := "READY=1 X=2 STATUS=well STATUS=less well WATCHDOG=1 WATCHDOG=1 WATCHDOG=1"
		if got := strings.Join(heard(t, conn), " "); got != want {
			t.Errorf("%s: %s", name, got)
		}
		if err := n.close(); err != nil {
			t.Error(err)
		}
		n.send("after the end")
		if got := heard(t, conn); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNotifyNobody(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n, err := newNotifier()
	if err != nil {
		t.Fatal(err)
	}
	n.send("READY=1")
	n.alive(time.Hour)
	if err := n.close(); err != nil {
		t.Error(err)
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if _, err := newNotifier(); err == nil {
		t.Error("a socket that is not there was opened")
	}
	conn := supervisor(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "1000000")
	t.Setenv("WATCHDOG_PID", "1") // another's
	if n, err = newNotifier(); err != nil {
		t.Fatal(err)
	}
	n.alive(time.Hour)
	if got := heard(t, conn); len(got) > 0 {
		t.Errorf("%v", got)
	}
	if err := n.close(); err != nil {
		t.Error(err)
	}
}

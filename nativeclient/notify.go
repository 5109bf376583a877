package main

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// notifier speaks systemd's sd_notify protocol. Without NOTIFY_SOCKET it does
// nothing.
type notifier struct {
	mu       sync.Mutex
	conn     *net.UnixConn
	said     string        // the status line
	watchdog time.Duration // between two signs of life; 0: none are asked for
	barked   time.Duration // when the last one was sent, on the boot clock
}

// newNotifier opens the socket that NOTIFY_SOCKET names: a path, or a name of
// Linux's abstract name space, written with @. It takes WATCHDOG_USEC if
// WATCHDOG_PID is absent or this process.
func newNotifier() (*notifier, error) {
	n := &notifier{}
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return n, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	n.conn = conn
	pid := os.Getenv("WATCHDOG_PID")
	if usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond / 2
	}
	return n, nil
}

// send sends lines of assignments. That nobody listens is nothing to act upon:
// systemd then notices by itself that nothing comes.
func (n *notifier) send(lines ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn != nil {
		_, _ = n.conn.Write([]byte(strings.Join(lines, "\n")))
	}
}

// status sends the line of systemctl status when it has changed.
func (n *notifier) status(line string) {
	n.mu.Lock()
	changed := line != n.said
	n.said = line
	n.mu.Unlock()
	if changed {
		n.send("STATUS=" + strings.ReplaceAll(line, "\n", " "))
	}
}

// alive sends the sign of life when its time has come. To be called only by who
// makes progress.
func (n *notifier) alive(now time.Duration) {
	n.mu.Lock()
	due := n.watchdog > 0 && now-n.barked >= n.watchdog-lookEvery/2
	if due {
		n.barked = now
	}
	n.mu.Unlock()
	if due {
		n.send("WATCHDOG=1")
	}
}

func (n *notifier) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn == nil {
		return nil
	}
	conn := n.conn
	n.conn = nil
	if err := conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

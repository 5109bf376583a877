package integration

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/shared/wire"
)

// sky is what stands between an outlet and its server: all messages pass
// through it, and it may do to them what networks do.
type sky struct {
	target string
	url    string
	ended  chan struct{} // closed at the end of the test: nobody waits any more

	opened   atomic.Int64   // connections so far
	wg       sync.WaitGroup // connections, and messages that are late
	mu       sync.Mutex
	up, down passage
}

// passage is what becomes of a message on its way to an end. An error drops
// both connections.
type passage func(ctx context.Context, to *websocket.Conn, m message) error

// clearSky lets all messages pass.
func clearSky(ctx context.Context, to *websocket.Conn, m message) error {
	return to.Write(ctx, m.kind, m.data)
}

// sky puts weather in front of the site's server. It is fair at first.
func (s *site) sky(t testing.TB) *sky {
	t.Helper()
	k := &sky{target: "ws" + strings.TrimPrefix(s.url, "http"), ended: make(chan struct{}), up: clearSky, down: clearSky}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.wg.Add(1)
		defer k.wg.Done()
		k.serve(w, r)
	}))
	k.url = server.URL
	t.Cleanup(func() {
		close(k.ended)
		server.CloseClientConnections()
		server.Close()
		k.wg.Wait()
	})
	return k
}

// turn changes the weather for the messages that come from now on. nil leaves
// a direction as it is.
func (k *sky) turn(up, down passage) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if up != nil {
		k.up = up
	}
	if down != nil {
		k.down = down
	}
}

func (k *sky) serve(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	go func() {
		select {
		case <-k.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	server, _, err := websocket.Dial(ctx, k.target+r.URL.Path, &websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		http.Error(w, "the server is away", http.StatusBadGateway)
		return
	}
	client, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		server.CloseNow()
		return
	}
	k.opened.Add(1)
	client.SetReadLimit(-1)
	server.SetReadLimit(-1)
	up := make(chan struct{})
	go func() {
		defer close(up)
		k.pass(ctx, client, server, func() passage { return k.up })
	}()
	k.pass(ctx, server, client, func() passage { return k.down })
	<-up
}

// pass passes messages on until a side closes, and passes that on too.
func (k *sky) pass(ctx context.Context, from, to *websocket.Conn, weather func() passage) {
	for {
		kind, data, err := from.Read(ctx)
		if err != nil {
			closeLike(to, err)
			return
		}
		k.mu.Lock()
		f := weather()
		k.mu.Unlock()
		if f(ctx, to, message{kind, data}) != nil {
			from.CloseNow()
			to.CloseNow()
			return
		}
	}
}

// is reports whether a message is of a type.
func (m message) is(cmd wire.Cmd) bool {
	f, err := wire.Parse(m.data)
	return err == nil && f.Cmd == cmd
}

// wait waits, or ends with the connection.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dripping lets one message go every so often.
func dripping(every time.Duration) passage {
	return func(ctx context.Context, to *websocket.Conn, m message) error {
		if err := wait(ctx, every); err != nil {
			return err
		}
		return clearSky(ctx, to, m)
	}
}

// late has pushes come so much later, and everything else as it comes.
func (k *sky) late(by time.Duration) passage {
	return func(ctx context.Context, to *websocket.Conn, m message) error {
		if !m.is(wire.CmdPush) {
			return clearSky(ctx, to, m)
		}
		k.wg.Go(func() {
			if wait(ctx, by) == nil {
				_ = clearSky(ctx, to, m) // the connection may be over
			}
		})
		return nil
	}
}

// lagging has everything come so much later, in its order.
func (k *sky) lagging(by time.Duration) passage {
	before := make(chan struct{})
	close(before)
	return func(ctx context.Context, to *websocket.Conn, m message) error {
		mine := make(chan struct{})
		k.mu.Lock()
		previous := before
		before = mine
		k.mu.Unlock()
		k.wg.Go(func() {
			defer close(mine)
			if wait(ctx, by) == nil {
				<-previous
				_ = clearSky(ctx, to, m) // the connection may be over
			}
		})
		return nil
	}
}

// atFirst does something to the first message of a type, and lets the rest pass.
func atFirst(cmd wire.Cmd, do passage) passage {
	var done atomic.Bool
	return func(ctx context.Context, to *websocket.Conn, m message) error {
		if m.is(cmd) && done.CompareAndSwap(false, true) {
			return do(ctx, to, m)
		}
		return clearSky(ctx, to, m)
	}
}

package session_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/server/session"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

func TestOpenInTime(t *testing.T) {
	const within = 300 * time.Millisecond
	c := newCentre(t, session.Limits{}, session.Tuning{Open: within})
	token := c.enrol(t, "o", wire.RoleOutlet)
	var opened *peer
	waitFor(t, "one that opens in time", func() bool { // unless the machine stands still for as long
		opened = c.dial(t, token)
		opened.write(websocket.MessageBinary, opened.anOpen())
		_, err := opened.tryOpened()
		return err == nil
	})
	for name, drip := range map[string][]byte{"says nothing": nil, "sends half an open": {0x82, 0xfe, 0x00, 0xe6, 0, 0, 0, 0, 0x87}} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			r := c.rawDial(t)
			r.hello()
			r.Write(drip)
			// WAIT_OPEN ends without the failure bytes.
			if op, payload := r.frame(); op != opClose || binary.BigEndian.Uint16(payload) != uint16(websocket.StatusPolicyViolation) {
				t.Errorf("frame %x: %q", op, payload)
			}
			if took := time.Since(began); took < within {
				t.Errorf("closed after %v", took)
			}
		})
	}
	opened.alive()
}

func TestIdle(t *testing.T) {
	const idle = 400 * time.Millisecond
	c := newCentre(t, session.Limits{}, session.Tuning{Idle: idle})
	token := c.enrol(t, "o", wire.RoleOutlet)
	began, p := time.Now(), c.connect(t, token)
	last := began // before the last request that was answered
	for ; time.Since(began) < 2*idle; time.Sleep(idle / 8) {
		asked := time.Now()
		p.send(&wire.Ping{})
		_, err := p.next()
		if err != nil && time.Since(last) < idle {
			t.Fatalf("closed %v after its last request: %v", time.Since(last), err)
		}
		if err != nil { // the machine has stood still, and the server was right
			began, p = time.Now(), c.connect(t, token)
		}
		last = asked
	}
	// The client's WebSocket pings are no authentic requests.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(idle / 8):
				p.ws.Ping(t.Context())
			}
		}
	})
	frames, code := p.closed()
	close(stop)
	wg.Wait()
	if took := time.Since(last); code != websocket.StatusPolicyViolation || len(frames) != 0 || took < idle {
		t.Errorf("closed with %d after %v", code, took)
	}
}

// TestFifthConnection: the oldest is closed, and only by one whose MAC held.
func TestFifthConnection(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	other := c.connect(t, c.enrol(t, "p", wire.RoleOutlet))
	var mine []*peer
	for range 4 {
		mine = append(mine, c.connect(t, token))
	}
	wrong := *token
	wrong.Secret[0] ^= 1
	for range 6 {
		p := c.dial(t, &wrong)
		p.write(websocket.MessageBinary, p.anOpen())
		p.closed()
	}
	for _, p := range mine {
		p.alive()
	}
	for i := range 2 {
		mine = append(mine, c.connect(t, token))
		mine[i].closes(4001)
	}
	for _, p := range append(mine[2:], other) {
		p.alive()
	}
	// One that has gone makes room.
	mine[2].ws.Close(websocket.StatusNormalClosure, "")
	waitFor(t, "it to be gone", func() bool { return c.sessions.Open() == 4 })
	mine = append(mine, c.connect(t, token))
	for _, p := range append(mine[3:], other) {
		p.alive()
	}
}

// TestDisabledAndCut: connections of who is disabled, or under a secret that
// is good no more, are closed; others stay.
func TestDisabledAndCut(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	other := c.connect(t, c.enrol(t, "p", wire.RoleOutlet))
	p := c.connect(t, token)
	if err := c.SetDisabled(t.Context(), "o", true); err != nil {
		t.Fatal(err)
	}
	p.closes(websocket.StatusPolicyViolation)
	if err := c.SetDisabled(t.Context(), "o", false); err != nil {
		t.Fatal(err)
	}
	p = c.connect(t, token)
	n := p.active()
	fresh := must(c.NewSecret(t.Context(), "o", false))(t)
	p.alive() // the old one is good until the new one is used
	now := c.connect(t, fresh)
	if _, code := p.closed(); code != websocket.StatusPolicyViolation {
		t.Errorf("the older epoch is closed with %d", code)
	}
	cut := must(c.NewSecret(t.Context(), "o", true))(t)
	if _, code := now.closed(); code != websocket.StatusPolicyViolation {
		t.Errorf("the cut epoch is closed with %d", code)
	}
	last := c.connect(t, cut)
	if push := last.pushed(); push.Seckeyid != n || push.Reason != wire.ReasonSecretCut {
		t.Errorf("pushed %d, reason %v", push.Seckeyid, push.Reason)
	}
	last.alive()
	other.alive()
}

// TestShutdown: what is in flight is answered, then everybody is told to come
// back; those who do not answer are cut off.
func TestShutdown(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{Close: time.Second})
	token, second := c.enrol(t, "o", wire.RoleOutlet), c.enrol(t, "p", wire.RoleOutlet)
	c.used(t, token)
	idle, busy, waiting := c.connect(t, token), c.connect(t, token), c.dial(t, token)
	silent := c.rawDial(t)
	silent.hello()
	opening := c.dial(t, second)

	began, hold := make(chan struct{}), make(chan struct{})
	var once sync.Once
	c.store.set(nil, 0, func() { once.Do(func() { close(began) }); <-hold })
	busy.send(&wire.Revoke{Seckeyid: 1})
	<-began
	opening.write(websocket.MessageBinary, opening.anOpen()) // its first use waits for the store, too

	var wg sync.WaitGroup
	stopped := make(chan struct{})
	wg.Go(func() {
		c.sessions.Shutdown(context.Background())
		close(stopped)
	})
	wg.Go(func() { idle.closes(websocket.StatusServiceRestart) })
	wg.Go(func() { waiting.closes(websocket.StatusServiceRestart) })
	time.Sleep(100 * time.Millisecond)
	close(hold)
	if m, err := busy.next(); err != nil || m.(wire.Reply).Head().Q != 1 {
		t.Errorf("what was in flight: %v, %v", m, err)
	}
	busy.closes(websocket.StatusServiceRestart)
	if _, code := opening.closed(); code != websocket.StatusServiceRestart {
		t.Errorf("the opening one is closed with %d", code)
	}
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Error("a peer that does not answer the close keeps the server from stopping")
	}
	wg.Wait()
	if p, err := c.tryDial(t, token, nil); err == nil {
		p.closes(websocket.StatusServiceRestart)
	}
}

// TestShutdownInHaste: when its time is over, everything is cut off.
func TestShutdownInHaste(t *testing.T) {
	c := newCentre(t, session.Limits{NegotiateBurst: 100}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	p := c.connect(t, token)
	for range 60 {
		p.negotiate()
	}
	var stuck []*peer
	for range 3 {
		s := must(c.tryDial(t, token, &websocket.DialOptions{HTTPClient: narrow()}))(t)
		s.open()
		for range 100 {
			s.send(&wire.View{Limit: 500})
		}
		stuck = append(stuck, s)
	}
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	c.sessions.Shutdown(ctx)
	if took := time.Since(began); took > patience { // a write that is stuck may take twice as long
		t.Errorf("it took %v", took)
	}
	if n := c.sessions.Open(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	for _, s := range stuck {
		s.closed()
	}
}

// TestUnansweredClose: after the close frame S waits for 1 s, not for the
// client's pleasure, whatever has been announced.
func TestUnansweredClose(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{Close: time.Second})
	long := binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<40)
	for name, sent := range map[string][]byte{
		"a frame of 1 TB": append(long, make([]byte, 4+1000)...),
		"many fragments":  append([]byte{0x02, 0x80, 0, 0, 0, 0}, strings.Repeat("\x00\x80\x00\x00\x00\x00", 2000)...),
		"a text frame":    {0x81, 0x81, 0, 0, 0, 0, 'x'},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			took := c.unanswered(t, sent, name == "many fragments")
			for n := 0; n < 4 && took > 5*time.Second; n++ { // perhaps the machine has stood still
				took = c.unanswered(t, sent, name == "many fragments")
			}
			if took < 900*time.Millisecond || took > 5*time.Second {
				t.Errorf("the socket was closed after %v, want 1 s after the close frame", took)
			}
		})
	}
}

// unanswered sends what S closes for, does not answer the close frame, and
// tells after how long the socket was closed.
func (c *centre) unanswered(t *testing.T, sent []byte, endless bool) time.Duration {
	r := c.rawDial(t)
	r.hello()
	began := time.Now()
	r.Write(sent)
	if endless { // never comes to an end
		r.Write([]byte{0x80, 0xfe, 0x02, 0x02, 0, 0, 0, 0})
		r.Write(make([]byte, 514))
	}
	if op, payload := r.frame(); op != opBinary || !wire.IsOpenFailure(payload) {
		t.Errorf("frame %x: %q", op, payload)
	}
	if op, payload := r.frame(); op != opClose || binary.BigEndian.Uint16(payload) != uint16(websocket.StatusPolicyViolation) {
		t.Errorf("frame %x: %q", op, payload)
	}
	if n, err := io.Copy(io.Discard, r.Conn); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("then %d bytes, %v", n, err)
	}
	return time.Since(began)
}

// TestPing: S pings after it has sent nothing for a while, and stops with the session.
func TestPing(t *testing.T) {
	const after = 150 * time.Millisecond
	c := newCentre(t, session.Limits{}, session.Tuning{Ping: after})
	token := c.enrol(t, "o", wire.RoleOutlet)
	var pings atomic.Int64
	p := must(c.tryDial(t, token, &websocket.DialOptions{OnPingReceived: func(context.Context, []byte) bool {
		pings.Add(1)
		return true
	}}))(t)
	p.open()
	for began := time.Now(); time.Since(began) < 3*after; time.Sleep(after / 15) {
		p.alive()
	}
	if n := pings.Load(); n != 0 {
		t.Logf("%d pings while it was sending: the machine is busy", n)
	}
	quiet := time.Now()
	p.alive()
	before := pings.Load()
	read, stop := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() { p.ws.Read(read) }) // pings are answered while somebody reads
	waitFor(t, "pings", func() bool { return pings.Load() >= before+4 })
	n := pings.Load() - before
	if took := time.Since(quiet); n > 1+int64(took/after) {
		t.Errorf("%d pings within %v", n, took)
	}
	stop()
	reading.Wait()
	waitFor(t, "the session to end", func() bool { return c.sessions.Open() == 0 })

	// A session whose peer has vanished while a ping was out is not pinged for ever.
	r := c.rawDial(t)
	r.hello()
	for {
		if op, _ := r.frame(); op == opPing {
			break
		}
	}
	r.Close()
	waitFor(t, "its end, and no ping after it", func() bool {
		before := strings.Count(c.log.String(), "no answer to a ping")
		time.Sleep(4 * after)
		return before > 0 && c.sessions.Waiting() == 0 && strings.Count(c.log.String(), "no answer to a ping") == before
	})
}

func TestWaitingLimits(t *testing.T) {
	refused := func(c *centre, token *wire.Token) error {
		_, err := c.tryDial(t, token, nil)
		return err
	}
	for name, limits := range map[string]session.Limits{
		"in all": {Waiting: 3}, "of one address": {WaitingAddress: 3},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCentre(t, limits, session.Tuning{})
			token := c.enrol(t, "o", wire.RoleOutlet)
			var waiting []*peer
			for range 3 {
				waiting = append(waiting, c.dial(t, token))
			}
			err := refused(c, token)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprint(http.StatusServiceUnavailable)) {
				t.Fatalf("one more: %v", err)
			}
			waiting[0].open() // an open one does not count
			waiting[1].ws.CloseNow()
			var more []*peer
			waitFor(t, "room for two", func() bool {
				if p, err := c.tryDial(t, token, nil); err == nil {
					more = append(more, p)
				}
				return len(more) == 2
			})
			if refused(c, token) == nil {
				t.Error("one more than there is room for")
			}
			for _, p := range append(more, waiting[2]) {
				p.open()
			}
			waiting[0].alive()
		})
	}
}

// TestMemory reports what an idle connection costs the server. The clients, in
// the same process, are no more than sockets.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("opens many connections")
	}
	const connections = 300
	c := newCentre(t, session.Limits{PerClient: 2 * connections}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	measure := func() uint64 {
		for range 5 { // stacks shrink by half at each
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	c.rawOpen(t, token)
	before := measure()
	parallel(connections, func(int) { c.rawOpen(t, token) })
	waitFor(t, "all to be open", func() bool { return c.sessions.Open() == connections+1 })
	t.Logf("an idle connection costs %d bytes", (measure()-before)/connections)
}

const (
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
)

// raw is a WebSocket's other end without a library, which can misbehave.
type raw struct {
	*testing.T
	net.Conn
	r *bufio.Reader
}

func (c *centre) rawDial(t *testing.T) *raw {
	t.Helper()
	address := strings.TrimSuffix(strings.TrimPrefix(c.url, "ws://"), wire.Path)
	conn := must(net.Dial("tcp", address))(t)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(3 * patience))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", wire.Path, address, wire.Subprotocol)
	r := &raw{T: t, Conn: conn, r: bufio.NewReaderSize(conn, 1024)}
	response := must(http.ReadResponse(r.r, nil))(t)
	if response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %s", response.Status)
	}
	return r
}

// frame reads one frame, of at most 64 KB.
func (r *raw) frame() (op byte, payload []byte) {
	r.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		r.Fatalf("frame: %v", err)
	}
	size := int(head[1])
	if size == 126 {
		var long [2]byte
		io.ReadFull(r.r, long[:])
		size = int(binary.BigEndian.Uint16(long[:]))
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(r.r, payload); err != nil {
		r.Fatalf("frame: %v", err)
	}
	return head[0] & 0x0f, payload
}

func (r *raw) hello() *wire.Hello {
	r.Helper()
	_, payload := r.frame()
	return must(wire.DecodeHello(payload))(r.T)
}

// rawOpen opens a session and keeps nothing of it but its socket.
func (c *centre) rawOpen(t *testing.T, token *wire.Token) {
	r := c.rawDial(t)
	hello := r.hello()
	m := &wire.Open{RequestHead: wire.RequestHead{ClientID: token.ClientID, ServerID: serverID}, Epoch: token.Epoch}
	lt := kex.Derive(&token.Secret, kex.Identity{ClientID: token.ClientID, ServerID: serverID, Epoch: token.Epoch})
	lt.Connect(&hello.Nonce, &m.Nonce).SignRequest(m)
	frame := must(wire.Encode(m))(t)
	r.Write(append(append(binary.BigEndian.AppendUint16([]byte{0x82, 0xfe}, uint16(len(frame))), 0, 0, 0, 0), frame...))
	if _, payload := r.frame(); wire.IsOpenFailure(payload) {
		t.Error("open failed")
	}
	r.r = nil
}

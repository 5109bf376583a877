package session_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/server/session"
	"hufu/server/store/sqlite"
	"hufu/server/web"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	serverID = "centre"
	patience = 30 * time.Second // for what comes at once, on a machine that may stand still for seconds
)

// centre is a whole server but for its main: the embedded store, the rules,
// the sessions, and HTTP on a loopback address. What it logs is kept.
type centre struct {
	*keyservice.Service
	sessions *session.Server
	store    *faulty
	ring     *seal.Ring
	url      string
	log      *record
}

// faulty is the real store; a test may break it or have it wait.
type faulty struct {
	keyservice.Store
	mu     sync.Mutex
	err    error
	delay  time.Duration // of Outlet
	before func()        // before Apply
	read   func(string)  // once Outlet has read one, before it answers

	presence atomic.Bool // who is connected is written: not where a test counts what else is
}

func (f *faulty) Tell(ctx context.Context, process string, seen []keyservice.Sight) (known bool, err error) {
	if !f.presence.Load() {
		return true, nil
	}
	return f.Store.Tell(ctx, process, seen)
}

func (f *faulty) set(err error, delay time.Duration, before func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.delay, f.before = err, delay, before
}

func (f *faulty) Outlet(ctx context.Context, id string) (keyservice.Outlet, []keyservice.Secret, error) {
	f.mu.Lock()
	err, delay, read := f.err, f.delay, f.read
	f.mu.Unlock()
	time.Sleep(delay)
	if err != nil {
		return keyservice.Outlet{}, nil, err
	}
	if read != nil {
		defer read(id)
	}
	return f.Store.Outlet(ctx, id)
}

func (f *faulty) onRead(read func(id string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = read
}

func (f *faulty) Apply(ctx context.Context, changes []*keyservice.Change) error {
	f.mu.Lock()
	err, before := f.err, f.before
	f.mu.Unlock()
	if before != nil {
		before()
	}
	if err != nil {
		return err
	}
	return f.Store.Apply(ctx, changes)
}

// record keeps what is logged.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func newCentre(t *testing.T, limits session.Limits, tuning session.Tuning) *centre {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hufu.db")
	if err := sqlite.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	store := must(sqlite.Open(t.Context(), path))(t)
	ring := must(seal.Create(filepath.Join(t.TempDir(), "ring.json"), serverID))(t)
	c := &centre{store: &faulty{Store: store}, ring: ring, log: &record{}}
	log := slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.Service = must(keyservice.New(keyservice.Config{ServerID: serverID, URL: "http://127.0.0.1:8470", Log: log}, c.store, ring))(t)
	if limits.NegotiateRate == 0 {
		limits.NegotiateRate = 1e6
	}
	if limits.WaitingAddress == 0 {
		limits.WaitingAddress = -1
	}
	c.sessions = session.New(c.Service, limits, log)
	if tuning.Open == 0 {
		tuning.Open = 2 * patience // as for Write and Close: not because the machine stood still
	}
	if tuning.Write == 0 {
		tuning.Write = 2 * patience
	}
	if tuning.Close == 0 {
		tuning.Close = 2 * patience
	}
	c.sessions.Tune(tuning)
	server := httptest.NewUnstartedServer(web.New(web.Config{Log: log}, c.Service, c.sessions))
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if tcp, ok := conn.(*net.TCPConn); ok && state == http.StateNew {
			tcp.SetWriteBuffer(8 << 10) // a peer that does not read is felt soon
		}
	}
	server.Start()
	c.url = "ws" + strings.TrimPrefix(server.URL, "http") + wire.Path
	ctx, cancel := context.WithCancel(context.Background())
	var rules sync.WaitGroup
	rules.Go(func() { c.Run(ctx) })
	t.Cleanup(func() {
		server.Close()
		within, stop := context.WithTimeout(context.Background(), 3*time.Second)
		defer stop()
		c.sessions.Shutdown(within)
		cancel()
		rules.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *centre) enrol(t *testing.T, id string, role wire.Role) *wire.Token {
	t.Helper()
	return must(c.Enrol(t.Context(), id, role))(t)
}

// used has a token opened with once, and waits for what follows: at the first
// open under an epoch, every session of that client looks itself up again.
func (c *centre) used(t *testing.T, token *wire.Token) {
	t.Helper()
	var looked atomic.Int64
	c.store.onRead(func(id string) {
		if id == token.ClientID {
			looked.Add(1)
		}
	})
	defer c.store.onRead(nil)
	p := c.connect(t, token)
	waitFor(t, "it to be looked up again", func() bool { return looked.Load() >= 2 })
	p.ws.Close(websocket.StatusNormalClosure, "")
	waitFor(t, "it to be closed", func() bool { return c.sessions.Open() == 0 })
	c.sessions.Ended() // it may be looked up a third time: told of the open before and after it counted as open
}

// history is how many changes the store has recorded.
func (c *centre) history(t *testing.T) int {
	t.Helper()
	return len(must(c.store.Events(t.Context(), keyservice.EventQuery{Limit: 5000}))(t))
}

// peer is a client's end of a connection, with no rules of its own but that it
// checks the order and the authCode of all it gets.
type peer struct {
	*testing.T
	ws    *websocket.Conn
	token *wire.Token
	hello *wire.Hello
	keys  *kex.Conn
	q, p  uint64
	asked map[uint64]wire.MAC
	held  map[uint64]*kex.Agreed
	quiet bool   // events are passed over
	reply uint64 // p of the last reply
	told  uint64 // key of the last push
}

// dial connects and takes hello.
func (c *centre) dial(t *testing.T, token *wire.Token) *peer {
	t.Helper()
	p, err := c.tryDial(t, token, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (c *centre) tryDial(t *testing.T, token *wire.Token, options *websocket.DialOptions) (*peer, error) {
	if options == nil {
		options = &websocket.DialOptions{}
	}
	options.Subprotocols = []string{wire.Subprotocol}
	ws, _, err := websocket.Dial(t.Context(), c.url, options)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { ws.CloseNow() })
	ws.SetReadLimit(wire.MaxServerFrame)
	p := &peer{T: t, ws: ws, token: token, asked: make(map[uint64]wire.MAC), held: make(map[uint64]*kex.Agreed)}
	frame, err := p.read()
	if err != nil {
		return nil, err
	}
	p.hello, err = wire.DecodeHello(frame)
	return p, err
}

func (p *peer) read() ([]byte, error) {
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	_, frame, err := p.ws.Read(ctx)
	return frame, err
}

func (p *peer) write(kind websocket.MessageType, frame []byte) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), patience)
	defer cancel()
	if err := p.ws.Write(ctx, kind, frame); err != nil {
		p.Logf("write: %v", err)
	}
}

// openMessage makes an open, signed, and derives the connection's keys.
func (p *peer) openMessage() *wire.Open {
	m := &wire.Open{RequestHead: wire.RequestHead{ClientID: p.token.ClientID, ServerID: p.hello.ServerID}, Epoch: p.token.Epoch}
	rand.Read(m.Nonce[:])
	p.keys = kex.Derive(&p.token.Secret, kex.Identity{ClientID: p.token.ClientID, ServerID: serverID, Epoch: p.token.Epoch}).Connect(&p.hello.Nonce, &m.Nonce)
	p.keys.SignRequest(m)
	p.asked[0] = m.AuthCode
	return m
}

func (p *peer) open() *wire.OpenOK {
	p.Helper()
	p.write(websocket.MessageBinary, p.encode(p.openMessage()))
	return p.opened()
}

// opened takes open ok.
func (p *peer) opened() *wire.OpenOK {
	p.Helper()
	ok, err := p.tryOpened()
	if err != nil {
		p.Fatalf("open ok: %v", err)
	}
	return ok
}

func (p *peer) tryOpened() (*wire.OpenOK, error) {
	frame, err := p.read()
	if err != nil {
		return nil, err
	}
	ok, err := wire.DecodeOpenReply(frame)
	if err == nil && (!p.keys.CheckReply(p.asked[0], ok) || ok.P != 0 || ok.Q != 0) {
		err = fmt.Errorf("%v, or its authCode is wrong", ok)
	}
	p.p = 1
	return ok, err
}

// connect dials and opens.
func (c *centre) connect(t *testing.T, token *wire.Token) *peer {
	t.Helper()
	p := c.dial(t, token)
	p.open()
	return p
}

func (p *peer) encode(m wire.Message) []byte {
	p.Helper()
	return must(wire.Encode(m))(p.T)
}

// sign gives a request its number and authCode, and returns its frame.
func (p *peer) sign(m wire.Request) []byte {
	p.Helper()
	p.q++
	h := m.Head()
	h.Q, h.ClientID, h.ServerID = p.q, p.token.ClientID, serverID
	p.keys.SignRequest(m)
	p.asked[p.q] = h.AuthCode
	return p.encode(m)
}

func (p *peer) send(m wire.Request) {
	p.Helper()
	p.write(websocket.MessageBinary, p.sign(m))
}

// next takes the next message and checks its order and authCode.
func (p *peer) next() (wire.Message, error) {
	frame, err := p.read()
	if err != nil {
		return nil, err
	}
	m, err := wire.DecodeServer(frame)
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case wire.Reply:
		if !p.keys.CheckReply(p.asked[m.Head().Q], m) || m.Head().P != p.p {
			return nil, fmt.Errorf("reply %d to %d, want %d, or its authCode is wrong", m.Head().P, m.Head().Q, p.p)
		}
		p.reply = m.Head().P
	case wire.Notice:
		if !p.keys.CheckNotice(m) || m.Head().P != p.p {
			return nil, fmt.Errorf("notice %d, want %d, or its authCode is wrong", m.Head().P, p.p)
		}
		if push, is := m.(*wire.Push); is {
			p.told = push.Seckeyid
		}
	}
	p.p++
	return m, nil
}

// ask sends a request and returns its reply, and the pushes that come before.
func (p *peer) ask(m wire.Request) (reply wire.Reply, pushes []*wire.Push) {
	p.Helper()
	p.send(m)
	for {
		got, err := p.next()
		if err != nil {
			p.Fatalf("%s: %v", m.Cmd(), err)
		}
		if push, is := got.(*wire.Push); is {
			pushes = append(pushes, push)
			continue
		}
		if _, is := got.(*wire.Event); is && p.quiet {
			continue
		}
		reply = got.(wire.Reply)
		if reply.Head().Q != m.Head().Q {
			p.Fatalf("%s %d is answered by %v", m.Cmd(), m.Head().Q, reply.Head())
		}
		return reply, pushes
	}
}

// offer is a negotiate whose answer is of no use to anyone.
func (p *peer) offer() *wire.Negotiate {
	m := &wire.Negotiate{}
	must(kex.NewInitiator(rand.Reader))(p.T).Offer(m)
	return m
}

func (p *peer) negotiate() uint64 {
	p.Helper()
	i := must(kex.NewInitiator(rand.Reader))(p.T)
	m := &wire.Negotiate{}
	i.Offer(m)
	reply, _ := p.ask(m)
	ok, is := reply.(*wire.NegotiateOK)
	if !is {
		p.Fatalf("negotiate: %v", reply.Head())
	}
	p.held[ok.Seckeyid] = must(i.Accept(p.keys, m.Q, ok))(p.T)
	return ok.Seckeyid
}

func (p *peer) verifyMessage(n uint64) *wire.Verify {
	return &wire.Verify{Seckeyid: n, Confirm: p.held[n].ProveClient(p.keys, p.q+1, n)}
}

// active agrees on a key and verifies it.
func (p *peer) active() uint64 {
	p.Helper()
	n := p.negotiate()
	if reply, _ := p.ask(p.verifyMessage(n)); reply.Head().Refused {
		p.Fatalf("verify: %v", reply.Head())
	}
	return n
}

// pushed takes the next message, which must be a push.
func (p *peer) pushed() *wire.Push {
	p.Helper()
	m, err := p.next()
	push, is := m.(*wire.Push)
	if err != nil || !is {
		p.Fatalf("%v, %v; want a push", m, err)
	}
	return push
}

// closed reads to the end: what came before, and the close code; -1: none came.
func (p *peer) closed() (frames [][]byte, code websocket.StatusCode) {
	for {
		frame, err := p.read()
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				p.Error("it was not closed")
			}
			return frames, websocket.CloseStatus(err)
		}
		frames = append(frames, frame)
	}
}

// closes checks that the session ends with a code and without a message.
func (p *peer) closes(want websocket.StatusCode) {
	p.Helper()
	if frames, code := p.closed(); code != want || len(frames) != 0 {
		p.Errorf("closed with %d after %d frames, want %d after none", code, len(frames), want)
	}
}

// alive checks that the session still answers.
func (p *peer) alive() (pushes []*wire.Push) {
	p.Helper()
	reply, pushes := p.ask(&wire.Ping{})
	if reply.Head().Refused {
		p.Errorf("ping: %v", reply.Head())
	}
	return pushes
}

// narrow is a client whose system takes little that is not read.
func narrow() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetReadBuffer(4 << 10)
		}
		return conn, err
	}}}
}

// must returns v, or fails the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %s", what)
		}
	}
}

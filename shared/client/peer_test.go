package client

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

var (
	testID     = kex.Identity{ClientID: "outlet-1", ServerID: "centre", Epoch: 3}
	testSecret = wire.Secret{1, 2, 3}
)

func longTerm() *kex.LongTerm { return kex.Derive(&testSecret, testID) }

// link is a WebSocket in memory: a Transport, and the server's end of it.
type link struct {
	down chan any // to the client: a message, or the error that ends it
	up   chan []byte
	gone chan struct{} // the client has closed
	once sync.Once
	full bool // the network takes nothing more from the client
}

func newLink() *link {
	return &link{down: make(chan any, 4096), up: make(chan []byte, 4096), gone: make(chan struct{})}
}

func (l *link) Read(ctx context.Context) ([]byte, error) {
	select {
	case m := <-l.down:
		if err, ok := m.(error); ok {
			return nil, err
		}
		return m.([]byte), nil
	case <-l.gone:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *link) Write(ctx context.Context, message []byte) error {
	if l.full {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	l.up <- message
	return nil
}

func (l *link) Close() error {
	l.once.Do(func() { close(l.gone) })
	return nil
}

// peer is the server's end of one connection: honest unless a test has it
// lie. It holds the protocol's rules of the server, and none of its logic.
type peer struct {
	*testing.T
	*link
	id          kex.Identity
	keys        *kex.LongTerm
	conn        *kex.Conn
	q, p        uint64
	idle, grace uint64
}

func newPeer(t *testing.T) *peer {
	return &peer{T: t, link: newLink(), id: testID, keys: longTerm(), idle: 75, grace: 3600}
}

func (p *peer) send(frame []byte) { p.down <- frame }

func (p *peer) close(code int) { p.down <- &CloseError{Code: code} }

// take returns the client's next frame, nil once it has closed.
func (p *peer) take() []byte {
	select {
	case frame := <-p.up:
		return frame
	case <-p.gone:
		return nil
	}
}

func (p *peer) encode(m wire.Message) []byte {
	frame, err := wire.Encode(m)
	if err != nil {
		p.Errorf("the peer's %s: %v", m.Cmd(), err)
	}
	return frame
}

// greet sends hello and takes open.
func (p *peer) greet() *wire.Open {
	hello := &wire.Hello{ServerID: p.id.ServerID}
	rand.Read(hello.Nonce[:])
	p.send(p.encode(hello))
	frame := p.take()
	if frame == nil {
		return nil
	}
	m, err := wire.DecodeOpen(frame)
	if err != nil || len(frame) > wire.MaxFirstFrame {
		p.Errorf("open: %v", err)
		return nil
	}
	p.conn = p.keys.Connect(&hello.Nonce, &m.Nonce)
	if !p.conn.CheckRequest(m) || m.Epoch != p.id.Epoch {
		p.Errorf("open is not authentic")
	}
	return m
}

func (p *peer) openOK() *wire.OpenOK {
	return &wire.OpenOK{Role: wire.RoleOutlet, Idle: p.idle, Grace: p.grace, Now: 1700000000000}
}

// open does the whole opening; false if the client has gone.
func (p *peer) open() bool {
	m := p.greet()
	if m == nil {
		return false
	}
	p.reply(m, p.openOK())
	return true
}

// request takes the next request and checks what a server checks.
func (p *peer) request() wire.Request {
	frame := p.take()
	if frame == nil {
		return nil
	}
	m, err := wire.DecodeRequest(frame)
	if err != nil || len(frame) > wire.MaxRequest {
		p.Errorf("request: %v", err)
		return nil
	}
	p.q++
	if h := m.Head(); h.Q != p.q || h.ClientID != p.id.ClientID || h.ServerID != p.id.ServerID {
		p.Errorf("%s has q %d, want %d", m.Cmd(), h.Q, p.q)
	}
	if !p.conn.CheckRequest(m) {
		p.Errorf("%s is not authentic", m.Cmd())
	}
	return m
}

// fill sets a reply's head as it has to be, and counts p on.
func (p *peer) fill(to wire.Request, m wire.Reply) {
	h := m.Head()
	h.P, h.Q, h.ClientID, h.ServerID = p.p, to.Head().Q, p.id.ClientID, p.id.ServerID
	p.p++
}

func (p *peer) sign(to wire.Request, m wire.Reply) []byte {
	p.conn.SignReply(to.Head().AuthCode, m)
	return p.encode(m)
}

func (p *peer) replyFrame(to wire.Request, m wire.Reply) []byte {
	p.fill(to, m)
	return p.sign(to, m)
}

func (p *peer) reply(to wire.Request, m wire.Reply) { p.send(p.replyFrame(to, m)) }
func (p *peer) done(to wire.Request)                { p.reply(to, &wire.Done{To: to.Cmd()}) }

func (p *peer) refuse(to wire.Request, code wire.Code) {
	p.reply(to, &wire.Done{To: to.Cmd(), ReplyHead: wire.ReplyHead{Refused: true, Code: code}})
}

func (p *peer) pushFrame(n uint64, state wire.State) []byte {
	m := &wire.Push{Seckeyid: n, State: state, Reason: wire.ReasonRoutine}
	m.P, m.ClientID, m.ServerID = p.p, p.id.ClientID, p.id.ServerID
	p.p++
	p.conn.SignNotice(m)
	return p.encode(m)
}

func (p *peer) push(n uint64, state wire.State) { p.send(p.pushFrame(n, state)) }

func (p *peer) event(doc string) {
	m := &wire.Event{Doc: []byte(doc)}
	m.P, m.ClientID, m.ServerID = p.p, p.id.ClientID, p.id.ServerID
	p.p++
	p.conn.SignNotice(m)
	p.send(p.encode(m))
}

// agree does the server's part of a negotiate.
func (p *peer) agree(m *wire.Negotiate, n, lifetime uint64) (*wire.NegotiateOK, *kex.Held) {
	r, err := kex.Respond(rand.Reader, m)
	if err != nil {
		p.Errorf("the client's share: %v", err)
		return nil, nil
	}
	ok := &wire.NegotiateOK{}
	agreed := r.Agree(p.conn, m, n, lifetime, ok)
	return ok, &agreed.Held
}

// run starts the script of a peer and returns its client's session.
func run(t *testing.T, o Options, script func(*peer)) (*Session, error) {
	t.Helper()
	p := newPeer(t)
	go script(p)
	s, err := Open(t.Context(), p.link, longTerm(), o)
	if err == nil {
		t.Cleanup(s.Close)
	}
	return s, err
}

func mustRun(t *testing.T, o Options, script func(*peer)) *Session {
	t.Helper()
	s, err := run(t, o, script)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// obliging answers every request as a server that knows no keys.
func obliging(p *peer) {
	if !p.open() {
		return
	}
	for m := p.request(); m != nil; m = p.request() {
		switch m := m.(type) {
		case *wire.Negotiate:
			ok, held := p.agree(m, p.q, 3600)
			held.Zero()
			p.reply(m, ok)
		case *wire.View:
			doc, _, _ := wire.EncodePage(nil)
			p.reply(m, &wire.ViewOK{Doc: doc})
		case *wire.Administer:
			p.reply(m, &wire.AdministerOK{Doc: m.Doc})
		case *wire.Verify:
			p.refuse(m, wire.CodeNoKey)
		default:
			p.done(m)
		}
	}
}

func until(t *testing.T, s *Session) error {
	t.Helper()
	select {
	case <-s.Done():
		return s.Err()
	case <-time.After(time.Hour * 25):
		t.Fatal("the session goes on")
		return nil
	}
}

// quickest is how long something takes, the least of a few times if it takes
// longer than it should: the machine may stand still meanwhile.
func quickest(limit time.Duration, run func() time.Duration) time.Duration {
	least := run()
	for n := 0; n < 4 && least > limit; n++ {
		least = min(least, run())
	}
	return least
}

// closesSoon negotiates so many keys over a real connection, closes it, and
// holds how long that takes against closeWait.
func closesSoon(t *testing.T, keys uint64, dial func() Transport) {
	t.Helper()
	took := quickest(closeWait, func() time.Duration {
		s, err := Open(t.Context(), dial(), longTerm(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range keys {
			fresh, err := s.Negotiate(t.Context(), i)
			if err != nil || fresh.Seckeyid != i+1 {
				t.Fatalf("key %d: %v", i+1, err)
			}
			fresh.Held.Zero()
		}
		begin := time.Now()
		s.Close()
		return time.Since(begin)
	})
	if took > closeWait {
		t.Errorf("closing took %v", took)
	}
}

package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// peer is a client made by hand, that can send what hufu never would.
type peer struct {
	t      testing.TB
	conn   *websocket.Conn
	tap    *tap
	token  wire.Token
	hello  *wire.Hello
	keys   *kex.Conn
	q, p   uint64
	pushes []*wire.Push
}

// dial connects with a token and takes the server's hello.
func (s *site) dial(t testing.TB, token *wire.Token) *peer {
	t.Helper()
	p := &peer{t: t, tap: &tap{}, token: *token}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, address)
		p.tap.Conn = c
		return p.tap, err
	}}
	var err error
	p.conn, _, err = websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.url, "http")+wire.Path, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{wire.Subprotocol}})
	must(t, err)
	t.Cleanup(func() { p.conn.CloseNow() })
	p.conn.SetReadLimit(wire.MaxServerFrame)
	p.hello, err = wire.DecodeHello(p.read())
	must(t, err)
	return p
}

// opened connects and opens.
func (s *site) opened(t testing.TB, token *wire.Token) *peer {
	t.Helper()
	p := s.dial(t, token)
	p.send(p.open())
	p.accepted()
	return p
}

// open is the frame by which the token opens, and derives the connection's keys.
func (p *peer) open() []byte {
	m := &wire.Open{RequestHead: wire.RequestHead{ClientID: p.token.ClientID, ServerID: p.token.ServerID}, Epoch: p.token.Epoch}
	rand.Read(m.Nonce[:])
	lt := kex.Derive(&p.token.Secret, kex.Identity{ClientID: p.token.ClientID, ServerID: p.token.ServerID, Epoch: p.token.Epoch})
	p.keys = lt.Connect(&p.hello.Nonce, &m.Nonce)
	p.keys.SignRequest(m)
	return p.encode(m)
}

// accepted takes open ok.
func (p *peer) accepted() {
	p.t.Helper()
	if _, err := wire.DecodeOpenReply(p.read()); err != nil {
		p.t.Fatalf("open: %v", err)
	}
	p.p = 1
}

// next is the frame of the next request, numbered and signed.
func (p *peer) next(m wire.Request) []byte {
	p.q++
	return p.numbered(p.q, m)
}

// numbered is the frame of a request with a number of one's own choice.
func (p *peer) numbered(q uint64, m wire.Request) []byte {
	h := m.Head()
	h.Q, h.ClientID, h.ServerID = q, p.token.ClientID, p.token.ServerID
	p.keys.SignRequest(m)
	return p.encode(m)
}

func (p *peer) encode(m wire.Message) []byte {
	p.t.Helper()
	b, err := wire.Encode(m)
	must(p.t, err)
	return b
}

func (p *peer) send(frame []byte) { p.sendAs(websocket.MessageBinary, frame) }

func (p *peer) sendAs(kind websocket.MessageType, frame []byte) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	must(p.t, p.conn.Write(ctx, kind, frame))
}

// read reads one message, which has to come.
func (p *peer) read() []byte {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	_, frame, err := p.conn.Read(ctx)
	must(p.t, err)
	return frame
}

// do makes a request and returns its authentic reply. Pushes that come before
// are kept.
func (p *peer) do(m wire.Request) wire.Reply {
	p.t.Helper()
	p.send(p.next(m))
	for {
		switch r := p.take().(type) {
		case *wire.Push:
			p.pushes = append(p.pushes, r)
		case wire.Reply:
			if !p.keys.CheckReply(m.Head().AuthCode, r) {
				p.t.Fatal("a reply is not authentic")
			}
			return r
		}
	}
}

// push waits for a push.
func (p *peer) push() *wire.Push {
	p.t.Helper()
	m := p.take()
	push, ok := m.(*wire.Push)
	if !ok {
		p.t.Fatalf("in place of a push came %v", m)
	}
	return push
}

func (p *peer) take() wire.Message {
	p.t.Helper()
	m, err := wire.DecodeServer(p.read())
	must(p.t, err)
	var number uint64
	switch m := m.(type) {
	case wire.Reply:
		number = m.Head().P
	case wire.Notice:
		number = m.Head().P
		if !p.keys.CheckNotice(m) {
			p.t.Fatal("a push is not authentic")
		}
	}
	if number != p.p {
		p.t.Fatalf("message %d came as number %d", p.p, number)
	}
	p.p++
	return m
}

// code makes a request that is refused, or not, and returns how.
func (p *peer) code(m wire.Request) wire.Code { return p.do(m).Head().Code }

// negotiate agrees a key.
func (p *peer) negotiate() (seckeyid uint64, held *kex.Held) {
	p.t.Helper()
	n, held, code := p.tryNegotiate()
	if code != wire.CodeOK {
		p.t.Fatalf("negotiate: %v", code)
	}
	return n, held
}

func (p *peer) tryNegotiate() (seckeyid uint64, held *kex.Held, code wire.Code) {
	p.t.Helper()
	i, err := kex.NewInitiator(rand.Reader)
	must(p.t, err)
	m := &wire.Negotiate{}
	i.Offer(m)
	r := p.do(m)
	ok, is := r.(*wire.NegotiateOK)
	if !is {
		return 0, nil, r.Head().Code
	}
	agreed, err := i.Accept(p.keys, ok.Q, ok)
	must(p.t, err)
	return ok.Seckeyid, &agreed.Held, wire.CodeOK
}

// verify makes a verify, as it would be the next request.
func (p *peer) verify(seckeyid uint64, held *kex.Held) *wire.Verify {
	return &wire.Verify{Seckeyid: seckeyid, Confirm: held.ProveClient(p.keys, p.q+1, seckeyid)}
}

// key agrees a key and verifies it.
func (p *peer) key() uint64 {
	p.t.Helper()
	n, code := p.tryKey()
	if code != wire.CodeOK {
		p.t.Fatalf("a key: %v", code)
	}
	return n
}

func (p *peer) tryKey() (seckeyid uint64, code wire.Code) {
	p.t.Helper()
	n, held, code := p.tryNegotiate()
	if code != wire.CodeOK {
		return 0, code
	}
	return n, p.code(p.verify(n, held))
}

// end reads until the server closes: what came before, and the close code; 0
// if there was none.
func (p *peer) end() (frames [][]byte, code int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		_, frame, err := p.conn.Read(ctx)
		if err == nil {
			frames = append(frames, frame)
			continue
		}
		var closed websocket.CloseError
		if errors.As(err, &closed) {
			return frames, int(closed.Code)
		}
		return frames, 0
	}
}

// close closes in order.
func (p *peer) close() { p.conn.Close(websocket.StatusNormalClosure, "") }

// tap keeps the bytes that a connection receives.
type tap struct {
	net.Conn
	mu       sync.Mutex
	received []byte
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.received = append(c.received, b[:n]...)
	return n, err
}

// bytes is what was received so far.
func (c *tap) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.received)
}

// after is what was received beyond n bytes.
func (c *tap) after(n int) []byte { return bytes.Clone(c.bytes()[n:]) }

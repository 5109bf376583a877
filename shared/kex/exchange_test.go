package kex

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"hufu/shared/wire"
)

// pair is both ends of one connection in memory.
type pair struct {
	client, server *Conn
	id             Identity
	q, p           uint64
}

func newSecret(t *testing.T) *wire.Secret {
	t.Helper()
	s := &wire.Secret{}
	if _, err := rand.Read(s[:]); err != nil {
		t.Fatal(err)
	}
	return s
}

func connect(t *testing.T, secret *wire.Secret, id Identity) *pair {
	t.Helper()
	var hello wire.Hello
	var open wire.Open
	rand.Read(hello.Nonce[:])
	rand.Read(open.Nonce[:])
	return &pair{client: Derive(secret, id).Connect(&hello.Nonce, &open.Nonce), server: Derive(secret, id).Connect(&hello.Nonce, &open.Nonce), id: id}
}

var someone = Identity{ClientID: "o-01", ServerID: "centre", Epoch: 1}

func (p *pair) request() wire.RequestHead {
	p.q++
	return wire.RequestHead{Q: p.q, ClientID: p.id.ClientID, ServerID: p.id.ServerID}
}

func (p *pair) reply(q uint64) wire.ReplyHead {
	p.p++
	return wire.ReplyHead{P: p.p, Q: q, ClientID: p.id.ClientID, ServerID: p.id.ServerID}
}

// negotiate runs the exchange and returns what either end holds.
func (p *pair) negotiate(t *testing.T, seckeyid uint64) (client, server *Agreed) {
	t.Helper()
	i, err := NewInitiator(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ask := &wire.Negotiate{RequestHead: p.request()}
	i.Offer(ask)
	p.client.SignRequest(ask)
	ask = over(t, ask).(*wire.Negotiate)
	if !p.server.CheckRequest(ask) {
		t.Fatal("the request is not authentic")
	}
	r, err := Respond(rand.Reader, ask)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Zero()
	ok := &wire.NegotiateOK{ReplyHead: p.reply(ask.Q)}
	server = r.Agree(p.server, ask, seckeyid, 3600, ok)
	p.server.SignReply(ask.AuthCode, ok)
	ok = over(t, ok).(*wire.NegotiateOK)
	if !p.client.CheckReply(ask.AuthCode, ok) {
		t.Fatal("the reply is not authentic")
	}
	if client, err = i.Accept(p.client, ask.Q, ok); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// over sends a message through its bytes.
func over(t *testing.T, m wire.Message) wire.Message {
	t.Helper()
	b, err := wire.Encode(m)
	if err != nil {
		t.Fatal(err)
	}
	place := "server"
	if _, ok := m.(wire.Request); ok {
		place = "request"
	}
	got, err := decodeAt(place, b)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestExchange is a whole connection: negotiate, verify both ways, seal.
func TestExchange(t *testing.T) {
	p := connect(t, newSecret(t), someone)
	client, server := p.negotiate(t, 9)
	if !client.Key.Equal(&server.Key) || client.Key.Fingerprint() != server.Key.Fingerprint() || !bytes.Equal(client.Held.Bytes(), server.Held.Bytes()) {
		t.Fatal("the two ends hold different keys")
	}
	ask := &wire.Verify{RequestHead: p.request(), Seckeyid: 9}
	ask.Confirm = client.ProveClient(p.client, ask.Q, 9)
	p.client.SignRequest(ask)
	ask = over(t, ask).(*wire.Verify)
	if !p.server.CheckRequest(ask) || !server.CheckClient(p.server, ask.Q, 9, ask.Confirm) {
		t.Fatal("the client's proof")
	}
	ok := &wire.VerifyOK{ReplyHead: p.reply(ask.Q), State: wire.StateActive, Confirm: server.ProveServer(p.server, ask.Q, 9, ask.Confirm)}
	p.server.SignReply(ask.AuthCode, ok)
	ok = over(t, ok).(*wire.VerifyOK)
	if !p.client.CheckReply(ask.AuthCode, ok) || !client.CheckServer(p.client, ask.Q, 9, ask.Confirm, ok.Confirm) {
		t.Fatal("the server's proof")
	}
	sealed := server.Seal.SealToken(p.server, &[12]byte{1}, []byte("token"), 7, ask.AuthCode)
	if got, err := client.Seal.OpenToken(p.client, sealed, 7, ask.AuthCode); err != nil || string(got) != "token" {
		t.Fatal(err)
	}
}

// TestKeysDiffer shows that no two exchanges, connections, identities, numbers
// or lifetimes share a key.
func TestKeysDiffer(t *testing.T) {
	secret, seen := newSecret(t), map[wire.Fingerprint]string{}
	add := func(name string, a *Agreed) {
		t.Helper()
		for _, b := range []*secretBytes{&a.Key.secretBytes, &a.Confirm.client, &a.Confirm.server, &a.Seal.secretBytes} {
			k := NewKey(&b.b)
			fp := k.Fingerprint()
			if seen[fp] != "" {
				t.Errorf("%s has a key of %s", name, seen[fp])
			}
			seen[fp] = name
		}
	}
	p := connect(t, secret, someone)
	first, _ := p.negotiate(t, 1)
	add("the first", first)
	second, _ := p.negotiate(t, 2)
	add("the second", second)

	// The same draws under one thing changed at a time.
	v := readVectors(t)
	agree := func(secret *wire.Secret, id Identity, q, seckeyid, lifetime uint64, ns [32]byte) *Agreed {
		c := Derive(secret, id).Connect(&ns, &[32]byte{2})
		var offer wire.Negotiate
		v.initiator(t).Offer(&offer)
		offer.Q = q
		r, err := v.respond(t, &offer)
		if err != nil {
			t.Fatal(err)
		}
		return r.Agree(c, &offer, seckeyid, lifetime, &wire.NegotiateOK{})
	}
	add("base", agree(secret, someone, 1, 1, 60, [32]byte{}))
	add("another secret", agree(newSecret(t), someone, 1, 1, 60, [32]byte{}))
	add("another client", agree(secret, Identity{"o-02", "centre", 1}, 1, 1, 60, [32]byte{}))
	add("another server", agree(secret, Identity{"o-01", "centrf", 1}, 1, 1, 60, [32]byte{}))
	add("another epoch", agree(secret, Identity{"o-01", "centre", 2}, 1, 1, 60, [32]byte{}))
	add("ids exchanged", agree(secret, Identity{"centre", "o-01", 1}, 1, 1, 60, [32]byte{}))
	add("ids split otherwise", agree(secret, Identity{"o-01c", "entre", 1}, 1, 1, 60, [32]byte{}))
	add("another q", agree(secret, someone, 2, 1, 60, [32]byte{}))
	add("another number", agree(secret, someone, 1, 2, 60, [32]byte{}))
	add("another lifetime", agree(secret, someone, 1, 1, 61, [32]byte{}))
	add("another connection", agree(secret, someone, 1, 1, 60, [32]byte{1}))
}

// TestAgreeAgain shows that a repeated transaction may give another number.
func TestAgreeAgain(t *testing.T) {
	p := connect(t, newSecret(t), someone)
	i, _ := NewInitiator(rand.Reader)
	ask := &wire.Negotiate{RequestHead: p.request()}
	i.Offer(ask)
	r, err := Respond(rand.Reader, ask)
	if err != nil {
		t.Fatal(err)
	}
	ok := &wire.NegotiateOK{}
	first := r.Agree(p.server, ask, 5, 60, ok)
	second := r.Agree(p.server, ask, 6, 60, ok)
	if first.Key.Equal(&second.Key) {
		t.Error("two numbers, one key")
	}
	a, err := i.Accept(p.client, ask.Q, ok)
	if err != nil || !a.Key.Equal(&second.Key) {
		t.Errorf("the client did not get the last one: %v", err)
	}
	r.Zero()
	if !bytes.Equal(r.z, make([]byte, 64)) {
		t.Error("Z is still there")
	}
}

// TestAcceptNotices changes everything that the client derives from.
func TestAcceptNotices(t *testing.T) {
	v := readVectors(t)
	good := func() *wire.NegotiateOK {
		m, err := wire.DecodeServer(v.message(t, "negotiate ok").Frame)
		if err != nil {
			t.Fatal(err)
		}
		return m.(*wire.NegotiateOK)
	}
	if _, err := v.initiator(t).Accept(v.conn(), 1, good()); err != nil {
		t.Fatal(err)
	}
	other := func(change func(*Identity)) *Conn {
		id := v.conn().Identity()
		change(&id)
		secret := wire.Secret(v.Inputs.Secret)
		return Derive(&secret, id).Connect((*[32]byte)(v.Inputs.NS), (*[32]byte)(v.Inputs.NC))
	}
	for name, c := range map[string]struct {
		conn   *Conn
		q      uint64
		change func(*wire.NegotiateOK)
	}{
		"another q":                 {v.conn(), 2, nil},
		"another number":            {v.conn(), 1, func(m *wire.NegotiateOK) { m.Seckeyid++ }},
		"another lifetime":          {v.conn(), 1, func(m *wire.NegotiateOK) { m.Lifetime++ }},
		"another r2":                {v.conn(), 1, func(m *wire.NegotiateOK) { m.R2[31] ^= 1 }},
		"another ciphertext":        {v.conn(), 1, func(m *wire.NegotiateOK) { m.Share[0] ^= 1 }},
		"another point":             {v.conn(), 1, func(m *wire.NegotiateOK) { m.Share[wire.SizeCiphertext] ^= 1 }},
		"the point's ignored bit":   {v.conn(), 1, func(m *wire.NegotiateOK) { m.Share[wire.SizeShareS-1] ^= 0x80 }},
		"another confirm":           {v.conn(), 1, func(m *wire.NegotiateOK) { m.Confirm[31] ^= 1 }},
		"another client":            {other(func(id *Identity) { id.ClientID = "op-2" }), 1, nil},
		"another server":            {other(func(id *Identity) { id.ServerID = "other" }), 1, nil},
		"another epoch":             {other(func(id *Identity) { id.Epoch++ }), 1, nil},
		"another connection's th0":  {v.longTerm().Connect((*[32]byte)(v.Inputs.NC), (*[32]byte)(v.Inputs.NS)), 1, nil},
		"a low point of the server": {v.conn(), 1, func(m *wire.NegotiateOK) { clear(m.Share[wire.SizeCiphertext:]) }},
	} {
		ok := good()
		if c.change != nil {
			c.change(ok)
		}
		a, err := v.initiator(t).Accept(c.conn, c.q, ok)
		want := ErrConfirm
		if name == "a low point of the server" {
			want = ErrShare
		}
		if a != nil || !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := good()
	other2, err := NewInitiator(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other2.Accept(v.conn(), 1, m); !errors.Is(err, ErrConfirm) {
		t.Errorf("the reply to another's offer: %v", err)
	}
}

// TestEveryBit flips every bit of every authenticated frame: it is refused as
// malformed, or it is not authentic.
func TestEveryBit(t *testing.T) {
	v := readVectors(t)
	c := v.conn()
	for _, f := range v.Messages {
		if f.AuthCode == nil {
			continue
		}
		var request wire.MAC
		if f.Answers != "" {
			request = wire.MAC(v.message(t, f.Answers).AuthCode)
		}
		taken := 0
		for i := range 8 * len(f.Frame) {
			frame := bytes.Clone(f.Frame)
			frame[i/8] ^= 1 << (i % 8)
			m, err := decodeAt(f.Place, frame)
			if err != nil {
				continue
			}
			taken++
			authentic := false
			switch m := m.(type) {
			case *wire.Open:
				authentic = v.authentic(m, nil)
			case wire.Request:
				authentic = c.CheckRequest(m)
			case wire.Reply:
				authentic = c.CheckReply(request, m)
			case wire.Notice:
				authentic = c.CheckNotice(m)
			}
			if authentic {
				t.Errorf("%s: bit %d of %x was flipped and nobody noticed", f.Name, i, f.Frame)
			}
		}
		if taken < 64 {
			t.Errorf("%s: only %d changed frames were well-formed", f.Name, taken)
		}
		if f.Answers == "" {
			continue
		}
		m, err := decodeAt(f.Place, f.Frame)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 * len(request) {
			asked := request
			asked[i/8] ^= 1 << (i % 8)
			if c.CheckReply(asked, m.(wire.Reply)) {
				t.Errorf("%s answers another request", f.Name)
			}
		}
	}
}

// TestReplay offers old messages to new requests and new connections.
func TestReplay(t *testing.T) {
	secret := newSecret(t)
	p := connect(t, secret, someone)
	ping := func() *wire.Ping {
		m := &wire.Ping{RequestHead: p.request()}
		p.client.SignRequest(m)
		return m
	}
	first := ping()
	pong := &wire.Done{To: wire.CmdPing, ReplyHead: p.reply(first.Q)}
	p.server.SignReply(first.AuthCode, pong)
	if !p.client.CheckReply(first.AuthCode, pong) {
		t.Fatal("the reply to its own request")
	}
	second := ping()
	if p.client.CheckReply(second.AuthCode, pong) {
		t.Error("an old reply answers a new request")
	}
	pong.Q = second.Q
	if p.client.CheckReply(second.AuthCode, pong) {
		t.Error("an old reply, numbered anew, answers a new request")
	}

	push := &wire.Push{NoticeHead: wire.NoticeHead{P: 5, ClientID: "o-01", ServerID: "centre"}, Seckeyid: 1, State: wire.StateRevoked}
	p.server.SignNotice(push)
	if !p.client.CheckNotice(push) {
		t.Fatal("a push")
	}
	push.P = 6
	if p.client.CheckNotice(push) {
		t.Error("an old push under a new number")
	}

	for name, other := range map[string]*pair{
		"another connection": connect(t, secret, someone),
		"another epoch":      connect(t, secret, Identity{"o-01", "centre", 2}),
		"another secret":     connect(t, newSecret(t), someone),
	} {
		push.P = 5
		if other.server.CheckRequest(first) || other.client.CheckNotice(push) || other.client.CheckReply(first.AuthCode, pong) {
			t.Errorf("%s takes the first one's messages", name)
		}
	}
}

// TestReflection shows that no message serves in the other direction.
func TestReflection(t *testing.T) {
	p := connect(t, newSecret(t), someone)
	m := &wire.Verify{RequestHead: p.request(), Seckeyid: 1}
	p.client.SignRequest(m)
	if p.client.c2s.b == p.client.s2c.b {
		t.Fatal("one key for both directions")
	}
	if got := mac(&p.server.s2c, wire.RequestInput(p.server.th0[:], m)); wire.MAC(got) == m.AuthCode {
		t.Error("a request under the server's key")
	}
}

// TestVerifyNotices changes everything that the proofs cover.
func TestVerifyNotices(t *testing.T) {
	p := connect(t, newSecret(t), someone)
	client, server := p.negotiate(t, 9)
	other := connect(t, newSecret(t), someone)
	proof := client.ProveClient(p.client, 2, 9)
	answer := server.ProveServer(p.server, 2, 9, proof)
	if !server.CheckClient(p.server, 2, 9, proof) || !client.CheckServer(p.client, 2, 9, proof, answer) {
		t.Fatal("the proofs")
	}
	damaged, _ := ParseHeld(client.Held.Bytes())
	damaged.Key.b[31] ^= 1
	turned := client.Held
	turned.Confirm.client, turned.Confirm.server = client.Confirm.server, client.Confirm.client
	wrong := proof
	wrong[0] ^= 1
	for name, ok := range map[string]bool{
		"a damaged key":          server.CheckClient(p.server, 2, 9, damaged.ProveClient(p.client, 2, 9)),
		"exchanged confirm keys": server.CheckClient(p.server, 2, 9, turned.ProveClient(p.client, 2, 9)),
		"another q":              server.CheckClient(p.server, 3, 9, proof),
		"another number":         server.CheckClient(p.server, 2, 8, proof),
		"another connection":     server.CheckClient(other.server, 2, 9, proof),
		"the server's as own":    server.CheckClient(p.server, 2, 9, answer),
		"the client's as answer": client.CheckServer(p.client, 2, 9, proof, proof),
		"an answer to another":   client.CheckServer(p.client, 2, 9, wrong, answer),
		"an answer of another q": client.CheckServer(p.client, 3, 9, proof, answer),
		"an answer elsewhere":    client.CheckServer(other.client, 2, 9, proof, answer),
		"a damaged key's answer": damaged.CheckServer(p.client, 2, 9, proof, answer),
	} {
		if ok {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestSealNotices(t *testing.T) {
	p := connect(t, newSecret(t), someone)
	client, server := p.negotiate(t, 9)
	next, _ := p.negotiate(t, 10)
	other := connect(t, newSecret(t), someone)
	request := wire.MAC{1}
	sealed := server.Seal.SealToken(p.server, &[12]byte{7}, []byte("token"), 4, request)
	for i := range 8 * len(sealed) {
		b := bytes.Clone(sealed)
		b[i/8] ^= 1 << (i % 8)
		if _, err := client.Seal.OpenToken(p.client, b, 4, request); !errors.Is(err, ErrSealed) {
			t.Fatalf("bit %d: %v", i, err)
		}
	}
	for n := range sealed {
		if got, err := client.Seal.OpenToken(p.client, sealed[:n], 4, request); got != nil || !errors.Is(err, ErrSealed) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	for name, open := range map[string]func() ([]byte, error){
		"another p":          func() ([]byte, error) { return client.Seal.OpenToken(p.client, sealed, 5, request) },
		"another request":    func() ([]byte, error) { return client.Seal.OpenToken(p.client, sealed, 4, wire.MAC{2}) },
		"another connection": func() ([]byte, error) { return client.Seal.OpenToken(other.client, sealed, 4, request) },
		"another key":        func() ([]byte, error) { return next.Seal.OpenToken(p.client, sealed, 4, request) },
	} {
		if got, err := open(); got != nil || !errors.Is(err, ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRandomness shows that a source that fails or ends is an error, at
// whatever byte, and that nothing else is drawn.
func TestRandomness(t *testing.T) {
	broken := errors.New("no entropy")
	for n := range 128 {
		i, err := NewInitiator(io.MultiReader(bytes.NewReader(make([]byte, n)), iotest.ErrReader(broken)))
		if i != nil || !errors.Is(err, broken) {
			t.Errorf("an initiator from %d bytes: %v", n, err)
		}
		if i, err := NewInitiator(bytes.NewReader(make([]byte, n))); i != nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("an initiator from %d bytes: %v", n, err)
		}
	}
	source := bytes.NewReader(make([]byte, 500))
	i, err := NewInitiator(iotest.OneByteReader(source))
	if err != nil || source.Len() != 500-128 {
		t.Fatalf("%d bytes were drawn, %v", 500-source.Len(), err)
	}
	var m wire.Negotiate
	i.Offer(&m)
	for n := range 64 {
		r, err := Respond(io.MultiReader(bytes.NewReader(make([]byte, n)), iotest.ErrReader(broken)), &m)
		if r != nil || !errors.Is(err, broken) {
			t.Errorf("a response from %d bytes: %v", n, err)
		}
	}
	source = bytes.NewReader(make([]byte, 500))
	if _, err := Respond(source, &m); err != nil || source.Len() != 500-64 {
		t.Errorf("%d bytes were drawn, %v", 500-source.Len(), err)
	}
}

func TestHeld(t *testing.T) {
	b := make([]byte, HeldSize)
	for i := range b {
		b[i] = byte(i)
	}
	h, err := ParseHeld(b)
	if err != nil || !bytes.Equal(h.Bytes(), b) || !bytes.Equal(h.Key.Bytes()[:], b[:32]) {
		t.Fatal(err)
	}
	confirm := h.Confirm.Bytes()
	if !bytes.Equal(confirm[:], b[32:]) {
		t.Error(hex.EncodeToString(confirm[:]))
	}
	for _, n := range []int{0, 32, 95, 97} {
		if h, err := ParseHeld(make([]byte, n)); h != nil || err == nil {
			t.Errorf("%d bytes were taken", n)
		}
	}
	same, other := NewKey((*[32]byte)(b)), NewKey(&[32]byte{1})
	if !h.Key.Equal(&same) || h.Key.Equal(&other) {
		t.Error("Equal")
	}
}

// TestZero shows that each Zero leaves nothing of what it is for.
func TestZero(t *testing.T) {
	l := Derive(newSecret(t), someone)
	c := l.Connect(&[32]byte{}, &[32]byte{})
	p := &pair{client: c, server: l.Connect(&[32]byte{}, &[32]byte{}), id: someone}
	a, _ := p.negotiate(t, 1)
	l.Zero()
	c.Zero()
	a.Zero()
	for name, b := range map[string][keySize]byte{"k_auth": l.auth.b, "k_mix": l.mix.b, "k_c2s": c.c2s.b, "k_s2c": c.s2c.b, "k_mix of the connection": c.mix.b,
		"key": a.Key.b, "k_cc": a.Confirm.client.b, "k_sc": a.Confirm.server.b, "k_seal": a.Seal.b} {
		if b != [keySize]byte{} {
			t.Errorf("%s is still there", name)
		}
	}
}

package kex

import (
	"crypto/hmac"
	"crypto/sha256"

	"hufu/shared/wire"
)

// Identity is who shares the secret: one client, one server, one epoch.
type Identity struct {
	ClientID, ServerID string
	Epoch              uint64
}

// LongTerm is what both ends derive from the secret of one epoch: k_auth and
// k_mix. A client keeps these two, not the secret, while it means to reconnect.
type LongTerm struct {
	hidden
	id        Identity
	auth, mix secretBytes
}

// Derive is the beginning of the key schedule (§4). The secret may be wiped afterwards.
func Derive(secret *wire.Secret, id Identity) *LongTerm {
	prk0 := extract([]byte("hufu1 enrol"), secret[:])
	defer clear(prk0)
	return &LongTerm{
		id:   id,
		auth: expand(prk0, id.label("hufu1 auth")),
		mix:  expand(prk0, id.label("hufu1 mix")),
	}
}

func (id *Identity) label(label string) *wire.E {
	return wire.NewE(label).Text(id.ClientID).Text(id.ServerID).Uint(id.Epoch)
}

// Identity tells whose the keys are.
func (l *LongTerm) Identity() Identity { return l.id }

// Zero wipes both keys.
func (l *LongTerm) Zero() {
	l.auth.Zero()
	l.mix.Zero()
}

// Conn is the key schedule's state of one connection. It is used by one
// goroutine at a time.
type Conn struct {
	hidden
	id       Identity
	th0      [sha256.Size]byte
	c2s, s2c secretBytes
	mix      secretBytes
}

// Connect derives a connection's keys from the nonces of hello and open.
func (l *LongTerm) Connect(serverNonce, clientNonce *[wire.SizeNonce]byte) *Conn {
	c := &Conn{id: l.id, mix: l.mix}
	c.th0 = sha256.Sum256(wire.NewE("hufu1 conn").Uint(wire.Version).Text(l.id.ServerID).Text(l.id.ClientID).
		Uint(l.id.Epoch).Bytes(serverNonce[:]).Bytes(clientNonce[:]).Sum())
	c.c2s = expand(l.auth.b[:], wire.NewE("hufu1 c2s").Bytes(c.th0[:]))
	c.s2c = expand(l.auth.b[:], wire.NewE("hufu1 s2c").Bytes(c.th0[:]))
	return c
}

// Identity tells who is connected.
func (c *Conn) Identity() Identity { return c.id }

// Zero wipes the connection's keys.
func (c *Conn) Zero() {
	c.c2s.Zero()
	c.s2c.Zero()
	c.mix.Zero()
}

// SignRequest sets the authCode of a request (§5). All other fields are set before.
func (c *Conn) SignRequest(m wire.Request) {
	m.Head().AuthCode = mac(&c.c2s, wire.RequestInput(c.th0[:], m))
}

// CheckRequest reports, in constant time, whether a request is authentic.
func (c *Conn) CheckRequest(m wire.Request) bool {
	return equal(m.Head().AuthCode, mac(&c.c2s, wire.RequestInput(c.th0[:], m)))
}

// SignReply sets the authCode of the reply to the request with authCode request.
func (c *Conn) SignReply(request wire.MAC, m wire.Reply) {
	m.Head().AuthCode = mac(&c.s2c, wire.ReplyInput(c.th0[:], request, m))
}

// CheckReply reports, in constant time, whether a reply is authentic and answers that request.
func (c *Conn) CheckReply(request wire.MAC, m wire.Reply) bool {
	return equal(m.Head().AuthCode, mac(&c.s2c, wire.ReplyInput(c.th0[:], request, m)))
}

// SignNotice sets the authCode of a push or event.
func (c *Conn) SignNotice(m wire.Notice) {
	m.Head().AuthCode = mac(&c.s2c, wire.NoticeInput(c.th0[:], m))
}

// CheckNotice reports, in constant time, whether a push or event is authentic.
func (c *Conn) CheckNotice(m wire.Notice) bool {
	return equal(m.Head().AuthCode, mac(&c.s2c, wire.NoticeInput(c.th0[:], m)))
}

func equal(a wire.MAC, b [wire.SizeMAC]byte) bool { return hmac.Equal(a[:], b[:]) }

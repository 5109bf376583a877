package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/server/keyservice"
	"hufu/server/session"
	"hufu/shared/wire"
)

// spoiled is a frame that is refused before anything in it counts.
type spoiled struct {
	name  string
	frame []byte
}

// spoil makes, of a good frame, those that no strict decoder takes. The good
// frame is a map of few entries whose last is authCode.
func spoil(good []byte) []spoiled {
	entries := good[0] & 0x0f
	with := func(n int, rest ...[]byte) []byte {
		return append([]byte{0x80 | entries + byte(n)}, bytes.Join(rest, nil)...)
	}
	body := good[1:]
	last := len(body) - len("\xa8authCode\xd9\x40") - 64
	all := []spoiled{
		{"nothing", nil},
		{"a byte behind", append(bytes.Clone(good), 0)},
		{"another frame behind", append(bytes.Clone(good), good...)},
		{"a field twice", with(1, body, []byte("\xa8authCode\xd9\x40"), bytes.Repeat([]byte("0"), 64))},
		{"cmdType twice", with(1, body, []byte("\xa7cmdType\x05"))},
		{"an unknown field", with(1, body, []byte("\xa1z\x00"))},
		{"a field of 17", append([]byte("\xde\x00\x11"), bytes.Repeat([]byte("\xa1a\x00"), 17)...)},
		{"authCode missing", with(-1, body[:last])},
		{"authCode as bytes", with(0, body[:last], []byte("\xa8authCode\xc4\x40"), body[len(body)-64:])},
		{"authCode in capitals", with(0, body[:len(body)-64], bytes.ToUpper(body[len(body)-64:]))},
		{"authCode short", with(0, body[:last], []byte("\xa8authCode\xd9\x3f"), body[len(body)-63:])},
		{"a map of 4 G", []byte("\xdf\xff\xff\xff\xff")},
		{"a string of 4 G", []byte("\x81\xdb\xff\xff\xff\xff")},
		{"bytes of 4 G", append(with(1, body), "\xa1z\xc6\xff\xff\xff\xff"...)},
		{"an array", []byte("\x91\x01")},
		{"nil", []byte("\xc0")},
		{"text", []byte("GET / HTTP/1.1\r\n\r\n")},
	}
	for n := range good {
		all = append(all, spoiled{fmt.Sprintf("cut to %d bytes", n), good[:n]})
	}
	return all
}

// TestSpoiledRequests: a frame that fails in steps 1 to 5 of §6 closes with
// 1008 and is not answered, and nothing has happened.
func TestSpoiledRequests(t *testing.T) {
	c := newCentre(t, session.Limits{PerClient: 1000}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	witness := c.connect(t, token)
	n := witness.active()
	before := c.history(t)

	type attack struct {
		name string
		make func(p *peer) (websocket.MessageType, []byte)
	}
	binary := func(frame []byte) (websocket.MessageType, []byte) { return websocket.MessageBinary, frame }
	var attacks []attack
	for i, s := range spoil(witness.sign(&wire.Revoke{Seckeyid: n})) {
		attacks = append(attacks, attack{s.name, func(p *peer) (websocket.MessageType, []byte) {
			return binary(spoil(p.sign(&wire.Revoke{Seckeyid: n}))[i].frame)
		}})
	}
	witness.q-- // what was signed was not sent
	signed := func(name string, change func(p *peer, m *wire.Revoke)) {
		attacks = append(attacks, attack{name, func(p *peer) (websocket.MessageType, []byte) {
			m := &wire.Revoke{Seckeyid: n}
			p.sign(m)
			change(p, m)
			return binary(p.encode(m))
		}})
	}
	signed("a bit of authCode", func(_ *peer, m *wire.Revoke) { m.AuthCode[31] ^= 1 })
	signed("another number under the same authCode", func(_ *peer, m *wire.Revoke) { m.Seckeyid++ })
	signed("another reason under the same authCode", func(_ *peer, m *wire.Revoke) { m.Reason++ })
	signed("another q under the same authCode", func(_ *peer, m *wire.Revoke) { m.Q++ })
	signed("a skipped q", func(p *peer, m *wire.Revoke) { m.Q++; p.keys.SignRequest(m) })
	signed("another clientId", func(p *peer, m *wire.Revoke) { m.ClientID = "p"; p.keys.SignRequest(m) })
	signed("another serverId", func(p *peer, m *wire.Revoke) { m.ServerID = "p"; p.keys.SignRequest(m) })
	signed("signed on another connection", func(_ *peer, m *wire.Revoke) { witness.keys.SignRequest(m) })
	attacks = append(attacks,
		attack{"a text frame", func(p *peer) (websocket.MessageType, []byte) {
			return websocket.MessageText, p.sign(&wire.Ping{})
		}},
		attack{"2049 bytes", func(p *peer) (websocket.MessageType, []byte) { return binary(make([]byte, wire.MaxRequest+1)) }},
		attack{"1 MB", func(p *peer) (websocket.MessageType, []byte) { return binary(make([]byte, 1<<20)) }},
		attack{"a request that was answered, again", func(p *peer) (websocket.MessageType, []byte) {
			m := &wire.Ping{}
			p.ask(m)
			return binary(p.encode(m))
		}},
		attack{"open again", func(p *peer) (websocket.MessageType, []byte) { return binary(p.encode(p.openMessage())) }},
		attack{"hello", func(p *peer) (websocket.MessageType, []byte) { return binary(p.encode(p.hello)) }},
		attack{"a push", func(p *peer) (websocket.MessageType, []byte) {
			m := &wire.Push{NoticeHead: wire.NoticeHead{P: 1, ClientID: "o", ServerID: serverID}, Seckeyid: n, State: wire.StateRevoked}
			p.keys.SignNotice(m)
			return binary(p.encode(m))
		}},
		attack{"a reply", func(p *peer) (websocket.MessageType, []byte) {
			m := &wire.Done{To: wire.CmdPing, ReplyHead: wire.ReplyHead{P: 1, Q: 1, ClientID: "o", ServerID: serverID}}
			p.keys.SignReply(p.asked[0], m)
			return binary(p.encode(m))
		}},
		attack{"the failure of open", func(p *peer) (websocket.MessageType, []byte) { return binary(wire.OpenFailure()) }},
	)
	parallel(len(attacks), func(i int) {
		p := c.connect(t, token)
		kind, frame := attacks[i].make(p)
		p.write(kind, frame)
		if frames, code := p.closed(); code != websocket.StatusPolicyViolation || len(frames) != 0 {
			t.Errorf("%s: closed with %d after %d frames", attacks[i].name, code, len(frames))
		}
	})
	if after := c.history(t); after != before {
		t.Errorf("%d changes, and %d before", after, before)
	}
	witness.alive()
	if reply, _ := witness.ask(witness.verifyMessage(n)); reply.Head().Refused {
		t.Errorf("the key, afterwards: %v", reply.Head())
	}
	if got := c.sessions.MACFailures.Load(); got != 5 {
		t.Errorf("%d MAC failures counted, want 5", got)
	}
}

// parallel runs n tests, some at a time.
func parallel(n int, run func(i int)) {
	turns := make(chan struct{}, 24)
	var wg sync.WaitGroup
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			run(i)
		})
	}
	wg.Wait()
}

// TestFailedOpens: whatever is wrong with an open, the peer sees the same
// bytes, no earlier than 50 ms after it arrived, then 1008.
func TestFailedOpens(t *testing.T) {
	c := newCentre(t, session.Limits{PerClient: 1000}, session.Tuning{})
	good, disabled := c.enrol(t, "good", wire.RoleOutlet), c.enrol(t, "disabled", wire.RoleOutlet)
	if err := c.SetDisabled(t.Context(), "disabled", true); err != nil {
		t.Fatal(err)
	}
	unknown, epoch, secret := *good, *good, *good
	unknown.ClientID, epoch.Epoch = "nobody", 2
	secret.Secret[0] ^= 1
	witness := c.connect(t, good)
	before := c.history(t)

	type attack struct {
		name  string
		token *wire.Token
		make  func(p *peer) (websocket.MessageType, []byte)
	}
	opens := func(p *peer) (websocket.MessageType, []byte) {
		return websocket.MessageBinary, p.encode(p.openMessage())
	}
	raw := func(frame []byte) func(*peer) (websocket.MessageType, []byte) {
		return func(*peer) (websocket.MessageType, []byte) { return websocket.MessageBinary, frame }
	}
	changed := func(change func(p *peer, m *wire.Open)) func(p *peer) (websocket.MessageType, []byte) {
		return func(p *peer) (websocket.MessageType, []byte) {
			m := p.openMessage()
			change(p, m)
			return websocket.MessageBinary, p.encode(m)
		}
	}
	attacks := []attack{
		{"an unknown id", &unknown, opens},
		{"a disabled one", disabled, opens},
		{"another epoch", &epoch, opens},
		{"another secret", &secret, opens},
		{"a bit of authCode", good, changed(func(_ *peer, m *wire.Open) { m.AuthCode[0] ^= 1 })},
		{"another nonce", good, changed(func(_ *peer, m *wire.Open) { m.Nonce[0] ^= 1 })},
		{"another serverId", good, changed(func(p *peer, m *wire.Open) { m.ServerID = "other"; p.keys.SignRequest(m) })},
		{"an open of another connection", good, raw(c.dial(t, good).anOpen())},
		{"version 2", good, func(p *peer) (websocket.MessageType, []byte) {
			return websocket.MessageBinary, bytes.Replace(p.encode(p.openMessage()), []byte("version\x01"), []byte("version\x02"), 1)
		}},
		{"a text frame", good, func(p *peer) (websocket.MessageType, []byte) { return websocket.MessageText, p.encode(p.openMessage()) }},
		{"513 bytes", good, raw(make([]byte, wire.MaxFirstFrame+1))},
		{"1 MB", good, raw(make([]byte, 1<<20))},
		{"a ping", good, func(p *peer) (websocket.MessageType, []byte) {
			p.openMessage()
			return websocket.MessageBinary, p.sign(&wire.Ping{})
		}},
		{"hello", good, func(p *peer) (websocket.MessageType, []byte) { return websocket.MessageBinary, p.encode(p.hello) }},
	}
	for i, s := range spoil(c.dial(t, good).anOpen()) {
		attacks = append(attacks, attack{s.name, good, func(p *peer) (websocket.MessageType, []byte) {
			return websocket.MessageBinary, spoil(p.anOpen())[i].frame
		}})
	}
	parallel(len(attacks), func(i int) {
		p := c.dial(t, attacks[i].token)
		kind, frame := attacks[i].make(p)
		began := time.Now()
		p.write(kind, frame)
		answer, err := p.read()
		took := time.Since(began)
		if err != nil || !wire.IsOpenFailure(answer) {
			t.Errorf("%s: answered %x, %v", attacks[i].name, answer, err)
			return
		}
		if took < 50*time.Millisecond {
			t.Errorf("%s: answered after %v", attacks[i].name, took)
		}
		p.closes(websocket.StatusPolicyViolation)
	})
	if after := c.history(t); after != before {
		t.Errorf("%d changes, and %d before", after, before)
	}
	witness.alive()
}

// anOpen is a good open, not sent.
func (p *peer) anOpen() []byte { return p.encode(p.openMessage()) }

// TestFailureQuantum: work that takes longer shows in steps of 50 ms only.
func TestFailureQuantum(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	good := c.enrol(t, "good", wire.RoleOutlet)
	unknown := *good
	unknown.ClientID = "nobody"
	for _, test := range []struct{ work, least time.Duration }{{0, 50}, {30, 50}, {60, 100}, {110, 150}} {
		c.store.set(nil, test.work*time.Millisecond, nil)
		p := c.dial(t, &unknown)
		began := time.Now()
		p.write(websocket.MessageBinary, p.anOpen())
		answer, err := p.read()
		took := time.Since(began)
		if err != nil || !wire.IsOpenFailure(answer) || took < test.least*time.Millisecond {
			t.Errorf("%d ms of work: answered %x after %v, %v; want %d ms or more", test.work, answer, took, err, test.least)
		}
		t.Logf("%d ms of work: answered after %v", test.work, took.Round(time.Millisecond))
	}
}

// TestStoreDown: where S cannot look up, it says so by 1013 alone, for any id.
func TestStoreDown(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	good := c.enrol(t, "good", wire.RoleOutlet)
	unknown, wrong := *good, *good
	unknown.ClientID = "nobody"
	wrong.Secret[0] ^= 1
	c.used(t, good)
	open := c.connect(t, good)
	c.store.set(fmt.Errorf("down: %w", keyservice.ErrBusy), 0, nil)
	for name, token := range map[string]*wire.Token{"known": good, "unknown": &unknown, "wrong secret": &wrong} {
		t.Run(name, func(t *testing.T) {
			p := c.dial(t, token)
			p.write(websocket.MessageBinary, p.anOpen())
			p.closes(websocket.StatusTryAgainLater)
		})
	}
	if reply, _ := open.ask(&wire.Revoke{Seckeyid: 1}); reply.Head().Code != wire.CodeBusy {
		t.Errorf("a request: %v, want error 6", reply.Head())
	}
	c.store.set(errors.New("broken"), 0, nil)
	if reply, _ := open.ask(&wire.Revoke{Seckeyid: 1}); reply.Head().Code != wire.CodeInternal {
		t.Errorf("a request: %v, want error 7", reply.Head())
	}
	c.store.set(nil, 0, nil)
	open.alive()
	c.connect(t, good).alive()
}

// TestOtherSpellings: what msgpack allows and §2 takes is answered: wide
// integers, entries in another order.
func TestOtherSpellings(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	p := c.connect(t, c.enrol(t, "o", wire.RoleOutlet))
	frame := p.sign(&wire.Ping{})
	for old, wide := range map[string]string{
		"cmdType\x05":     "cmdType\xcf\x00\x00\x00\x00\x00\x00\x00\x05",
		"\xa1q\x01":       "\xd9\x01q\xcd\x00\x01",
		"\xa8clientId":    "\xda\x00\x08clientId",
		"\xa6" + serverID: "\xdb\x00\x00\x00\x06" + serverID,
	} {
		if !bytes.Contains(frame, []byte(old)) {
			t.Fatalf("no %q in the frame", old)
		}
		frame = bytes.Replace(frame, []byte(old), []byte(wide), 1)
	}
	code := strings.LastIndex(string(frame), "\xa8authCode")
	frame = append(append([]byte("\xde\x00\x05"), frame[code:]...), frame[1:code]...)
	p.write(websocket.MessageBinary, frame)
	if m, err := p.next(); err != nil || m.(wire.Reply).Head().Refused {
		t.Errorf("%v, %v", m, err)
	}
}

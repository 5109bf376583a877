package client

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// TestOpening has everything that may come instead of an honest opening.
func TestOpening(t *testing.T) {
	other := newPeer(t)
	other.keys = kex.Derive(&wire.Secret{9}, testID)
	for _, c := range []struct {
		name   string
		script func(*peer)
		check  Check
		err    error
		takes  time.Duration
	}{
		{name: "hello never comes", script: func(p *peer) { <-p.gone }, err: ErrSilent, takes: helloWait},
		{name: "hello comes late", script: func(p *peer) {
			time.Sleep(helloWait + time.Millisecond)
			p.send(p.encode(&wire.Hello{ServerID: p.id.ServerID}))
		}, err: ErrSilent, takes: helloWait},
		{name: "open is not answered", script: func(p *peer) { p.greet() }, err: ErrSilent, takes: replyWait},
		{name: "the network takes nothing", script: func(p *peer) {
			p.full = true
			p.send(p.encode(&wire.Hello{ServerID: p.id.ServerID}))
		}, err: ErrSilent, takes: replyWait},
		{name: "forged failure", script: func(p *peer) {
			p.greet()
			p.send(wire.OpenFailure())
		}, err: ErrRefused},
		{name: "failure instead of hello", script: func(p *peer) { p.send(wire.OpenFailure()) }, check: CheckFrame},
		{name: "another server's hello", script: func(p *peer) {
			p.send(p.encode(&wire.Hello{ServerID: "other"}))
		}, check: CheckIDs},
		{name: "oversize hello", script: func(p *peer) { p.send(make([]byte, wire.MaxFirstFrame+1)) }, check: CheckFrame, err: errTooLong},
		{name: "closed", script: func(p *peer) { p.close(1013) }, err: &CloseError{Code: 1013}},
		{name: "another secret", script: func(p *peer) {
			p.keys = other.keys
			hello := &wire.Hello{ServerID: p.id.ServerID}
			p.send(p.encode(hello))
			m, _ := wire.DecodeOpen(p.take())
			p.conn = p.keys.Connect(&hello.Nonce, &m.Nonce)
			p.reply(m, p.openOK())
		}, check: CheckAuth},
		{name: "another connection's open ok", script: func(p *peer) {
			m := p.greet()
			p.conn = p.keys.Connect(&[32]byte{1}, &m.Nonce)
			p.reply(m, p.openOK())
		}, check: CheckAuth},
		{name: "p is not 0", script: func(p *peer) {
			p.p = 1
			p.reply(p.greet(), p.openOK())
		}, check: CheckP},
		{name: "another client's", script: func(p *peer) {
			m, ok := p.greet(), p.openOK()
			p.fill(m, ok)
			ok.ClientID = "outlet-2"
			p.send(p.sign(m, ok))
		}, check: CheckIDs},
		{name: "q is not 0", script: func(p *peer) {
			m, ok := p.greet(), p.openOK()
			p.fill(m, ok)
			ok.Q = 1
			p.send(p.sign(m, ok))
		}, check: CheckQ},
		{name: "another role", script: func(p *peer) {
			ok := p.openOK()
			ok.Role = wire.RoleOperator
			p.reply(p.greet(), ok)
		}, check: CheckRole},
		{name: "a push before open ok", script: func(p *peer) {
			p.greet()
			p.p = 1
			p.push(1, wire.StateRevoked)
		}, check: CheckFrame},
		{name: "its own open sent back", script: func(p *peer) {
			p.send(p.encode(&wire.Hello{ServerID: p.id.ServerID}))
			p.send(p.take())
		}, check: CheckFrame},
		{name: "hello twice", script: func(p *peer) {
			p.send(p.encode(&wire.Hello{ServerID: p.id.ServerID}))
			p.send(p.encode(&wire.Hello{ServerID: p.id.ServerID}))
		}, check: CheckFrame},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				_, err := run(t, Options{Role: wire.RoleOutlet}, c.script)
				if took := time.Since(begin); took != c.takes {
					t.Errorf("it took %v, want %v", took, c.takes)
				}
				var closed *CloseError
				switch {
				case c.check != "":
					wantCheck(t, err, c.check)
					if c.err != nil {
						wantErr(t, err, c.err)
					}
				case errors.As(c.err, &closed):
					if got := new(CloseError); !errors.As(err, &got) || *got != *closed {
						t.Errorf("got %v, want %v", err, closed)
					}
				default:
					wantErr(t, err, c.err)
				}
				time.Sleep(time.Second) // for the script to see the end
			})
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Open(ctx, p.link, longTerm(), Options{})
		wantErr(t, err, context.DeadlineExceeded)
		<-p.gone
	})
}

// TestAttacks has what someone on the way, or a broken server, may send in
// place of the reply to a ping; a second ping is on its way behind it.
func TestAttacks(t *testing.T) {
	var old []byte // a frame of an earlier connection
	for _, c := range []struct {
		name  string
		lie   func(p *peer, m wire.Request)
		check Check
	}{
		{"replayed", func(p *peer, m wire.Request) {
			frame := p.replyFrame(m, &wire.Done{To: m.Cmd()})
			p.send(frame)
			p.request()
			p.send(frame)
		}, CheckP},
		{"replayed with nothing to answer", func(p *peer, m wire.Request) {
			frame := p.replyFrame(m, &wire.Done{To: m.Cmd()})
			p.send(frame)
			p.done(p.request())
			p.send(frame)
		}, CheckQ},
		{"dropped", func(p *peer, m wire.Request) {
			p.replyFrame(m, &wire.Done{To: m.Cmd()})
			p.done(p.request())
		}, CheckP},
		{"swapped", func(p *peer, m wire.Request) {
			first := p.replyFrame(m, &wire.Done{To: m.Cmd()})
			p.done(p.request())
			p.send(first)
		}, CheckP},
		{"a push dropped", func(p *peer, m wire.Request) {
			p.pushFrame(1, wire.StateRevoked)
			p.done(m)
		}, CheckP},
		{"a push replayed", func(p *peer, m wire.Request) {
			frame := p.pushFrame(1, wire.StateRetired)
			p.send(frame)
			p.send(frame)
		}, CheckP},
		{"a push of another connection", func(p *peer, m wire.Request) {
			p.conn = p.keys.Connect(&[32]byte{7}, &[32]byte{8})
			old = p.pushFrame(1, wire.StateRevoked)
			p.send(old)
		}, CheckAuth},
		{"a push for another client", func(p *peer, m wire.Request) {
			p.id.ClientID = "outlet-2"
			p.push(1, wire.StateRevoked)
		}, CheckIDs},
		{"a reply under another's name", func(p *peer, m wire.Request) {
			p.id.ServerID = "other"
			p.done(m)
		}, CheckIDs},
		{"q of the next", func(p *peer, m wire.Request) {
			r := &wire.Done{To: m.Cmd()}
			p.fill(m, r)
			r.Q++
			p.send(p.sign(m, r))
		}, CheckQ},
		{"the answer to another type", func(p *peer, m wire.Request) { p.reply(m, &wire.Done{To: wire.CmdRevoke}) }, CheckCmd},
		{"bound to another request", func(p *peer, m wire.Request) {
			r := &wire.Done{To: m.Cmd()}
			p.fill(m, r)
			p.send(p.sign(&wire.Ping{}, r))
		}, CheckAuth},
		{"a forged refusal", func(p *peer, m wire.Request) {
			r := &wire.Done{To: m.Cmd(), ReplyHead: wire.ReplyHead{Refused: true, Code: wire.CodeRevoked}}
			p.fill(m, r)
			p.send(p.encode(r))
		}, CheckAuth},
		{"its own request sent back", func(p *peer, m wire.Request) { p.send(p.encode(m)) }, CheckFrame},
		{"rubbish", func(p *peer, m wire.Request) { p.send([]byte("GET / HTTP/1.1\r\n")) }, CheckFrame},
		{"nothing", func(p *peer, m wire.Request) { p.send([]byte{}) }, CheckFrame},
		{"an unknown field", func(p *peer, m wire.Request) {
			frame := p.replyFrame(m, &wire.Done{To: m.Cmd()})
			frame[0]++
			p.send(append(frame, 0xa1, 'x', 0x01))
		}, CheckFrame},
		{"the failure of open", func(p *peer, m wire.Request) { p.send(wire.OpenFailure()) }, CheckFrame},
		{"another hello", func(p *peer, m wire.Request) { p.send(p.encode(&wire.Hello{ServerID: "centre"})) }, CheckFrame},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mustRun(t, Options{}, func(p *peer) {
					if p.open() {
						c.lie(p, p.request())
					}
				})
				second := make(chan error)
				go func() {
					synctest.Wait()
					second <- s.Ping(t.Context())
				}()
				first := s.Ping(t.Context())
				<-second
				wantCheck(t, until(t, s), c.check)
				if first != nil {
					wantErr(t, first, ErrLost)
				}
				if !bytes.Equal(connBytes(s), make([]byte, len(connBytes(s)))) {
					t.Error("the connection's keys are not wiped")
				}
			})
		})
	}
}

// connBytes is a MAC under the connection's keys less the same under zero keys.
func connBytes(s *Session) []byte {
	m, zero := &wire.Ping{}, &wire.Ping{}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.SignRequest(m)
	wiped := *s.conn
	wiped.Zero()
	wiped.SignRequest(zero)
	diff := make([]byte, len(m.AuthCode))
	for i := range diff {
		diff[i] = m.AuthCode[i] ^ zero.AuthCode[i]
	}
	return diff
}

// TestBitFlips flips every bit of a reply and of a push, one at a time.
func TestBitFlips(t *testing.T) {
	flip := func(make func(*peer, wire.Request) []byte) {
		size := 1
		for i := 0; i < size; i++ {
			synctest.Test(t, func(t *testing.T) {
				s := mustRun(t, Options{}, func(p *peer) {
					if !p.open() {
						return
					}
					frame := make(p, p.request())
					size = len(frame) * 8
					frame[i/8] ^= 1 << (i % 8)
					p.send(frame)
				})
				if err := s.Ping(t.Context()); err == nil {
					t.Errorf("bit %d does not count", i)
				}
				var e *CheckError
				if err := until(t, s); !errors.As(err, &e) {
					t.Errorf("bit %d: %v", i, err)
				}
			})
		}
	}
	flip(func(p *peer, m wire.Request) []byte { return p.replyFrame(m, &wire.Done{To: m.Cmd()}) })
	flip(func(p *peer, m wire.Request) []byte { return p.pushFrame(77, wire.StateRevoked) })
}

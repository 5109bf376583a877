package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("runtime.handleEvent")) // the runtime's own, in js
}

func wantCheck(t *testing.T, err error, want Check) {
	t.Helper()
	var e *CheckError
	if !errors.As(err, &e) || e.Check != want {
		t.Errorf("got %v, want a failed check of %s", err, want)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func TestOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, obliging)
		if s.Role() != wire.RoleOutlet || s.Idle() != 75*time.Second || s.Grace() != time.Hour || s.Identity() != testID {
			t.Errorf("got role %s, idle %v, grace %v", s.Role(), s.Idle(), s.Grace())
		}
		if got := s.ServerTime().UnixMilli(); got != 1700000000000 {
			t.Errorf("server time %d", got)
		}
		if s.Err() != nil {
			t.Error(s.Err())
		}
		s.Close()
		wantErr(t, s.Err(), ErrClosed)
		wantErr(t, s.Ping(t.Context()), ErrLost)
		s.Close()
	})
}

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

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, func(p *peer) {
			p.open()
			p.request()
			for range 10 { // pushes are no answer
				time.Sleep(2 * time.Second)
				p.push(1, wire.StateRetired)
			}
		})
		begin := time.Now()
		err := s.Ping(t.Context())
		wantErr(t, err, ErrLost)
		wantErr(t, err, ErrSilent)
		if took := time.Since(begin); took != replyWait {
			t.Errorf("the silence was noticed after %v, want %v", took, replyWait)
		}
		time.Sleep(time.Minute)
	})
}

// TestOldestCounts: answers to later requests cannot come first, and a request
// that was answered no longer counts.
func TestOldestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, func(p *peer) {
			p.open()
			for m := p.request(); m != nil; m = p.request() {
				time.Sleep(9 * time.Second)
				p.done(m)
			}
		})
		for range 3 {
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		go s.Ping(t.Context())
		synctest.Wait()
		err := s.Ping(t.Context()) // waits 18 s, but is 15 s old before
		wantErr(t, err, ErrSilent)
		if took := time.Since(begin); took != replyWait {
			t.Errorf("noticed after %v", took)
		}
		time.Sleep(time.Minute)
	})
}

func TestWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		go p.open()
		s, err := Open(t.Context(), p.link, longTerm(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p.full = true
		begin := time.Now()
		wantErr(t, s.Ping(t.Context()), ErrSilent)
		if took := time.Since(begin); took != writeWait {
			t.Errorf("noticed after %v, want %v", took, writeWait)
		}
	})
}

// TestPings: idle/3 after the client's own last request, whatever it receives.
func TestPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begin := time.Now()
		s := mustRun(t, Options{}, func(p *peer) {
			p.idle = 90
			p.open()
			for m := p.request(); m != nil; m = p.request() {
				at = append(at, time.Since(begin))
				p.done(m)
				p.push(1, wire.StateRetired)
			}
		})
		time.Sleep(40 * time.Second)
		if err := s.Revoke(t.Context(), 1, wire.ReasonRoutine); err != nil {
			t.Fatal(err)
		}
		time.Sleep(65 * time.Second)
		s.Close()
		synctest.Wait()
		want := []time.Duration{30 * time.Second, 40 * time.Second, 70 * time.Second, 100 * time.Second}
		if fmt.Sprint(at) != fmt.Sprint(want) {
			t.Errorf("requests at %v, want %v", at, want)
		}
		time.Sleep(time.Minute)
	})
}

func TestAge(t *testing.T) {
	for _, c := range []struct {
		jitter float64
		want   time.Duration
	}{{0, 24 * time.Hour}, {0.5, 24 * time.Hour * 95 / 100}, {0.999999, 21*time.Hour + 36*time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			s := mustRun(t, Options{Jitter: func() float64 { return c.jitter }}, obliging)
			begin := time.Now()
			wantErr(t, until(t, s), ErrAged)
			if took := time.Since(begin).Round(time.Second); took != c.want.Round(time.Second) {
				t.Errorf("it lived %v, want %v", took, c.want)
			}
			s.Close()
			synctest.Wait()
		})
	}
}

func TestPipelined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		s := mustRun(t, Options{}, func(p *peer) {
			p.open()
			var all []wire.Request
			for range n {
				all = append(all, p.request())
			}
			for i, m := range all {
				if a, ok := m.(*wire.Administer); ok {
					p.reply(m, &wire.AdministerOK{Doc: a.Doc})
				} else if i%3 == 0 {
					p.push(uint64(i+1), wire.StateExpired)
					p.refuse(m, wire.CodeBusy)
				} else {
					p.done(m)
				}
			}
		})
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				if i%2 == 0 {
					doc := []byte(fmt.Sprint(i))
					a, err := s.Administer(t.Context(), doc)
					if err != nil || !bytes.Equal(a.Doc, doc) {
						t.Errorf("administer %d: %v", i, err)
					}
				} else if err := s.Ping(t.Context()); err != nil && err != error(wire.CodeBusy) {
					t.Errorf("ping %d: %v", i, err)
				}
			})
		}
		group.Wait()
		if s.Err() != nil {
			t.Error(s.Err())
		}
	})
}

// TestContextEnds: the reply that nobody waits for is consumed in its turn.
func TestContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, func(p *peer) {
			p.open()
			m := p.request()
			time.Sleep(3 * time.Second)
			ok, held := p.agree(m.(*wire.Negotiate), 5, 3600)
			held.Zero()
			p.reply(m, ok)
			p.done(p.request())
			again := p.request().(*wire.Negotiate)
			ok, held = p.agree(again, 5, 3600) // was accepted on this connection
			held.Zero()
			p.reply(again, ok)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Negotiate(ctx, 0)
		wantErr(t, err, context.DeadlineExceeded)
		wantErr(t, s.Ping(ctx), context.DeadlineExceeded) // sends nothing
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = s.Negotiate(t.Context(), 0)
		wantErr(t, err, ErrLost)
		wantCheck(t, err, CheckNumber)
	})
}

// TestDropped: a reply for nobody is undone, one for somebody is not.
func TestDropped(t *testing.T) {
	for _, left := range []bool{true, false} {
		dropped := false
		c := &call{left: left, done: make(chan struct{}), drop: func() { dropped = true }}
		c.finish(nil)
		if dropped != left {
			t.Errorf("left %v: dropped %v", left, dropped)
		}
	}
}

// TestLastMessage: what came before the server's close is told.
func TestLastMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []uint64
		s := mustRun(t, Options{OnPush: func(s *Session, m *wire.Push) {
			time.Sleep(time.Second)
			told = append(told, m.Seckeyid)
			wantErr(t, s.Receipt(t.Context(), m.Seckeyid, m.State), ErrLost)
		}}, func(p *peer) {
			p.open()
			p.push(8, wire.StateRevoked)
			p.push(9, wire.StateRevoked)
			p.close(4001)
		})
		var closed *CloseError
		if err := until(t, s); !errors.As(err, &closed) || closed.Code != 4001 {
			t.Errorf("ended with %v", err)
		}
		s.Close()
		if fmt.Sprint(told) != "[8 9]" {
			t.Errorf("told of %v", told)
		}
	})
}

// TestSlowHandler: a handler that waits for ever holds nothing up but itself,
// until there is too much for it.
func TestSlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		s := mustRun(t, Options{OnEvent: func(*Session, *wire.Event) { <-hold }}, func(p *peer) {
			p.open()
			p.event("first")
			p.done(p.request())
			doc := string(make([]byte, wire.MaxDocReply))
			for range maxNotices/wire.MaxDocReply + 1 {
				p.event(doc)
			}
		})
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		wantErr(t, until(t, s), ErrOverflow)
		close(hold)
	})
}

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		s := mustRun(t, Options{Trace: func(e TraceEvent) {
			line := fmt.Sprintf("%v %s", e.Sent, e.Cmd)
			for _, f := range e.Fields {
				if f.Value == "" {
					line += fmt.Sprintf(" %s(%d)", f.Name, f.Size)
				} else {
					line += " " + f.Name
				}
			}
			lines = append(lines, line)
		}}, obliging)
		fresh, err := s.Negotiate(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		s.Verify(t.Context(), 1, fresh.Held)
		s.Close()
		for i, want := range []string{
			"false hello serverId nonce",
			"true open q clientId serverId epoch nonce authCode(32)",
			"false open p q error role idle grace now authCode(32)",
			"true negotiate q r1 share authCode(32)",
			"false negotiate p q error seckeyid r2 share lifetime confirm(32) authCode(32)",
			"true verify q seckeyid confirm(32) authCode(32)",
			"false verify p q error authCode(32)",
		} {
			if i >= len(lines) || lines[i] != want {
				t.Errorf("line %d: got %q, want %q", i, lines[min(i, len(lines)-1)], want)
			}
		}
	})
}

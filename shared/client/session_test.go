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

package session_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/server/session"
	"hufu/shared/wire"
)

// TestPushes: who hears of a change, and when.
func TestPushes(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	token, other := c.enrol(t, "o", wire.RoleOutlet), c.enrol(t, "p", wire.RoleOutlet)
	a, b, stranger := c.connect(t, token), c.connect(t, token), c.connect(t, other)

	first := a.active()
	second := a.negotiate()
	reply, early := a.ask(a.verifyMessage(second))
	if reply.Head().Refused || len(early) != 0 {
		t.Errorf("verify: %v, after %d pushes of its own doing", reply.Head(), len(early))
	}
	want := wire.Push{Seckeyid: first, State: wire.StateRetired, Reason: wire.ReasonSuperseded}
	for _, p := range []*peer{a, b} { // the one that caused it hears of it too, after its reply
		if got := *p.pushed(); !same(got, want) {
			t.Errorf("%v %v %v, want %v", got.Seckeyid, got.State, got.Reason, want)
		}
	}
	if err := c.RevokeKey(t.Context(), "o", second, 200, ""); err != nil {
		t.Fatal(err)
	}
	want = wire.Push{Seckeyid: second, State: wire.StateRevoked, Reason: 200}
	for _, p := range []*peer{a, b} {
		if got := *p.pushed(); !same(got, want) {
			t.Errorf("%v %v %v, want %v", got.Seckeyid, got.State, got.Reason, want)
		}
	}
	for _, p := range []*peer{a, b, stranger} {
		if pushes := p.alive(); len(pushes) != 0 {
			t.Errorf("%d more pushes", len(pushes))
		}
	}
}

func same(a, b wire.Push) bool {
	return a.Seckeyid == b.Seckeyid && a.State == b.State && a.Reason == b.Reason
}

// TestUnreceiptedAfterOpen: the revoked numbers without a receipt, 64 of them
// and the newest first, come right after open ok and before any other reply.
func TestUnreceiptedAfterOpen(t *testing.T) {
	c := newCentre(t, session.Limits{NegotiateBurst: 100}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	p := c.connect(t, token)
	const revoked = 66
	for i := range uint64(revoked) {
		n := p.negotiate()
		if reply, _ := p.ask(&wire.Revoke{Seckeyid: n, Reason: wire.Reason(i)}); reply.Head().Refused {
			t.Fatal(reply.Head())
		}
	}
	// Else the last of them is told to who comes now as well.
	waitFor(t, "all to be told", func() bool { p.alive(); return p.told == revoked })
	if reply, _ := p.ask(&wire.Receipt{Seckeyid: revoked - 1, State: wire.StateRevoked}); reply.Head().Refused {
		t.Fatal(reply.Head())
	}
	again := c.dial(t, token)
	again.write(websocket.MessageBinary, again.anOpen())
	again.send(&wire.Ping{}) // pipelined
	again.opened()
	var got []uint64
	for {
		m, err := again.next()
		if err != nil {
			t.Fatal(err)
		}
		push, is := m.(*wire.Push)
		if !is {
			break
		}
		if push.State != wire.StateRevoked || uint64(push.Reason) != push.Seckeyid-1 {
			t.Errorf("%d: %v, reason %v", push.Seckeyid, push.State, push.Reason)
		}
		got = append(got, push.Seckeyid)
	}
	var want []uint64
	for n := uint64(revoked); len(want) < 64; n-- {
		if n != revoked-1 {
			want = append(want, n)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pushed %v, want %v", got, want)
	}
}

// TestNoPushBeforeOpenOK: what happens while a client opens waits for open ok.
func TestNoPushBeforeOpenOK(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	c.used(t, token)
	p := c.connect(t, token)
	n, m := p.active(), p.negotiate()
	c.store.set(nil, 300*time.Millisecond, nil) // the look-up takes its time
	late := c.dial(t, token)
	late.write(websocket.MessageBinary, late.anOpen())
	time.Sleep(100 * time.Millisecond)
	for _, n := range []uint64{n, m} {
		if err := c.RevokeKey(t.Context(), "o", n, 2, ""); err != nil {
			t.Fatal(err)
		}
	}
	late.opened()
	told := map[uint64]bool{}
	for len(told) < 2 {
		told[late.pushed().Seckeyid] = true
	}
	if !told[n] || !told[m] {
		t.Errorf("told of %v", told)
	}
}

// TestStorm: many changes at once, by requests on several connections and from
// elsewhere. Every connection is told of all of them, p without a gap.
func TestStorm(t *testing.T) {
	c := newCentre(t, session.Limits{NegotiateBurst: 1000}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	const connections, rounds = 3, 25
	var (
		mu      sync.Mutex
		revoked = map[uint64]bool{}
		wg      sync.WaitGroup
		told    [connections]map[uint64]wire.State
		done    = make(chan struct{})
	)
	peers := make([]*peer, connections)
	for i := range peers {
		peers[i], told[i] = c.connect(t, token), map[uint64]wire.State{}
	}
	for i, p := range peers {
		wg.Go(func() {
			hear := func(pushes []*wire.Push) {
				for _, push := range pushes {
					if push.State < told[i][push.Seckeyid] {
						t.Errorf("key %d is told %v after %v", push.Seckeyid, push.State, told[i][push.Seckeyid])
					}
					told[i][push.Seckeyid] = push.State
				}
			}
			for range rounds {
				reply, pushes := p.ask(p.offer())
				hear(pushes)
				ok, is := reply.(*wire.NegotiateOK)
				if !is {
					t.Errorf("negotiate: %v", reply.Head())
					return
				}
				wg.Go(func() { // from elsewhere
					if c.RevokeKey(t.Context(), "o", ok.Seckeyid, 1, "") == nil {
						mu.Lock()
						defer mu.Unlock()
						revoked[ok.Seckeyid] = true
					}
				})
				_, pushes = p.ask(&wire.Revoke{Seckeyid: ok.Seckeyid})
				hear(pushes)
			}
			<-done
			for waiting := true; waiting; {
				hear(p.alive())
				mu.Lock()
				waiting = false
				for n := range revoked {
					waiting = waiting || told[i][n] != wire.StateRevoked
				}
				mu.Unlock()
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	go func() {
		defer close(done)
		time.Sleep(500 * time.Millisecond)
	}()
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(3 * patience):
		t.Fatal("a connection was not told of everything")
	}
	t.Logf("%d keys revoked", len(revoked))
}

// TestGoneAmidPushes: clients vanish, misbehave and leave while pushes go out
// to them; the one that stays hears of all, in order.
func TestGoneAmidPushes(t *testing.T) {
	// Those who went are counted until their ends are noticed: nobody is one too many.
	c := newCentre(t, session.Limits{NegotiateBurst: 1000, PerClient: 1000}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	steady := c.connect(t, token)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				p, err := c.tryDial(t, token, nil)
				if err != nil {
					t.Error(err)
					return
				}
				p.open()
				time.Sleep(time.Duration(n%7) * time.Millisecond)
				switch n % 3 {
				case 0:
					p.ws.CloseNow()
				case 1:
					p.write(websocket.MessageText, []byte("x"))
					p.ws.CloseNow()
				case 2:
					p.ws.Close(websocket.StatusNormalClosure, "")
				}
			}
		})
	}
	for range 40 {
		n := steady.negotiate()
		if reply, _ := steady.ask(&wire.Revoke{Seckeyid: n}); reply.Head().Refused {
			t.Fatal(reply.Head())
		}
		if reply, _ := steady.ask(&wire.Receipt{Seckeyid: n, State: wire.StateRevoked}); reply.Head().Refused {
			t.Fatal(reply.Head())
		}
	}
	close(stop)
	wg.Wait()
	steady.alive()
}

// TestSlowReader: who does not read is closed when too many pushes wait, and
// nobody else waits for him.
func TestSlowReader(t *testing.T) {
	c := newCentre(t, session.Limits{NegotiateBurst: 1000}, session.Tuning{Pushes: 64, Write: 5 * time.Minute}) // enough for one that reads
	token := c.enrol(t, "o", wire.RoleOutlet)
	p := c.connect(t, token)
	for range 60 { // a history whose page fills the socket
		p.negotiate()
	}
	slow := must(c.tryDial(t, token, &websocket.DialOptions{HTTPClient: narrow()}))(t)
	slow.open()
	const asked = 200
	for range asked {
		slow.send(&wire.View{Limit: 500})
	}
	time.Sleep(300 * time.Millisecond) // nothing is read: the server gets stuck
	for range 80 {
		n := p.negotiate()
		if reply, _ := p.ask(&wire.Revoke{Seckeyid: n}); reply.Head().Refused {
			t.Fatal(reply.Head())
		}
	}
	frames, code := slow.closed()
	if code != websocket.StatusPolicyViolation || len(frames) >= asked {
		t.Errorf("the slow one got %d of %d replies, then close %d", len(frames), asked, code)
	}
	for {
		if pushes := p.alive(); len(pushes) == 0 {
			break
		}
	}
}

// TestWriteDeadline: who reads nothing at all is cut off.
func TestWriteDeadline(t *testing.T) {
	c := newCentre(t, session.Limits{NegotiateBurst: 1000}, session.Tuning{Write: 3 * time.Second}) // enough for one that reads
	token := c.enrol(t, "o", wire.RoleOutlet)
	p := c.connect(t, token)
	for range 60 {
		p.negotiate()
	}
	slow := must(c.tryDial(t, token, &websocket.DialOptions{HTTPClient: narrow()}))(t)
	slow.open()
	for range 200 {
		slow.send(&wire.View{Limit: 500})
	}
	waitFor(t, "the slow one to be gone", func() bool { return c.sessions.Open() == 1 })
	p.alive()
}

// TestPipelined: requests sent at once, behind open, are answered in order.
func TestPipelined(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	p := c.dial(t, c.enrol(t, "o", wire.RoleOutlet))
	p.write(websocket.MessageBinary, p.anOpen())
	var want []string
	for i := range 20 {
		var m wire.Request
		switch i % 4 {
		case 0:
			m = &wire.Ping{}
		case 1:
			m = &wire.View{Limit: 1}
		case 2:
			m = &wire.Verify{Seckeyid: 1} // an authenticated error leaves the connection open
		case 3:
			m = p.offer()
		}
		p.send(m)
		want = append(want, fmt.Sprint(m.Cmd(), p.q))
	}
	p.opened()
	var got []string
	for len(got) < len(want) {
		m, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		if reply, is := m.(wire.Reply); is {
			got = append(got, fmt.Sprint(reply.Cmd(), reply.Head().Q))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestNegotiationQuota(t *testing.T) {
	c := newCentre(t, session.Limits{NegotiateRate: 0.001}, session.Tuning{})
	token := c.enrol(t, "o", wire.RoleOutlet)
	a, b, other := c.connect(t, token), c.connect(t, token), c.connect(t, c.enrol(t, "p", wire.RoleOutlet))
	for range 5 {
		a.negotiate()
		b.negotiate()
	}
	for _, p := range []*peer{a, b} {
		if reply, _ := p.ask(p.offer()); reply.Head().Code != wire.CodeBusy {
			t.Errorf("the eleventh: %v, want error 6", reply.Head())
		}
		p.alive()
	}
	other.negotiate()
}

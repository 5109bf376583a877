package client

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"hufu/shared/wire"
)

// TestRandomLives runs random histories with lost replies, pushes at any time,
// reconnections and restarts. After each step nothing ended is held and at most
// one key is current; in the end both sides agree.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			l := &lives{outlet: newOutlet(t), rand: rand.New(rand.NewPCG(seed, 0))}
			for range 40 {
				l.step()
				synctest.Wait()
				l.check()
			}
			l.finish()
			if t.Failed() {
				t.Fatalf("seed %d, %d keys", seed, l.last)
			}
		})
	}
}

type lives struct {
	*outlet
	rand *rand.Rand
}

func (l *lives) step() {
	switch l.rand.IntN(9) {
	case 0, 1, 2:
		l.sabotage()
		l.keeper.Negotiate(l.Context(), l.session)
		l.instead(nil)
	case 3:
		time.Sleep(time.Duration(l.rand.IntN(8000)) * time.Millisecond)
	case 4:
		time.Sleep(time.Duration(l.rand.IntN(10)) * time.Minute)
	case 5:
		l.reconnect()
	case 6:
		l.session.Close()
		l.keeper.Close()
		l.restart(l.keeper.o.Clock)
		l.connect()
		l.keeper.Reverify(l.Context(), l.session)
	case 7: // the centre moves one, as if by an operator or another process of the outlet
		l.change(func(p *peer) {
			n := 1 + l.rand.Uint64N(max(1, l.last))
			to := []wire.State{wire.StateRetired, wire.StateExpired, wire.StateRevoked}[l.rand.IntN(3)]
			if k := l.keys[n]; k != nil && k.state < to && (to != wire.StateRetired || k.state == wire.StateActive) {
				l.move(p, n, to)
			}
		})
	case 8:
		if keys, _ := l.keeper.Keys(); len(keys) > 0 {
			l.keeper.Revoke(l.Context(), l.session, keys[l.rand.IntN(len(keys))].Seckeyid, wire.ReasonRoutine)
		}
	}
	if l.session.Err() != nil {
		l.reconnect()
	}
}

func (l *lives) reconnect() {
	l.session.Close()
	l.connect()
	if _, err := l.keeper.Reverify(l.Context(), l.session); err != nil {
		l.Errorf("reverify: %v", err)
	}
}

// sabotage has one request of the next negotiation go wrong.
func (l *lives) sabotage() {
	victim := []wire.Cmd{wire.CmdNegotiate, wire.CmdVerify, wire.CmdPing}[l.rand.IntN(3)]
	how := l.rand.IntN(4)
	l.instead(func(p *peer, m wire.Request) bool {
		if m.Cmd() != victim {
			return false
		}
		switch how {
		case 0: // lost before it was done
			p.close(1006)
			return true
		case 1: // done, and the reply lost
			p.down <- &CloseError{Code: 1006}
			return false
		case 2:
			p.refuse(m, wire.CodeBusy)
			return true
		}
		if v, ok := m.(*wire.Verify); ok { // revoked at the very moment
			l.move(p, v.Seckeyid, wire.StateRevoked)
		}
		return false
	})
}

func (l *lives) check() {
	keys, err := l.keeper.Keys()
	if err != nil {
		l.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	leading := 0
	for _, k := range keys {
		if k.State == wire.StateActive {
			leading++
		}
		if state := l.keys[k.Seckeyid].state; state >= wire.StateExpired {
			l.Errorf("key %d is held as %s, and is %s at the centre", k.Seckeyid, k.State, state)
		}
	}
	if leading > 1 {
		l.Errorf("%d keys are current: %v", leading, keys)
	}
}

// finish has the two sides agree, and pays what is owed.
func (l *lives) finish() {
	l.reconnect()
	time.Sleep(2 * switchDelay)
	synctest.Wait()
	l.check()
	keys, _ := l.keeper.Keys()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range keys {
		if state := l.keys[k.Seckeyid].state; state != k.State {
			l.Errorf("key %d is held as %s, and is %s at the centre", k.Seckeyid, k.State, state)
		}
	}
	for n, state := range l.receipts {
		if l.keys[n].state != state {
			l.Errorf("the receipt of key %d is for %s, it is %s", n, state, l.keys[n].state)
		}
	}
}

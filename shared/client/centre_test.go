package client

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// centre is what a server knows of one client over all connections. It moves
// states as the table of §8 says, without ends.
type centre struct {
	t  *testing.T
	mu sync.Mutex

	keys     map[uint64]*centreKey
	last     uint64
	lifetime uint64
	receipts map[uint64]wire.State
	log      []wire.Cmd
	peers    []*peer

	// before, if not nil, may deal with a request instead; true if it did.
	before func(p *peer, m wire.Request) bool
}

type centreKey struct {
	held  *kex.Held
	state wire.State
}

func newCentre(t *testing.T) *centre {
	return &centre{t: t, keys: map[uint64]*centreKey{}, lifetime: 86400, receipts: map[uint64]wire.State{}}
}

// dial is a Dialer to the centre.
func (c *centre) dial(context.Context, string) (Transport, error) {
	p := newPeer(c.t)
	c.mu.Lock()
	c.peers = append(c.peers, p)
	c.mu.Unlock()
	go c.serve(p)
	return p.link, nil
}

func (c *centre) serve(p *peer) {
	if !p.open() {
		return
	}
	for m := p.request(); m != nil; m = p.request() {
		c.mu.Lock()
		c.log = append(c.log, m.Cmd())
		if c.before == nil || !c.before(p, m) {
			c.answer(p, m)
		}
		c.mu.Unlock()
	}
}

func (c *centre) answer(p *peer, m wire.Request) {
	switch m := m.(type) {
	case *wire.Negotiate:
		c.last++
		ok, held := p.agree(m, c.last, c.lifetime)
		c.keys[c.last] = &centreKey{held, wire.StatePending}
		p.reply(m, ok)
	case *wire.Verify:
		c.verify(p, m)
	case *wire.Revoke:
		k := c.keys[m.Seckeyid]
		if code := refusal(k); code != 0 && code != wire.CodeRevoked {
			p.refuse(m, code)
			return
		}
		p.done(m)
		if k.state != wire.StateRevoked {
			c.move(p, m.Seckeyid, wire.StateRevoked)
		}
	case *wire.Receipt:
		k := c.keys[m.Seckeyid]
		switch {
		case k == nil:
			p.refuse(m, wire.CodeNoKey)
		case k.state != m.State:
			p.refuse(m, wire.CodeBadBody)
		default:
			c.receipts[m.Seckeyid] = m.State
			p.done(m)
		}
	default:
		p.done(m)
	}
}

func (c *centre) verify(p *peer, m *wire.Verify) {
	k := c.keys[m.Seckeyid]
	if code := refusal(k); code != 0 {
		p.refuse(m, code)
		return
	}
	if !k.held.CheckClient(p.conn, m.Q, m.Seckeyid, m.Confirm) {
		p.refuse(m, wire.CodeMismatch)
		if k.state == wire.StatePending {
			k.state = wire.StateExpired
		}
		return
	}
	fresh := k.state == wire.StatePending
	if fresh {
		k.state = wire.StateActive
	}
	p.reply(m, &wire.VerifyOK{Confirm: k.held.ProveServer(p.conn, m.Q, m.Seckeyid, m.Confirm), State: k.state})
	for n, other := range c.keys {
		switch {
		case !fresh || n == m.Seckeyid:
		case other.state == wire.StateActive:
			c.move(p, n, wire.StateRetired)
		case other.state == wire.StatePending && n < m.Seckeyid:
			c.move(p, n, wire.StateExpired)
		}
	}
}

func (c *centre) move(p *peer, n uint64, state wire.State) {
	c.keys[n].state = state
	p.push(n, state)
}

func refusal(k *centreKey) wire.Code {
	switch {
	case k == nil:
		return wire.CodeNoKey
	case k.state == wire.StateExpired:
		return wire.CodeExpired
	case k.state == wire.StateRevoked:
		return wire.CodeRevoked
	}
	return 0
}

// change acts upon the centre between requests, on the latest connection.
func (c *centre) change(f func(p *peer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var p *peer
	if len(c.peers) > 0 {
		p = c.peers[len(c.peers)-1]
	}
	f(p)
}

func (c *centre) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func (c *centre) instead(before func(p *peer, m wire.Request) bool) {
	c.locked(func() { c.before = before })
}

func (c *centre) fingerprint(n uint64) (f wire.Fingerprint) {
	c.locked(func() { f = c.keys[n].held.Key.Fingerprint() })
	return f
}

func (c *centre) asked() []wire.Cmd {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.log
	c.log = nil
	return log
}

// outlet is a keeper over a memory holder, and its centre.
type outlet struct {
	*testing.T
	*centre
	holder  *MemoryHolder
	keeper  *Keeper
	session *Session
	changes []Change
}

func newOutlet(t *testing.T) *outlet {
	o := &outlet{T: t, centre: newCentre(t)}
	clock := ElapsedClock()
	o.holder = NewMemoryHolder(clock)
	o.restart(clock)
	o.connect()
	return o
}

// restart is a new process over the same holder.
func (o *outlet) restart(clock Clock) {
	o.keeper = NewKeeper(o.holder, KeeperOptions{Clock: clock, Notify: func(c Change) { o.changes = append(o.changes, c) }})
	o.Cleanup(o.keeper.Close)
}

func (o *outlet) connect() {
	o.Helper()
	t, _ := o.dial(o.Context(), "")
	s, err := Open(o.Context(), t, longTerm(), o.keeper.Attach(Options{}))
	if err != nil {
		o.Fatal(err)
	}
	o.session = s
	o.Cleanup(s.Close)
}

func (o *outlet) negotiate() Outcome {
	o.Helper()
	out, err := o.keeper.Negotiate(o.Context(), o.session)
	if err != nil {
		o.Fatal(err)
	}
	return out
}

// want compares what is held, newest first, as number, state.
func (o *outlet) want(want ...uint64) {
	o.Helper()
	keys, err := o.keeper.Keys()
	if err != nil {
		o.Fatal(err)
	}
	got := []uint64{}
	for _, k := range keys {
		got = append(got, k.Seckeyid, uint64(k.State))
	}
	if !slices.Equal(got, want) {
		o.Errorf("held are %v, want %v", got, want)
	}
}

func (o *outlet) ends(n uint64) time.Duration {
	keys, _ := o.keeper.Keys()
	if k := find(keys, n); k != nil {
		return k.NotAfter
	}
	return 0
}

func (o *outlet) wantCurrent(n uint64) {
	o.Helper()
	got, held, err := o.holder.Current()
	if n == 0 {
		if !errors.Is(err, ErrNoKey) {
			o.Errorf("key %d is current, %v", got, err)
		}
		return
	}
	if got != n || held.Key.Fingerprint() != o.fingerprint(n) {
		o.Errorf("key %d is current, want %d, the same as at the centre", got, n)
	}
}

func (o *outlet) wantReceipt(n uint64, state wire.State) {
	o.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.receipts[n] != state {
		o.Errorf("the receipt for key %d is %s, want %s", n, o.receipts[n], state)
	}
}

package integration

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// dayOutlet is the other end on a test's own time: the Keeper, a Holder, the
// reconnecting client, and renewals as the agent does them.
type dayOutlet struct {
	t       *testing.T
	centre  *dayCentre
	keys    *kex.LongTerm
	holder  client.Holder
	memory  *client.MemoryHolder
	clock   client.Clock
	delay   time.Duration // of the switch; 0: as the protocol has it
	chance  *rand.Rand    // the agent's
	network *http.Transport
	dialer  client.Dialer
	weather
	hides bool // a key before it is current: without the rule of open-only

	mu      sync.Mutex
	renewal time.Duration // when the newest key is to be followed
	renewed uint64        // which that is
	current map[uint64]time.Time

	process sync.Mutex
	stop    func() // the agent's process; nil: there is none any more
}

func newDayOutlet(t *testing.T, c *dayCentre, token *wire.Token, d day) *dayOutlet {
	o := &dayOutlet{
		t: t, centre: c, clock: client.ElapsedClock(), current: map[uint64]time.Time{}, chance: rand.New(rand.NewPCG(d.seed, 1)),
		keys: kex.Derive(&token.Secret, kex.Identity{ClientID: token.ClientID, ServerID: token.ServerID, Epoch: token.Epoch}),
	}
	o.memory = client.NewMemoryHolder(o.clock)
	o.holder = o.memory
	if d.noGrace {
		o.holder = graceless{o.memory, d.grace}
	}
	o.delay, o.hides = d.switchDelay, d.noOpenOnly
	o.weather = weather{outlet: o, chance: rand.New(rand.NewPCG(d.seed, 2)), mishaps: d.mishaps}
	o.network = &http.Transport{DialContext: c.dial}
	o.dialer = client.DialWith(client.DialOptions{HTTP: &http.Client{Transport: o.network}})
	o.start()
	return o
}

// start starts the agent's process over what its holder has kept. The caller
// has the process to itself.
func (o *dayOutlet) start() {
	keeper := client.NewKeeper(o.holder, client.KeeperOptions{Clock: o.clock, SwitchDelay: o.delay, Notify: o.notify})
	agent := client.Client{
		Addresses: []string{"ws://centre" + wire.Path}, Keys: o.keys, Dial: o.dial,
		Options: keeper.Attach(client.Options{Jitter: o.random}),
		Ready:   func(ctx context.Context, s *client.Session) error { return o.serve(ctx, keeper, s) },
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	o.stop = func() {
		cancel()
		<-stopped
	}
	go func() { // which may come to restart
		defer close(stopped)
		defer keeper.Close()
		agent.Run(ctx)
	}()
}

// restart ends the agent's process and starts it again.
func (o *dayOutlet) restart(in time.Duration) {
	o.centre.after(in, func() {
		o.process.Lock()
		defer o.process.Unlock()
		if o.stop != nil {
			o.stop()
			o.start()
		}
	})
}

// close ends the agent's process for good.
func (o *dayOutlet) close() {
	o.process.Lock()
	defer o.process.Unlock()
	o.stop()
	o.stop = nil
	o.network.CloseIdleConnections()
}

func (o *dayOutlet) random() float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.chance.Float64()
}

func (o *dayOutlet) notify(c client.Change) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch c.Kind {
	case client.KeyCurrent:
		o.current[c.Seckeyid] = time.Now()
	case client.KeeperFailed:
		o.t.Errorf("key %d: %v", c.Seckeyid, c.Err)
	}
}

// serve is one connection of the agent: it verifies what is held, then follows
// every key by another in time. After a refusal it verifies all again.
func (o *dayOutlet) serve(ctx context.Context, keeper *client.Keeper, s *client.Session) error {
	for {
		needed, err := keeper.Reverify(ctx, s)
		if err == nil && !needed && !o.wait(ctx, keeper) {
			return context.Cause(ctx)
		}
		if err == nil {
			o.strike()
			_, err = keeper.Negotiate(ctx, s)
		}
		var code wire.Code
		switch {
		case errors.As(err, &code):
			time.Sleep(time.Duration(o.random() * float64(10*time.Second)))
		case err != nil:
			return err
		}
	}
}

// wait returns when the newest key is to be followed by another.
func (o *dayOutlet) wait(ctx context.Context, keeper *client.Keeper) bool {
	keys, err := keeper.Keys()
	if err != nil {
		o.t.Error(err)
		return false
	}
	select {
	case <-time.After(o.due(keys[0]) - o.clock()):
		return true
	case <-ctx.Done():
		return false
	}
}

// due is when a key is to be followed, the same every time it is asked.
func (o *dayOutlet) due(newest client.HeldKey) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.renewed != newest.Seckeyid {
		o.renewed, o.renewal = newest.Seckeyid, client.Renewal(newest.NotBefore, newest.NotAfter, o.chance.Float64())
	}
	return o.renewal
}

// near reports whether keys have just been or are about to be exchanged.
func (o *dayOutlet) near(before, after time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.clock() > o.renewal-before || o.since() < after
}

// sealing is the key to seal with; 0: none.
func (o *dayOutlet) sealing() (uint64, *kex.Key) {
	n, held, err := o.memory.Current()
	if err != nil {
		return 0, nil
	}
	return n, &held.Key
}

// opening is the key of that number, as applications find it; nil: none.
func (o *dayOutlet) opening(seckeyid uint64) *kex.Key {
	if o.hides && o.isPending(seckeyid) {
		return nil
	}
	held, err := o.holder.Read(seckeyid)
	if err != nil {
		return nil
	}
	return &held.Key
}

func (o *dayOutlet) isPending(seckeyid uint64) bool {
	keys, err := o.holder.Keys()
	if err != nil {
		o.t.Error(err)
	}
	return slices.ContainsFunc(keys, func(k client.HeldKey) bool {
		return k.Seckeyid == seckeyid && k.State == wire.StatePending
	})
}

// graceless is a holder of an outlet that wrongly gives no grace.
type graceless struct {
	client.Holder
	grace time.Duration
}

func (g graceless) Shorten(seckeyid uint64, notAfter time.Duration) error {
	return g.Holder.Shorten(seckeyid, notAfter-g.grace)
}

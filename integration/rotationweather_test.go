package integration

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// weather is what happens on the way between the ends of the accelerated day.
type weather struct {
	outlet *dayOutlet

	mu       sync.Mutex
	chance   *rand.Rand
	mishaps  []mishap // nil: fair
	deck     []mishap // those that are still to come before all come again
	sent     map[wire.Cmd]func()
	came     map[wire.Cmd]func() (lost bool)
	hole     time.Time // until which everything that comes in vanishes
	swallows bool      // one message more, whatever the time
	struck   time.Time
	log      []struck
}

// mishap is one thing that happens once, at or soon after a renewal.
type mishap struct {
	name string
	arm  func(w *weather) // with the weather locked
}

type struck struct {
	at   time.Time
	name string
}

var mishaps = []mishap{
	{"none", func(*weather) {}},
	{"negotiate cut off", func(w *weather) { w.sent[wire.CmdNegotiate] = w.outlet.centre.cut }},
	{"negotiate's reply lost", func(w *weather) { w.came[wire.CmdNegotiate] = w.lose }},
	{"verify cut off", func(w *weather) { w.sent[wire.CmdVerify] = w.outlet.centre.cut }},
	{"verify's reply lost", func(w *weather) { w.came[wire.CmdVerify] = w.lose }},
	{"verify's reply lost, and the server away 15 s", func(w *weather) {
		w.came[wire.CmdVerify] = func() bool {
			w.outlet.centre.away(15 * time.Second)
			return true
		}
	}},
	{"verify's reply lost, and the agent restarted", func(w *weather) {
		w.came[wire.CmdVerify] = func() bool {
			w.outlet.restart(0)
			return w.lose()
		}
	}},
	{"verify's reply swallowed", func(w *weather) { w.came[wire.CmdVerify] = w.swallow(0) }},
	{"verify's reply swallowed, and all else for 30 s", func(w *weather) { w.came[wire.CmdVerify] = w.swallow(30 * time.Second) }},
	{"verify's reply 13 s late", func(w *weather) { w.came[wire.CmdVerify] = late(13 * time.Second) }},
	{"server killed between commit and reply", func(w *weather) { w.outlet.centre.kill() }},
	{"store lost by the commit of verify, for 20 s", func(w *weather) { w.outlet.centre.quiet.breakDown() }},
	{"store away for 20 s", func(w *weather) { w.outlet.centre.quiet.cease() }},
	{"push 12 s late", func(w *weather) { w.came[wire.CmdPush] = late(12 * time.Second) }},
	{"push lost", func(w *weather) { w.came[wire.CmdPush] = w.lose }},
	{"cut off before the switch", func(w *weather) {
		w.came[wire.CmdVerify] = func() bool {
			w.outlet.centre.after(2*time.Second, w.outlet.centre.cut)
			return false
		}
	}},
	{"agent restarted before the switch", func(w *weather) {
		w.came[wire.CmdVerify] = func() bool {
			w.outlet.restart(3 * time.Second)
			return false
		}
	}},
	{"server away over the renewal", func(w *weather) { w.outlet.centre.away(w.outlet.centre.cfg.Lifetime / 12) }},
}

// outages are those after which the client has waited long between its
// attempts, and those after which it must not.
var outages = []mishap{
	{"server away over the renewal", func(w *weather) { w.outlet.centre.away(2 * time.Minute) }},
	{"verify's reply lost, and the server away 15 s", func(w *weather) {
		w.came[wire.CmdVerify] = func() bool {
			w.outlet.centre.away(15 * time.Second)
			return true
		}
	}},
}

// late has a message wait on its way, and all that come behind it.
func late(d time.Duration) func() bool {
	return func() bool {
		time.Sleep(d)
		return false
	}
}

// swallow has a message vanish, and all that come in for a while, though
// connections go on.
func (w *weather) swallow(d time.Duration) func() bool {
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hole, w.swallows = time.Now().Add(d), true
		return true
	}
}

// isSwallowed reports whether what comes in now vanishes.
func (w *weather) isSwallowed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	once := w.swallows
	w.swallows = false
	return once || time.Now().Before(w.hole)
}

func (w *weather) lose() bool {
	w.outlet.centre.cut()
	return true
}

// strike is called before a key is negotiated.
func (w *weather) strike() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.struck = time.Now()
	w.sent, w.came = map[wire.Cmd]func(){}, map[wire.Cmd]func() bool{}
	if len(w.mishaps) == 0 {
		return
	}
	if len(w.deck) == 0 {
		w.deck = append(w.deck, w.mishaps...)
		w.chance.Shuffle(len(w.deck), func(i, j int) { w.deck[i], w.deck[j] = w.deck[j], w.deck[i] })
	}
	m := w.deck[0]
	w.deck = w.deck[1:]
	m.arm(w)
	w.log = append(w.log, struck{w.struck, m.name})
}

func (w *weather) since() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Since(w.struck)
}

// latency is how long a message is on its way.
func (w *weather) latency() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(20+w.chance.IntN(480)) * time.Millisecond
}

// sending has happen what is to, before a request goes out.
func (w *weather) sending(cmd wire.Cmd) {
	w.mu.Lock()
	happen := w.sent[cmd]
	delete(w.sent, cmd)
	w.mu.Unlock()
	if happen != nil {
		happen()
	}
}

// coming has happen what is to, before a message comes in, and reports whether
// it is lost.
func (w *weather) coming(cmd wire.Cmd) (lost bool) {
	w.mu.Lock()
	happen := w.came[cmd]
	delete(w.came, cmd)
	w.mu.Unlock()
	return happen != nil && happen()
}

// exposed is a connection that runs through the weather.
type exposed struct {
	client.Transport
	w *weather
}

func (w *weather) dial(ctx context.Context, url string) (client.Transport, error) {
	t, err := w.outlet.dialer(ctx, url)
	if err != nil {
		return nil, err
	}
	return &exposed{t, w}, nil
}

func (e *exposed) Write(ctx context.Context, frame []byte) error {
	time.Sleep(e.w.latency())
	if m, err := wire.DecodeRequest(frame); err == nil {
		e.w.sending(m.Cmd())
	}
	return e.Transport.Write(ctx, frame)
}

func (e *exposed) Read(ctx context.Context) ([]byte, error) {
	for {
		frame, err := e.Transport.Read(ctx)
		if err != nil {
			return nil, err
		}
		time.Sleep(e.w.latency())
		lost := false
		if m, err := wire.DecodeServer(frame); err == nil {
			lost = e.w.coming(m.Cmd())
		}
		switch {
		case e.w.isSwallowed():
		case lost:
			return nil, &client.CloseError{Code: 1006}
		default:
			return frame, nil
		}
	}
}

package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall/js"
	"time"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// openWithin is how long a request waits for a connection.
const openWithin = 15 * time.Second

// sweepEvery is how often keys are looked at whose end has come.
const sweepEvery = time.Second

// session is one enrolment in use by the page: a connection that is kept up,
// and the keys of this end, in memory.
type session struct {
	object js.Value
	info   record
	id     string // the client's own
	on     struct{ trace, key, status js.Value }

	enrolled *kex.LongTerm
	clock    client.Clock
	holder   *client.MemoryHolder
	keeper   *client.Keeper
	client   client.Client
	proxy    *proxy

	alive context.Context
	end   context.CancelCauseFunc
	ran   chan struct{} // closed when nothing connects any more
	jobs  sync.WaitGroup
	over  chan struct{} // closed when all is wiped

	mu      sync.Mutex
	closing bool
	live    *client.Session // open, its keys verified
	why     error           // why there is none
	changed chan struct{}   // closed and replaced when live or why changes
	shown   map[uint64]bool // the keys that the page knows to be here
	watched *watcher
}

// inspect tells what a token says of itself.
func inspect(a *arguments) job {
	token := a.token(a.at(0))
	return func(context.Context) (any, error) {
		defer token.Secret.Zero()
		return tokenRecord(token), nil
	}
}

func tokenRecord(t *wire.Token) record {
	return record{{"url", t.URL}, {"serverId", t.ServerID}, {"clientId", t.ClientID}, {"role", t.Role}, {"epoch", t.Epoch}}
}

func (a *arguments) token(v js.Value) *wire.Token {
	token, err := wire.DecodeToken(a.text("token", v))
	if err != nil {
		a.fail(err)
		return &wire.Token{}
	}
	return token
}

// connect makes a session and has it connect.
func connect(a *arguments) job {
	options := a.object("options", a.at(0))
	url := property(options, "url")
	s := &session{clock: client.ElapsedClock(), proxy: newProxy(), ran: make(chan struct{}), over: make(chan struct{}),
		changed: make(chan struct{}), shown: map[uint64]bool{}}
	s.on.trace = a.callback("onTrace", property(options, "onTrace"), false)
	s.on.key = a.callback("onKey", property(options, "onKey"), false)
	s.on.status = a.callback("onStatus", property(options, "onStatus"), false)
	token := a.token(property(options, "token"))
	defer token.Secret.Zero()
	address := token.Dial()
	if !url.IsUndefined() {
		address = a.text("url", url)
		if !strings.HasPrefix(address, "ws://") && !strings.HasPrefix(address, "wss://") {
			a.wrong("url is not an address ws:// or wss://")
		}
	}
	if a.err != nil {
		return nil
	}
	s.info, s.id = tokenRecord(token), token.ClientID
	s.enrolled = kex.Derive(&token.Secret, kex.Identity{ClientID: token.ClientID, ServerID: token.ServerID, Epoch: token.Epoch})
	s.prepare(address, token.Role)
	return func(context.Context) (any, error) {
		s.object = sessions.add(s)
		s.tellStatus(record{{"state", "connecting"}})
		go s.run()
		return s.object, nil
	}
}

func (s *session) prepare(address string, role wire.Role) {
	s.holder = client.NewMemoryHolder(s.clock)
	s.keeper = client.NewKeeper(s.holder, client.KeeperOptions{Clock: s.clock, Notify: s.keyChanged})
	options := client.Options{Role: role, Rand: randomness(), OnEvent: s.event}
	if !s.on.trace.IsUndefined() {
		options.Trace = func(e client.TraceEvent) { s.tell(s.on.trace, traceRecord(e)) }
	}
	first := true
	s.client = client.Client{
		Addresses: []string{address}, Keys: s.enrolled, Options: s.keeper.Attach(options), Ready: s.ready, Report: s.report,
		Dial: func(ctx context.Context, url string) (client.Transport, error) {
			if !first {
				s.tellStatus(record{{"state", "connecting"}})
			}
			first = false
			t, err := client.Dial(ctx, url)
			if err != nil {
				return nil, connectError{err}
			}
			return s.proxy.wrap(t), nil
		},
	}
	s.alive, s.end = context.WithCancelCause(context.Background())
}

// run connects until the session is closed, and looks after ends meanwhile.
func (s *session) run() {
	defer close(s.ran)
	var sweeping sync.WaitGroup
	sweeping.Go(s.sweep)
	if err := recovered(func() { _ = s.client.Run(s.alive) }); err != nil {
		s.report(client.Status{Err: err})
		go s.close()
	}
	sweeping.Wait()
}

// ready is called with every new connection.
func (s *session) ready(ctx context.Context, c *client.Session) error {
	_, err := s.keeper.Reverify(ctx, c)
	if c.Err() != nil {
		return err
	}
	if err != nil { // the server would not say now; the keys stay as they are
		s.keyChanged(client.Change{Kind: client.KeeperFailed, Err: err})
	}
	if err := s.watchAgain(ctx, c); err != nil {
		return err
	}
	s.setLive(c, nil)
	s.tellStatus(record{{"state", "open"}, {"clockOff", c.ServerTime().Sub(c.Opened())}})
	return nil
}

// report is told of failures; of success, ready is.
func (s *session) report(status client.Status) {
	if status.Err == nil {
		return
	}
	s.setLive(nil, status.Err)
	s.tell(s.on.status, failed{record{{"state", "waiting"}, {"cause", status.Err.Error()}, {"retryIn", status.Retry}}, status.Err})
}

func (s *session) setLive(c *client.Session, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live, s.why = c, why
	close(s.changed)
	s.changed = make(chan struct{})
}

// await waits for a connection until ctx ends.
func (s *session) await(ctx context.Context) (*client.Session, error) {
	for {
		s.mu.Lock()
		live, changed := s.live, s.changed
		s.mu.Unlock()
		if live != nil && live.Err() == nil {
			return live, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// connection waits for a connection as long as a request may.
func (s *session) connection(ctx context.Context) (*client.Session, error) {
	within, cancel := context.WithTimeoutCause(ctx, openWithin, errNoDial)
	defer cancel()
	c, err := s.await(within)
	if errors.Is(err, errNoDial) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return nil, connectError{errors.Join(err, s.why)}
	}
	return c, err
}

// opened waits for the connection without a limit.
func (s *session) opened(ctx context.Context) (any, error) {
	c, err := s.await(ctx)
	if err != nil {
		return nil, err
	}
	return record{{"role", c.Role()}, {"idle", c.Idle()}, {"grace", c.Grace()}, {"serverTime", c.ServerTime()}}, nil
}

// close ends the connection, waits for what is under way, and wipes all.
func (s *session) close() {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	s.mu.Unlock()
	if !first {
		<-s.over
		return
	}
	defer close(s.over)
	s.end(client.ErrClosed)
	<-s.ran
	s.jobs.Wait()
	s.keeper.Close()
	keys, _ := s.keeper.Keys() // of memory, which does not fail
	for _, key := range keys {
		_ = s.holder.Wipe(key.Seckeyid, wire.StateExpired)
	}
	s.enrolled.Zero()
	sessions.remove(s)
	s.tellStatus(record{{"state", "closed"}})
}

// begin counts a job in, unless the session is closing.
func (s *session) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closing {
		s.jobs.Add(1)
	}
	return !s.closing
}

// failed is a record with what the page may learn of an error.
type failed struct {
	record
	err error
}

// tell calls one of the page's callbacks, if it has given it.
func (s *session) tell(callback js.Value, what any) {
	if callback.IsUndefined() {
		return
	}
	toPage.put(func() {
		f, isFailed := what.(failed)
		if isFailed {
			what = f.record
		}
		argument := toJS(what)
		if isFailed {
			describe(argument, f.err)
		}
		callback.Invoke(argument)
	})
}

func (s *session) tellStatus(status record) { s.tell(s.on.status, status) }

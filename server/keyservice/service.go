package keyservice

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// Config is what an installation decides. Zero values take the defaults of §8.
type Config struct {
	ServerID string
	URL      string // the base address that tokens carry

	Lifetime time.Duration // of a key: 24 h; whole seconds
	Grace    time.Duration // of a retired key: 1 h; whole seconds
	Idle     time.Duration // after which a silent connection is closed: 75 s; whole seconds

	// Publish has the centre's segment of this process follow what was
	// committed of an outlet, and returns when it does. Nil: there is none.
	Publish func(ctx context.Context, outlet string) error

	// Place names where this process serves, as host and address, if that can be
	// known: of those that began before, the ones of the same place are dead.
	Place string

	// Now is the time by which everything is recorded and ends. It must not go
	// back. The default is the machine's.
	Now    func() time.Time
	Random io.Reader
	Log    *slog.Logger
	Meter  Meter // nil: nothing is counted
}

// Sealer seals secrets and keys at rest, bound to associated data.
type Sealer interface {
	Seal(plain, associated []byte) ([]byte, error)
	Open(sealed, associated []byte) ([]byte, error)
	// Stale reports whether a value should be sealed anew.
	Stale(sealed []byte) bool
}

const (
	pendingFor     = 60 * time.Second // how long a key may stay pending
	pendingMax     = 2                // pending keys of one client
	sweepEvery     = time.Second
	followEvery    = 500 * time.Millisecond // besides what Store.Watch wakes for
	gateQueue      = 256                    // asymmetric operations that may wait
	unreceiptedMax = 64

	// readWithin bounds what is read from the store for one answer: it comes
	// before the client gives up (15 s, §6).
	readWithin = 5 * time.Second
)

// Service is the rules over one store. Its methods may be called by many
// goroutines. Run must be running for changes to be made.
type Service struct {
	cfg    Config
	store  Store
	sealer Sealer
	dummy  [32]byte // keys the secrets of those who are not enrolled
	writer *writer
	gate   gate
	hub    hub
	feed   *feed

	tallies  tallies
	presence *presence
	readAt   atomic.Pointer[time.Time] // when the change table was last read to its end
	kick     chan struct{}             // wakes the follower

	following chan struct{} // closed once the follower knows from where it tells
}

// New makes the service of an installation. Call Run.
func New(cfg Config, store Store, sealer Sealer) (*Service, error) {
	cfg.setDefaults()
	s := &Service{
		cfg: cfg, store: store, sealer: sealer,
		writer: newWriter(store, cfg.Meter),
		feed:   newFeed(store),
		gate:   newGate(runtime.GOMAXPROCS(0), gateQueue),
		kick:   make(chan struct{}, 1), following: make(chan struct{}),
	}
	if _, err := io.ReadFull(cfg.Random, s.dummy[:]); err != nil {
		return nil, err
	}
	var err error
	s.presence, err = newPresence(&cfg, store)
	return s, err
}

func (c *Config) setDefaults() {
	if c.Lifetime == 0 {
		c.Lifetime = 24 * time.Hour
	}
	if c.Grace == 0 {
		c.Grace = time.Hour
	}
	if c.Idle == 0 {
		c.Idle = wire.MinIdle * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Meter == nil {
		c.Meter = unmetered{}
	}
}

// Run, which is called once, works until ctx ends: it commits changes, ends
// keys in time, tells of changes and writes down who is connected. Afterwards
// every change is refused.
func (s *Service) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { s.writer.run(ctx) })
	wg.Go(func() { s.sweep(ctx) })
	wg.Go(func() { s.follow(ctx) })
	wg.Go(func() { s.runFeed(ctx) })
	wg.Go(func() { s.presence.run(ctx) })
	wg.Wait()
}

// RunWriter works until ctx ends, committing changes only: for commands that
// stand beside a server, which ends keys and tells of changes itself.
func (s *Service) RunWriter(ctx context.Context) { s.writer.run(ctx) }

// RunFollower works until ctx ends, telling of changes only: for a process
// beside a server that changes nothing.
func (s *Service) RunFollower(ctx context.Context) { s.follow(ctx) }

// ServerID is the installation's identifier.
func (s *Service) ServerID() string { return s.cfg.ServerID }

// Terms is what open ok tells: after how much silence a connection is closed,
// how long a retired key may still open, and the time.
func (s *Service) Terms() (idle, grace time.Duration, now time.Time) {
	return s.cfg.Idle, s.cfg.Grace, s.now()
}

// Ready writes to the store for real.
func (s *Service) Ready(ctx context.Context) error { return s.store.Probe(ctx, s.now()) }

// Peer is a client whose open has been authenticated.
type Peer struct {
	ClientID string
	Role     wire.Role
	Epoch    uint64 // under which it was opened
	Keys     *kex.Conn
	Conn     string // the connection's name in records and logs

	seals   seals
	watcher *Watcher // nil: none
}

func (s *Service) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// change has one Change committed, with the outlet's ends applied before it
// decides, and published where a key has moved on. Errors of decide are
// returned as they are; those of the store become a Code, their detail goes to
// the log.
func (s *Service) change(ctx context.Context, outlet string, seckeyid uint64, decide func(l *Ledger, now time.Time) error) error {
	c := &Change{Outlet: outlet, Seckeyid: seckeyid}
	told, moved := false, false
	c.Decide = func(l *Ledger) error {
		now := s.now()
		applyEnds(l, now)
		err := decide(l, now)
		told, moved = len(l.Writes.Changes) > 0, len(l.Writes.Moves) > 0
		return err
	}
	err := s.writer.commit(ctx, c)
	if err != nil {
		return s.storeError(outlet, err)
	}
	if told {
		s.wakeFollower()
	}
	if moved && c.Err == nil {
		s.publish(ctx, outlet)
	}
	return c.Err
}

// storeError turns a failure of the store into what a peer may know of it.
func (s *Service) storeError(outlet string, err error) error {
	s.cfg.Log.Error("store failed", "outlet", outlet, "error", err)
	s.cfg.Meter.StoreFailed()
	switch {
	case errors.Is(err, ErrInDoubt): // whatever made it so
	case errors.Is(err, ErrBusy), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return wire.CodeBusy
	}
	return wire.CodeInternal
}

func (s *Service) wakeFollower() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

package keyservice

import (
	"cmp"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// PresenceStore is the part of a Store that knows who is connected to which
// server process. It is no history; what begins and ends over all processes is
// written to the change table in the same transaction.
type PresenceStore interface {
	// Beat gives a process another term, and writes it down if it is not there.
	// lapsed says that its term had run out, or that it was not there: what it
	// has told of its connections may have been ended, and is to be told again.
	Beat(ctx context.Context, p Process, term time.Duration) (lapsed bool, err error)
	// Tell records which clients are connected to a process and which are so no
	// more, each at most once. A process that is not known was taken to be dead;
	// nothing is recorded, and it has to Beat first.
	Tell(ctx context.Context, process string, seen []Sight) (known bool, err error)
	// Reap ends up to limit presences with processes whose term has run out, as
	// of their last beat, and returns how many: fewer than limit were all.
	Reap(ctx context.Context, limit int) (int, error)
}

// Process is one that clients connect to.
type Process struct {
	ID     string // 16 hex digits, chosen anew at every start
	Place  string // where it runs, at most 400 bytes; empty: not known
	Begins bool   // those before it at the same place are dead, if that is known
	At     time.Time
}

// Sight is a client that is connected, or is so no more.
type Sight struct {
	Outlet    string
	Connected bool
	At        time.Time
}

const (
	beatEvery   = 5 * time.Second
	processTerm = 15 * time.Second // without a beat a process is dead
	tellEvery   = 500 * time.Millisecond
	tellPage    = 512
	reapPage    = 2000
	// tellWithin bounds one transaction of presence, and what is left to tell when the process stops.
	tellWithin = 5 * time.Second
)

// presence gathers who connects to this process and has it written, by one
// goroutine, after the fact: nobody waits for it.
type presence struct {
	store PresenceStore
	self  Process
	now   func() time.Time
	log   *slog.Logger
	meter Meter

	mu    sync.Mutex
	here  map[string]int       // connections by client
	dirty map[string]time.Time // clients whose state is not written, and since when they are in it
	taken int                  // clients whose state is being written

	failing bool // the last attempt to write failed; the goroutine alone uses it
}

func newPresence(cfg *Config, store Store) (*presence, error) {
	id := make([]byte, 8)
	if _, err := io.ReadFull(cfg.Random, id); err != nil {
		return nil, err
	}
	return &presence{
		store: store, self: Process{ID: hex.EncodeToString(id), Place: cfg.Place, Begins: true}, log: cfg.Log, meter: cfg.Meter,
		now:  func() time.Time { return cfg.Now().UTC().Truncate(time.Millisecond) },
		here: make(map[string]int), dirty: make(map[string]time.Time),
	}, nil
}

// Connected counts one more connection of a client to this process, until gone
// is called, once. It never waits and never fails.
func (s *Service) Connected(clientID string) (gone func()) {
	s.presence.count(clientID, 1)
	return func() { s.presence.count(clientID, -1) }
}

func (p *presence) count(clientID string, by int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.here[clientID]
	after := before + by
	if after == 0 {
		delete(p.here, clientID)
	} else {
		p.here[clientID] = after
	}
	if before == 0 || after == 0 {
		p.dirty[clientID] = p.now()
	}
}

// run beats and writes until ctx ends, then writes what is left.
func (p *presence) run(ctx context.Context) {
	ticker := time.NewTicker(tellEvery)
	defer ticker.Stop()
	var next time.Time // when to beat
	for {
		if !time.Now().Before(next) && p.beat(ctx) {
			next = time.Now().Add(beatEvery)
		}
		if !next.IsZero() && !p.tellAll(ctx, next) {
			next = time.Time{} // the process has to begin anew, or the store is away
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWithin)
			defer cancel()
			p.tellAll(last, time.Now().Add(tellWithin))
			return
		case <-ticker.C:
		}
	}
}

// beat renews the process's term, and ends what the dead have left.
func (p *presence) beat(ctx context.Context) bool {
	lapsed, err := p.renew(ctx)
	if err != nil {
		return p.failed(ctx, err)
	}
	if lapsed {
		p.again()
	}
	for {
		n, err := p.reap(ctx)
		if err != nil {
			return p.failed(ctx, err)
		}
		if n < reapPage {
			return true
		}
	}
}

func (p *presence) renew(ctx context.Context) (lapsed bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	p.self.At = p.now()
	lapsed, err = p.store.Beat(ctx, p.self, processTerm)
	if err == nil {
		p.self.Begins = false
	}
	return lapsed, err
}

func (p *presence) reap(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	return p.store.Reap(ctx, reapPage)
}

// again has everybody who is here told anew.
func (p *presence) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for id := range p.here {
		if _, waits := p.dirty[id]; !waits {
			p.dirty[id] = now
		}
	}
}

// tellAll writes what there is to tell, at least one page of it, until a time.
func (p *presence) tellAll(ctx context.Context, until time.Time) bool {
	for {
		page := p.page()
		if len(page) == 0 {
			return true
		}
		known, err := p.tell(ctx, page)
		written := err == nil && known
		p.done(page, written)
		if !written {
			return p.failed(ctx, err)
		}
		p.failing = false
		if time.Now().After(until) {
			return true
		}
	}
}

func (p *presence) tell(ctx context.Context, page []Sight) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	return p.store.Tell(ctx, p.self.ID, page)
}

// page takes some of what is dirty. Whoever came and went since the last page
// is told of once.
func (p *presence) page() (page []Sight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, at := range p.dirty {
		page = append(page, Sight{Outlet: id, Connected: p.here[id] > 0, At: at})
		delete(p.dirty, id)
		if len(page) == tellPage {
			break
		}
	}
	p.taken = len(page)
	slices.SortFunc(page, func(a, b Sight) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Outlet, b.Outlet)) })
	return page
}

// done ends the writing of a page; one that was not written is dirty again.
func (p *presence) done(page []Sight, written bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken = 0
	if written {
		return
	}
	for _, s := range page {
		if _, newer := p.dirty[s.Outlet]; !newer {
			p.dirty[s.Outlet] = s.At
		}
	}
}

// waiting is how many clients have come or gone of whom it is not yet written.
func (p *presence) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dirty) + p.taken
}

// failed says once that the store does not take it.
func (p *presence) failed(ctx context.Context, err error) bool {
	if err != nil {
		p.meter.StoreFailed()
	}
	if err != nil && !p.failing && ctx.Err() == nil {
		p.log.Warn("who is connected cannot be written; trying again", "error", err)
		p.failing = true
	}
	return false
}

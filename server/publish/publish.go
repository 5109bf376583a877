package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"hufu/server/keyservice"
	"hufu/shm"
)

// Publisher keeps one segment. Call Run.
type Publisher struct {
	service *keyservice.Service
	options shm.Options
	log     *slog.Logger
	marks   *marks
	skew    skew
	stopped chan struct{}

	// The state of the one who works.
	fillDue bool
	touched map[string]bool     // outlets looked at since a fill began; nil: none runs
	ended   []keyservice.KeyRef // wiped, and not yet known how they ended

	room int // how much was said of the room that is left; of the one who wipes ends

	mu     sync.Mutex
	writer *shm.Writer
	gone   bool             // the segment has lost its name
	refill bool             // all ends have to be reckoned again
	failed map[string]error // outlets of which some key does not stand there
}

// RoomError says that the segment is too small for what is usable now.
type RoomError struct{ Capacity, Usable int }

func (e *RoomError) Error() string {
	return fmt.Sprintf("publish: the segment has room for %d keys, and %d are usable now; give it room for %d",
		e.Capacity, e.Usable, e.Advised())
}

// Advised is the capacity with which look-ups stay short.
func (e *RoomError) Advised() int { return 2 * e.Usable }

// errStopped answers those who wait when the publisher stops.
var errStopped = errors.New("publish: stopping")

const (
	batch      = 256              // outlets looked at in one query
	firstPause = time.Second / 4  // after a failure, doubled each time
	longPause  = 10 * time.Second // at most; a mark ends it
	retryEvery = 10 * time.Second // what had no room, or did not open
	fillEvery  = time.Hour        // all is held against the store, for what nobody told of
)

// Open takes the segment that o names, and makes it where it is not there. A
// *RoomError says that it would be too small.
func Open(ctx context.Context, service *keyservice.Service, o shm.Options, log *slog.Logger) (*Publisher, error) {
	usable, err := service.CountUsable(ctx)
	if err != nil {
		return nil, err
	}
	if o.Capacity > 0 && o.Capacity < usable {
		return nil, &RoomError{o.Capacity, usable}
	}
	w, err := openSegment(o, log)
	if err != nil {
		return nil, err
	}
	return &Publisher{service: service, options: o, log: log, marks: newMarks(), stopped: make(chan struct{}),
		fillDue: true, writer: w, failed: make(map[string]error)}, nil
}

// Close gives back a segment that Run was not called for.
func (p *Publisher) Close() error { return p.segment().Close() }

// Publish has the segment follow what was committed of an outlet, and returns
// when it does, or when ctx ends.
func (p *Publisher) Publish(ctx context.Context, outlet string) error {
	done := make(chan error, 1)
	p.marks.add(outlet, done)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-p.stopped:
		return errStopped
	}
}

// Run, which is called once, keeps the segment until ctx ends, while the
// service follows the change table. The keys stay there for the readers.
func (p *Publisher) Run(ctx context.Context) {
	defer close(p.stopped)
	stop := p.service.ListenAll(p.hear)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { p.wipeEnds(ctx) })
	// What is committed before the follower knows its place is not told.
	select {
	case <-p.service.Following():
		p.work(ctx)
	case <-ctx.Done():
	}
	wg.Wait()
	if err := p.segment().Close(); err != nil {
		p.log.Error("the segment was not closed well", "error", err)
	}
}

// hear marks the outlet of a change by which its usable keys may be others.
func (p *Publisher) hear(c keyservice.ChangeRow) {
	_, _, now := p.service.Terms()
	if p.skew.hear(c.At, now) {
		p.log.Warn("this machine's clock is behind a server's: keys end earlier here", "change", c.N, "at", c.At, "now", now)
		p.mu.Lock()
		p.refill = true
		p.mu.Unlock()
		p.marks.knock()
	}
	if shm.State(c.State) >= shm.Active {
		p.marks.add(c.Outlet, nil)
	}
}

// work does what is due until ctx ends.
func (p *Publisher) work(ctx context.Context) {
	retry, fill := time.NewTicker(retryEvery), time.NewTicker(fillEvery)
	defer retry.Stop()
	defer fill.Stop()
	var pause time.Duration
	for {
		err := p.step(ctx)
		if ctx.Err() != nil {
			return
		}
		var again <-chan time.Time
		if err != nil {
			if pause == 0 {
				p.log.Warn("the segment cannot follow; what stands there stays until its end", "error", err)
			}
			pause = min(max(2*pause, firstPause), longPause)
			again = time.After(pause)
		} else if pause > 0 {
			p.log.Info("the segment follows again")
			pause = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-p.marks.wake:
		case <-again:
		case <-retry.C:
			p.markFailed()
		case <-fill.C:
			p.fillDue = true
		}
	}
}

func (p *Publisher) step(ctx context.Context) error {
	if err := p.reopen(); err != nil {
		return err
	}
	p.mu.Lock()
	p.fillDue = p.fillDue || p.refill
	p.refill = false
	p.mu.Unlock()
	if p.fillDue {
		if err := p.fill(ctx); err != nil {
			return err
		}
		p.fillDue = false
	}
	return p.drain(ctx)
}

// drain looks at the marked outlets.
func (p *Publisher) drain(ctx context.Context) error {
	for {
		taken := p.marks.take(batch)
		if len(taken) == 0 {
			return p.askRevoked(ctx)
		}
		failed, err := p.look(ctx, taken)
		if err != nil {
			p.marks.back(taken)
			return err
		}
		err = p.askRevoked(ctx)
		for id, waiting := range taken {
			for _, done := range waiting {
				done <- errors.Join(failed[id], err)
			}
		}
		if err != nil {
			return err
		}
	}
}

// look reads the usable keys of some outlets and brings the segment to them.
func (p *Publisher) look(ctx context.Context, taken map[string][]chan<- error) (map[string]error, error) {
	page, _, err := p.service.UsablePage(ctx, keyservice.UsableQuery{Outlets: slices.Collect(maps.Keys(taken))})
	if err != nil {
		return nil, err
	}
	defer zero(page)
	usable := make(map[string][]keyservice.UsableKey, len(taken))
	for keys := range byOutlet(page) {
		usable[keys[0].Outlet] = keys
	}
	outlets := make([]*outlet, 0, len(taken))
	for id := range taken {
		outlets = append(outlets, &outlet{id, usable[id]})
		if p.touched != nil {
			p.touched[id] = true
		}
	}
	return p.apply(outlets)
}

// apply reconciles outlets in one lock of the segment. failed is why some of
// them are not wholly there.
func (p *Publisher) apply(outlets []*outlet) (failed map[string]error, err error) {
	failed = make(map[string]error)
	at := p.skew.moment(p.service)
	err = p.segment().Batch(func(b shm.Batch) error {
		for _, o := range outlets {
			ended, err := o.reconcile(b, p.service.ServerID(), at)
			p.ended = append(p.ended, ended...)
			if err != nil {
				failed[o.id] = err
			}
			zero(o.keys)
		}
		return nil
	})
	if errors.Is(err, shm.ErrGone) {
		p.lost()
	}
	if err == nil {
		p.account(outlets, failed)
	}
	return failed, err
}

// askRevoked tells those that were wiped and revoked from those that expired.
func (p *Publisher) askRevoked(ctx context.Context) error {
	if len(p.ended) == 0 {
		return nil
	}
	revoked, err := p.service.RevokedOf(ctx, p.ended)
	if err != nil {
		return err
	}
	err = p.segment().Batch(func(b shm.Batch) error {
		for _, k := range revoked {
			// Its place may have been needed meanwhile.
			if err := b.Wipe(k.Outlet, k.Seckeyid, shm.Revoked); err != nil && !errors.Is(err, shm.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, shm.ErrGone) {
		p.lost()
	}
	if err == nil {
		p.ended = nil
	}
	return err
}

func zero(keys []keyservice.UsableKey) {
	for i := range keys {
		keys[i].Key.Zero()
	}
}

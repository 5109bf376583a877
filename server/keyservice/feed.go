package keyservice

import (
	"context"
	"slices"
	"sync"
	"time"
)

// feed reads the change table for those who watch it, and knows all the while
// up to which number they have been told everything: by it they resume without
// a gap, on this process or another. It reads only while somebody watches.
//
// Numbers are not in the order of commits. A Watermark is taken before the
// table is read: once its writers have ended and the table has been read after
// that, everything up to its number has been told.
type feed struct {
	store Store
	kick  chan struct{}

	reading sync.Mutex // held by whoever reads the store for the feed
	begun   bool
	at      Position
	told    map[uint64]bool // numbers beyond at that have been told
	marks   []Watermark     // oldest first, their writers have not ended
	marked  time.Time       // when the last one was taken

	mu       sync.Mutex
	settled  uint64 // everything up to it has been told
	watchers map[*Watcher]struct{}
}

const (
	feedEvery   = 500 * time.Millisecond
	markEvery   = 100 * time.Millisecond // at most: it reads the database's locks
	marksMax    = 64                     // that wait for their writers; what is newer waits for its turn
	settleTries = 20                     // markEvery apart, for a first watermark without writers
)

func newFeed(store Store) *feed {
	return &feed{store: store, kick: make(chan struct{}, 1), watchers: make(map[*Watcher]struct{})}
}

// runFeed tells watchers until ctx ends.
func (s *Service) runFeed(ctx context.Context) {
	f := s.feed
	defer s.ListenAll(func(ChangeRow) { f.wake() })()
	ticker := time.NewTicker(feedEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.kick:
		case <-ticker.C:
		}
		if err := f.step(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("events cannot be read; trying again", "error", err)
			rest(ctx, time.Second)
		}
	}
}

func (f *feed) wake() {
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// join has a watcher told of what becomes visible from now on, and perhaps of
// what did just before. It returns up to where everything is visible already.
func (f *feed) join(ctx context.Context, w *Watcher) (settled uint64, err error) {
	f.reading.Lock()
	defer f.reading.Unlock()
	if !f.begun {
		if err := f.begin(ctx); err != nil {
			return 0, err
		}
	}
	mark, err := f.store.Watermark(ctx)
	if err != nil {
		return 0, err
	}
	visible, _ := f.settle(mark)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers[w] = struct{}{}
	return max(f.settled, visible), nil
}

func (f *feed) leave(w *Watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.watchers, w)
}

// begin finds the position from which to tell. Up to where everything is
// visible is known as soon as no writer is in the way, which as a rule is at
// once; of one that takes long, watchers who resume are told again what they know.
func (f *feed) begin(ctx context.Context) (err error) {
	if f.at, err = f.store.Head(ctx); err != nil {
		return err
	}
	f.told, f.marks, f.marked = make(map[uint64]bool), nil, time.Time{}
	settled := uint64(0)
	for range settleTries {
		mark, err := f.store.Watermark(ctx)
		if err != nil {
			return err
		}
		if n, any := f.settle(mark); any {
			settled = n
			break
		}
		rest(ctx, markEvery)
	}
	f.mu.Lock()
	f.settled = settled
	f.mu.Unlock()
	f.begun = true
	return ctx.Err()
}

// step tells of all that is visible now.
func (f *feed) step(ctx context.Context) error {
	f.reading.Lock()
	defer f.reading.Unlock()
	if !f.watched() {
		f.begun = false
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	settled, err := f.mark(ctx)
	if err != nil {
		return err
	}
	for {
		rows, safe, err := f.store.Changes(ctx, f.at, followPage)
		if err != nil {
			return err
		}
		beyond := make(map[uint64]bool)
		fresh := slices.DeleteFunc(rows, func(row ChangeRow) bool {
			beyond[row.N] = true
			return f.told[row.N]
		})
		more := safe != f.at && len(beyond) >= followPage
		f.at, f.told = safe, beyond
		if more {
			f.tell(fresh, 0)
			continue
		}
		f.tell(fresh, settled)
		return nil
	}
}

func (f *feed) watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers) > 0
}

// mark takes a watermark, now and then, and returns a number up to which
// everything is visible now; 0: none is known that was not known before.
func (f *feed) mark(ctx context.Context) (settled uint64, err error) {
	if time.Since(f.marked) < markEvery {
		return 0, nil
	}
	mark, err := f.store.Watermark(ctx)
	if err != nil {
		return 0, err
	}
	f.marked = time.Now()
	settled, _ = f.settle(mark)
	return settled, nil
}

// settle takes a new watermark in, and returns the greatest whose writers have
// all ended.
func (f *feed) settle(now Watermark) (settled uint64, any bool) {
	waiting := f.marks[:0]
	for _, m := range append(f.marks, now) {
		writing := slices.DeleteFunc(slices.Clone(m.Writers), func(w string) bool { return !slices.Contains(now.Writers, w) })
		switch {
		case len(writing) == 0:
			settled, any = max(settled, m.N), true
		case len(waiting) < marksMax:
			waiting = append(waiting, Watermark{m.N, writing})
		}
	}
	f.marks = waiting
	return settled, any
}

// tell hands rows to every watcher. With the last of them everything up to
// settled, unless it is 0, has been told.
func (f *feed) tell(rows []ChangeRow, settled uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, row := range rows {
		if i == len(rows)-1 {
			f.settled = max(f.settled, settled)
		}
		for w := range f.watchers {
			w.offer(row, f.settled)
		}
	}
	f.settled = max(f.settled, settled)
}

package keyservice

import (
	"context"
	"sync"

	"hufu/shared/wire"
)

const (
	watcherQueue = 4096  // events that may wait for one watcher
	watcherPage  = 500   // of what was before it came
	backlogMax   = 10000 // numbers between since and now; more, and it is told that they are lost
)

// Watcher is one connection's view of the change table, from some number on.
// Its methods but close are called by one goroutine.
type Watcher struct {
	feed  *feed
	store Store
	now   func() uint64 // in milliseconds

	more   chan struct{} // the queue has something
	closed chan struct{}
	once   sync.Once

	mu     sync.Mutex
	queue  []told
	lost   bool   // the queue overflowed
	resume uint64 // by which to resume after what was lost

	ready   []wire.EventRow // next to be taken
	behind  bool            // what was before it came is not all read
	since   uint64
	settled uint64          // everything up to it was visible when it came
	early   map[uint64]bool // numbers above settled that were read though they may be told as well
}

// told is a change, and up to where everything has been told with it.
type told struct {
	row     ChangeRow
	settled uint64
}

// attend begins to tell the peer of changes: of those above since as well, if it
// is not nil. n is by which to resume before the first event. If it fails, what
// the peer watched before goes on.
func (s *Service) attend(ctx context.Context, p *Peer, since *uint64) (n uint64, err error) {
	w := &Watcher{feed: s.feed, store: s.store, now: func() uint64 { return toMillis(s.now()) },
		more: make(chan struct{}, 1), closed: make(chan struct{})}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	if w.settled, err = s.feed.join(ctx, w); err != nil {
		return 0, s.storeError(p.ClientID, err)
	}
	if since != nil {
		newest, err := s.store.Events(ctx, EventQuery{Limit: 1})
		if err != nil {
			w.close()
			return 0, s.storeError(p.ClientID, err)
		}
		w.begin(*since, newest)
		w.signal()
	}
	p.Unwatch()
	p.watcher = w
	return w.settled, nil
}

// begin has what lies above since read first. What is too much, or above all
// that there is, as after a restore, is not to be made up for.
func (w *Watcher) begin(since uint64, newest []ChangeRow) {
	greatest := uint64(0)
	if len(newest) > 0 {
		greatest = newest[0].N
	}
	if since > greatest || greatest-since > backlogMax {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.lost, w.resume = true, w.settled
		return
	}
	w.settled = max(w.settled, since)
	w.behind, w.since, w.early = true, since, make(map[uint64]bool)
}

// Watcher is the peer's, or nil. Its events follow the reply to the request
// that it came with.
func (p *Peer) Watcher() *Watcher { return p.watcher }

// Unwatch ends the peer's watching.
func (p *Peer) Unwatch() {
	if p.watcher != nil {
		p.watcher.close()
		p.watcher = nil
	}
}

func (w *Watcher) close() {
	w.once.Do(func() {
		w.feed.leave(w)
		close(w.closed)
	})
}

// offer lets a change wait. It does not block: of what is too much the watcher
// is told that it is lost.
func (w *Watcher) offer(row ChangeRow, settled uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) >= watcherQueue {
		w.queue, w.lost = nil, true
	}
	if w.lost {
		w.resume = settled
	} else {
		w.queue = append(w.queue, told{row, settled})
	}
	w.signal()
}

func (w *Watcher) signal() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// Wait waits until there are events to be taken. It answers false if the
// watcher is closed or ctx has ended, and an error if the store cannot be read.
func (w *Watcher) Wait(ctx context.Context) (bool, error) {
	for {
		if w.isClosed() {
			return false, nil
		}
		if err := w.fill(ctx); err != nil || len(w.ready) > 0 {
			return err == nil, err
		}
		select {
		case <-w.more:
		case <-w.closed:
			return false, nil
		case <-ctx.Done():
			return false, nil
		}
	}
}

// Take returns up to limit events, and none once the watcher is closed.
func (w *Watcher) Take(limit int) []wire.EventRow {
	if w.isClosed() {
		return nil
	}
	n := min(limit, len(w.ready))
	rows := w.ready[:n:n]
	w.ready = w.ready[n:]
	return rows
}

func (w *Watcher) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// fill makes the next events ready: first those that were before.
func (w *Watcher) fill(ctx context.Context) error {
	for len(w.ready) == 0 && w.behind {
		if err := w.read(ctx); err != nil {
			return err
		}
	}
	if len(w.ready) > 0 {
		return nil
	}
	w.mu.Lock()
	queue, lost, resume := w.queue, w.lost, w.resume
	w.queue, w.lost = nil, false
	w.mu.Unlock()
	if lost {
		w.early = nil
		w.ready = append(w.ready, wire.EventRow{N: resume, At: w.now(), Kind: wire.EventLost})
	}
	for i := range queue {
		row, settled := &queue[i].row, queue[i].settled
		if row.N > w.settled && !w.early[row.N] {
			w.ready = append(w.ready, eventRow(row, max(settled, w.settled)))
		}
		if settled >= w.since {
			w.early = nil // none of them can come any more
		}
	}
	return nil
}

// read reads a page of what was before the watcher came, oldest first.
func (w *Watcher) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	rows, err := w.store.Events(ctx, EventQuery{AfterN: w.since, Oldest: true, Limit: watcherPage})
	if err != nil {
		return err
	}
	w.behind = len(rows) == watcherPage
	for i := range rows {
		n := rows[i].N
		w.since = n
		if n > w.settled {
			w.early[n] = true
		}
		w.ready = append(w.ready, eventRow(&rows[i], min(n, w.settled)))
	}
	return nil
}

// eventRow is a change as it is pushed: resume is by which to resume after it.
func eventRow(c *ChangeRow, resume uint64) wire.EventRow {
	r := wireEvent(c)
	if resume != c.N {
		r.Settled = &resume
	}
	return r
}

func wireEvent(c *ChangeRow) wire.EventRow {
	return wire.EventRow{N: c.N, At: toMillis(c.At), Kind: string(c.Kind), Outlet: c.Outlet, Seckeyid: c.Seckeyid,
		State: c.State, Reason: c.Reason, By: c.By, Note: c.Note}
}

package session

import (
	"sync"

	"hufu/shared/wire"
)

// outbox orders what a session sends. Whoever holds it is the only one who
// writes; pushes that come meanwhile wait, and go out when it is released. So
// a push that a request caused goes out after that request's reply.
type outbox struct {
	mu     sync.Mutex
	free   sync.Cond
	held   bool
	closed bool
	queue  []*wire.Push
}

func (o *outbox) init() { o.free.L = &o.mu }

// hold waits until nobody else holds the outbox. It answers false if the
// session has been closed.
func (o *outbox) hold() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.held && !o.closed {
		o.free.Wait()
	}
	if o.closed {
		return false
	}
	o.held = true
	return true
}

// offer lets a push wait. mine says that nobody holds the outbox, and the
// caller holds it now; full that too many are waiting.
func (o *outbox) offer(p *wire.Push) (mine, full bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false, false
	}
	if len(o.queue) >= pushesWaiting {
		return false, true
	}
	o.queue = append(o.queue, p)
	mine = !o.held
	o.held = true
	return mine, false
}

// take returns what waits; if nothing does, the outbox is released.
func (o *outbox) take() []*wire.Push {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue
	o.queue = nil
	if len(q) == 0 {
		o.held = false
		o.free.Broadcast()
	}
	return q
}

// close ends the outbox for all.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.queue = nil
	o.free.Broadcast()
}

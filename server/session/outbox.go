package session

import (
	"sync"

	"hufu/shared/wire"
)

// outbox orders what a session sends. Whoever holds it is the only one who
// writes; pushes that come meanwhile wait, and go out when it is released. So
// a push that a request caused goes out after that request's reply.
type outbox struct {
	mu    sync.Mutex
	free  sync.Cond
	most  int // pushes that may wait; more, and the connection is too slow to be told
	held  bool
	wait  int // who waits in hold
	shut  bool
	queue []*wire.Push
}

func (o *outbox) init(most int) { o.free.L, o.most = &o.mu, most }

// hold waits until nobody else holds the outbox. It answers false if it is shut.
func (o *outbox) hold() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wait++
	for o.held && !o.shut {
		o.free.Wait()
	}
	o.wait--
	if o.shut {
		return false
	}
	o.held = true
	return true
}

// holdLast is hold for events: whoever waits in hold comes first.
func (o *outbox) holdLast() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for (o.held || o.wait > 0) && !o.shut {
		o.free.Wait()
	}
	if o.shut {
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
	if o.shut {
		return false, false
	}
	if len(o.queue) >= o.most {
		return false, true
	}
	o.queue = append(o.queue, p)
	mine = !o.held
	o.held = true
	return mine, false
}

// take returns what waits; if nothing does, the outbox is given back.
func (o *outbox) take() []*wire.Push {
	o.mu.Lock()
	defer o.mu.Unlock()
	q := o.queue
	o.queue = nil
	if len(q) == 0 {
		o.back()
	}
	return q
}

// drop gives the outbox back and shuts it: what waits is not sent any more, and
// nobody else gets hold of it.
func (o *outbox) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut = true
	o.queue = nil
	o.back()
}

func (o *outbox) back() {
	o.held = false
	o.free.Broadcast()
}

// close shuts the outbox for all but the one who holds it.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.shut = true
	o.queue = nil
	o.free.Broadcast()
}

// settle waits until nobody holds the outbox.
func (o *outbox) settle() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.held {
		o.free.Wait()
	}
}

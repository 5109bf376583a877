package client

import (
	"sync"

	"hufu/shared/wire"
)

// maxNotices bounds the bytes of the pushes and events that wait to be taken.
// Loss is never silent: beyond it the session ends.
const maxNotices = 4 << 20

// noticeCost is added for each, so that small ones cannot pile up by the million.
const noticeCost = 256

// queue hands notices from the reader, which must not wait, to their handlers.
type queue struct {
	mu      sync.Mutex
	cond    sync.Cond
	waiting []wire.Notice
	sizes   []int
	bytes   int
	closed  bool
}

func newQueue() *queue {
	q := &queue{}
	q.cond.L = &q.mu
	return q
}

// put reports whether there was room.
func (q *queue) put(n wire.Notice, size int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	size += noticeCost
	if q.bytes+size > maxNotices {
		return false
	}
	q.waiting, q.sizes, q.bytes = append(q.waiting, n), append(q.sizes, size), q.bytes+size
	q.cond.Signal()
	return true
}

// get waits for the next one; after close it returns what is left, then nil.
func (q *queue) get() wire.Notice {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 {
		if q.closed {
			return nil
		}
		q.cond.Wait()
	}
	n := q.waiting[0]
	q.bytes -= q.sizes[0]
	q.waiting, q.sizes = q.waiting[1:], q.sizes[1:]
	return n
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.cond.Signal()
}

// tell is the goroutine that calls OnPush and OnEvent. What came before the end
// of the session is told after it, too.
func (s *Session) tell() {
	for n := s.notices.get(); n != nil; n = s.notices.get() {
		switch m := n.(type) {
		case *wire.Push:
			if s.o.OnPush != nil {
				s.o.OnPush(s, m)
			}
		case *wire.Event:
			if s.o.OnEvent != nil {
				s.o.OnEvent(s, m)
			}
		}
	}
}

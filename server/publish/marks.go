package publish

import "sync"

// marks are the outlets to look at, each with those who wait for it.
type marks struct {
	mu      sync.Mutex
	waiting map[string][]chan<- error
	wake    chan struct{} // holds one when a mark has come
}

func newMarks() *marks {
	return &marks{waiting: make(map[string][]chan<- error), wake: make(chan struct{}, 1)}
}

// add marks an outlet. done, which may be nil, has room for the one answer.
func (m *marks) add(outlet string, done chan<- error) {
	m.mu.Lock()
	if done != nil {
		m.waiting[outlet] = append(m.waiting[outlet], done)
	} else if _, marked := m.waiting[outlet]; !marked {
		m.waiting[outlet] = nil
	}
	m.mu.Unlock()
	m.knock()
}

// knock wakes whoever works on the marks.
func (m *marks) knock() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// take takes up to limit outlets, those first for which somebody waits.
func (m *marks) take(limit int) map[string][]chan<- error {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken := make(map[string][]chan<- error)
	for _, awaited := range []bool{true, false} {
		for outlet, waiting := range m.waiting {
			if len(taken) == limit {
				return taken
			}
			if (waiting != nil) == awaited {
				taken[outlet] = waiting
				delete(m.waiting, outlet)
			}
		}
	}
	return taken
}

// back returns what was taken and could not be looked at. It wakes nobody.
func (m *marks) back(taken map[string][]chan<- error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for outlet, waiting := range taken {
		m.waiting[outlet] = append(waiting, m.waiting[outlet]...)
	}
}

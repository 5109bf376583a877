package keyservice

import "sync"

// hub knows who listens for changes of which client, and who for all.
type hub struct {
	mu        sync.Mutex
	next      int
	listeners map[string]map[int]func(ChangeRow)
	all       map[int]func(ChangeRow)
}

// Listen calls fn for every change that concerns the client, from now on until
// cancel is called. fn is called by one goroutine, in the order of the change
// table as far as it is known, must not block, and may see a change twice.
func (s *Service) Listen(clientID string, fn func(ChangeRow)) (cancel func()) {
	return s.hub.listen(clientID, fn)
}

// ListenAll calls fn for every change, as Listen does for those of one client.
func (s *Service) ListenAll(fn func(ChangeRow)) (cancel func()) {
	return s.hub.listenAll(fn)
}

func (h *hub) listenAll(fn func(ChangeRow)) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = make(map[int]func(ChangeRow))
	}
	h.next++
	n := h.next
	h.all[n] = fn
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.all, n)
	}
}

func (h *hub) listen(clientID string, fn func(ChangeRow)) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners == nil {
		h.listeners = make(map[string]map[int]func(ChangeRow))
	}
	if h.listeners[clientID] == nil {
		h.listeners[clientID] = make(map[int]func(ChangeRow))
	}
	h.next++
	n := h.next
	h.listeners[clientID][n] = fn
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners[clientID], n)
		if len(h.listeners[clientID]) == 0 {
			delete(h.listeners, clientID)
		}
	}
}

func (h *hub) tell(c ChangeRow) {
	h.mu.Lock()
	fns := make([]func(ChangeRow), 0, len(h.listeners[c.Outlet])+len(h.all))
	for _, fn := range h.listeners[c.Outlet] {
		fns = append(fns, fn)
	}
	for _, fn := range h.all {
		fns = append(fns, fn)
	}
	h.mu.Unlock()
	for _, fn := range fns {
		fn(c)
	}
}

package session

import (
	"sync"

	"golang.org/x/time/rate"
)

// registry knows every session, and those that are open by client.
type registry struct {
	mu        sync.Mutex
	draining  bool
	perClient int
	sessions  map[*session]struct{}
	clients   map[string][]*session // oldest first
}

// add counts a session and its goroutine, unless the server is stopping.
func (r *registry) add(x *session, wg *sync.WaitGroup) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return false
	}
	wg.Add(1)
	r.sessions[x] = struct{}{}
	return true
}

// enter counts one more goroutine of a session that has not ended.
func (r *registry) enter(x *session, wg *sync.WaitGroup) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.sessions[x]; !there {
		return false
	}
	wg.Add(1)
	return true
}

// opened counts a session among its client's and returns the one that is too
// many, if there is one.
func (r *registry) opened(x *session) (tooMany *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := append(r.clients[x.peer.ClientID], x)
	if len(mine) > r.perClient {
		tooMany, mine = mine[0], mine[1:]
	}
	r.clients[x.peer.ClientID] = mine
	return tooMany
}

func (r *registry) remove(x *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sessions, x)
	mine := r.clients[x.peer.ClientID]
	for i := range mine {
		if mine[i] == x {
			mine = append(append([]*session(nil), mine[:i]...), mine[i+1:]...)
			break
		}
	}
	if len(mine) == 0 {
		delete(r.clients, x.peer.ClientID)
		return
	}
	r.clients[x.peer.ClientID] = mine
}

// drain refuses new sessions from now on and returns those that there are.
func (r *registry) drain() []*session {
	r.mu.Lock()
	r.draining = true
	r.mu.Unlock()
	return r.all()
}

func (r *registry) all() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]*session, 0, len(r.sessions))
	for x := range r.sessions {
		all = append(all, x)
	}
	return all
}

func (r *registry) open() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, mine := range r.clients {
		n += len(mine)
	}
	return n
}

// waiting counts connections that are not yet open.
type waiting struct {
	mu              sync.Mutex
	max, perAddress int
	all             int
	addresses       map[string]int
}

func (w *waiting) enter(address string, shared bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	limited := !shared && w.perAddress >= 0
	if w.all >= w.max || limited && w.addresses[address] >= w.perAddress {
		return false
	}
	w.all++
	w.addresses[address]++
	return true
}

func (w *waiting) leave(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.addresses[address]--; w.addresses[address] == 0 {
		delete(w.addresses, address)
	}
}

func (w *waiting) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all
}

// rates bounds the negotiations of every client. It forgets those who have
// their whole burst again.
type rates struct {
	mu      *sync.Mutex
	rate    rate.Limit
	burst   int
	clients map[string]*rate.Limiter
}

// ratesMax is when those who may be forgotten are.
const ratesMax = 10000

func newRates(perSecond float64, burst int) rates {
	return rates{mu: new(sync.Mutex), rate: rate.Limit(perSecond), burst: burst, clients: make(map[string]*rate.Limiter)}
}

func (r rates) allow(clientID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.clients[clientID]
	if l == nil {
		if len(r.clients) >= ratesMax {
			r.forget()
		}
		l = rate.NewLimiter(r.rate, r.burst)
		r.clients[clientID] = l
	}
	return l.Allow()
}

func (r rates) forget() {
	for id, l := range r.clients {
		if l.Tokens() >= float64(r.burst) {
			delete(r.clients, id)
		}
	}
}

package publish

import (
	"sync"
	"time"

	"hufu/server/keyservice"
	"hufu/shm"
)

// skew is by how much this process's clock stands behind those of the servers
// that write, as far as the times of their changes show it.
type skew struct {
	mu     sync.Mutex
	behind time.Duration
}

const (
	// maxSkew bounds what is believed: a record from the far future must not
	// end every key at the centre.
	maxSkew = time.Minute
	// skewStep is how much more of it has all ends reckoned again.
	skewStep = time.Second
)

// hear takes the time of a change, told at now, and reports whether all ends
// have to be reckoned again.
func (s *skew) hear(at, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.behind
	s.behind = min(max(s.behind, at.Sub(now)), maxSkew)
	return s.behind >= before+skewStep
}

// moment is one instant on two clocks: the boot clock, on which segments end
// keys, and the store's.
type moment struct {
	boot  shm.BootTime
	store time.Time
}

// tick is the store's precision.
const tick = time.Millisecond

// moment reads both clocks, that of the segment first: whatever lies between,
// and what the store's rounds off, brings ends forward and never back.
func (s *skew) moment(service *keyservice.Service) moment {
	boot := shm.Now()
	_, _, now := service.Terms()
	s.mu.Lock()
	defer s.mu.Unlock()
	return moment{boot, now.Add(s.behind + tick)}
}

// on is a time of the store on the boot clock.
func (m moment) on(t time.Time) shm.BootTime { return m.boot.Add(t.Sub(m.store)) }

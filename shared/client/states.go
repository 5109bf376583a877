package client

import (
	"slices"
	"sync"

	"hufu/shared/wire"
)

// maxStates bounds how many numbers States keeps.
const maxStates = 4096

// States keeps, for every number, the greatest state seen in any push or
// reply (§6). States only grow. One States belongs to one client id, is kept
// over its connections, and may be used by several goroutines.
type States struct {
	mu    sync.Mutex
	seen  map[uint64]wire.State
	floor uint64 // numbers up to it were forgotten, for room
}

// NewStates returns States that know nothing.
func NewStates() *States { return &States{seen: map[uint64]wire.State{}} }

// Saw records a state that the server told, and returns the greatest so far.
func (s *States) Saw(seckeyid uint64, state wire.State) wire.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state > s.seen[seckeyid] {
		s.seen[seckeyid] = state
	}
	greatest := s.seen[seckeyid]
	if len(s.seen) > maxStates {
		s.forget()
	}
	return greatest
}

// At returns the greatest state told of a number, 0 if none was.
func (s *States) At(seckeyid uint64) wire.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[seckeyid]
}

// MayEnter reports whether a number that was just agreed may be published: not
// if it is known to be expired or revoked, or so low that this was forgotten.
func (s *States) MayEnter(seckeyid uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, known := s.seen[seckeyid]
	return state < wire.StateExpired && (known || seckeyid > s.floor)
}

// forget drops the lower half. Numbers grow, so that none of those is agreed anew.
func (s *States) forget() {
	numbers := make([]uint64, 0, len(s.seen))
	for n := range s.seen {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers[:len(numbers)/2] {
		delete(s.seen, n)
		s.floor = max(s.floor, n)
	}
}

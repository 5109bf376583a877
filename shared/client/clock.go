package client

import (
	"sync"
	"time"
)

// Clock tells the time since some fixed moment of this boot. It counts
// suspend, never goes back, and cannot be set (§6): CLOCK_BOOTTIME. The ends of
// keys are kept on it.
type Clock func() time.Duration

// ElapsedClock is for where CLOCK_BOOTTIME cannot be had, as in a browser. It
// follows the monotonic clock or the wall clock, whichever has advanced more,
// so that a suspend counts and setting the wall clock back lengthens nothing;
// setting it forward ends keys early.
func ElapsedClock() Clock {
	start := time.Now()
	var mu sync.Mutex
	var last time.Duration
	return func() time.Duration {
		now := time.Now()
		mu.Lock()
		defer mu.Unlock()
		last = max(last, now.Sub(start), now.Round(0).Sub(start.Round(0)))
		return last
	}
}

//go:build amd64 || arm64

package shm

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the time on CLOCK_BOOTTIME.
func Now() BootTime {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("shm: CLOCK_BOOTTIME: " + err.Error()) // every kernel since 2.6.39 has it
	}
	return BootTime(ts.Nano())
}

// Go reaches CLOCK_BOOTTIME only by a system call, which would cost more than the whole look-up. The
// monotonic clock is cheap and differs from it by the time spent suspended, which fastNow learns anew after
// every millisecond of running time: for so long after a resume it may lag, never longer.
const recalibrate = int64(time.Millisecond)

var (
	clockBase   = time.Now()
	clockOffset atomic.Int64 // CLOCK_BOOTTIME less time.Since(clockBase)
	clockNext   atomic.Int64 // when to learn it again
)

func fastNow() BootTime {
	m := int64(time.Since(clockBase))
	if m >= clockNext.Load() {
		// Between two clock readings the goroutine may be preempted; taking m before makes such an offset
		// too great, so that keys end early rather than late, and only until the next time.
		clockOffset.Store(int64(Now()) - m)
		clockNext.Store(m + recalibrate)
	}
	return BootTime(m + clockOffset.Load())
}

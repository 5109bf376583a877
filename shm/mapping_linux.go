//go:build amd64 || arm64

package shm

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is a validated segment in memory. It is unmapped when nothing refers to it any more, so that a
// reader may replace its mapping while other goroutines still read from the old one. Who takes addresses
// from it keeps it alive to the last access with runtime.KeepAlive.
type mapping struct {
	*head
	slots    []slot
	size     int64
	id       fileID
	st       unix.Stat_t
	warnings []string
	boot     [2]uint64                // of the running system
	looked   atomic.Int64             // when a reader last checked that the name still leads here
	server   atomic.Pointer[serverID] // the last one seen: a segment hardly ever has two
}

type serverID struct {
	id   ident
	text string
}

// mapSegment maps and validates the segment behind fd, which the caller closes.
func mapSegment(path string, fd int, st unix.Stat_t, prot int) (*mapping, error) {
	if st.Size < headSize || st.Size > headSize+maxCapacity*entrySize {
		return nil, fmt.Errorf("%s: %w: %d bytes", path, ErrTooSmall, st.Size)
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	data, err := unix.Mmap(fd, 0, int(st.Size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("shm: mmap %s: %w", path, err)
	}
	if err := checkHead(data); err != nil {
		unix.Munmap(data)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	h := (*head)(unsafe.Pointer(&data[0]))
	m := &mapping{
		head:     h,
		slots:    unsafe.Slice((*slot)(unsafe.Pointer(&data[headSize])), h.total),
		size:     st.Size,
		id:       idOf(&st),
		st:       st,
		boot:     boot,
		warnings: protect(path, data),
	}
	runtime.AddCleanup(m, func(b []byte) { unix.Munmap(b) }, data)
	return m, nil
}

// protect keeps data out of swap and core dumps, and says where that was not allowed.
func protect(path string, data []byte) (warnings []string) {
	if err := unix.Mlock(data); err != nil {
		warnings = append(warnings, fmt.Sprintf(
			"%s: mlock of %d bytes: %v: keys may reach the swap device; raise the limit of locked memory (ulimit -l, LimitMEMLOCK)",
			path, len(data), err))
	}
	if err := unix.Madvise(data, unix.MADV_DONTDUMP); err != nil {
		warnings = append(warnings, fmt.Sprintf("%s: madvise DONTDUMP: %v: keys may reach a core dump", path, err))
	}
	return warnings
}

// sameBoot tells whether the entries are of the running boot.
func (m *mapping) sameBoot() bool {
	return m.bootID[0].Load() == m.boot[0] && m.bootID[1].Load() == m.boot[1]
}

// serverText returns the text of a server id without allocating where it is the last one seen.
func (m *mapping) serverText(d ident) string {
	if s := m.server.Load(); s != nil && s.id == d {
		return s.text
	}
	s := &serverID{d, d.String()}
	m.server.Store(s)
	return s.text
}

//go:build amd64 || arm64

package shm

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// The layout, as docs/shm.md and hufu_shm.h have it. All words are little-endian, which both architectures are.
const (
	magic         = 0x314d485355465548 // the bytes "HUFUSHM1"
	layoutVersion = 1
	headSize      = 256
	entrySize     = 256
)

// head is the first 256 bytes. Its order is fixed: total and useNum begin it.
type head struct {
	total       uint32        // 0: entries there is room for
	useNum      atomic.Uint32 // 4: entries with status 1
	magic       atomic.Uint64 // 8: zero once the segment is destroyed
	version     uint32        // 16
	entrySize   uint32        // 20
	headSize    uint32        // 24
	maxProbe    atomic.Uint32 // 28: every entry stands less than this many places after its home
	bootID      [2]atomic.Uint64
	writerPID   atomic.Uint32 // 48
	_           uint32
	writerStart atomic.Uint64 // 56: clock ticks after boot, field 22 of /proc/PID/stat
	changes     atomic.Uint64 // 64: grows after a key became current and before an older one ceases to be
	created     int64         // 72: CLOCK_BOOTTIME
	_           [176]byte
}

// slot is one entry, a NodeSHMInfo with its guard. status, state and notAfter change on their own by one
// atomic store; everything else changes only while seq is odd or, when a key is wiped, after status became 0.
type slot struct {
	seq         atomic.Uint32     // 0: odd while the entry is being written
	status      atomic.Uint32     // 4: 1 holds a usable key, 0 does not
	seckeyID    atomic.Uint64     // 8
	clientID    [3]atomic.Uint32  // 16: 12 bytes, NUL-padded
	serverID    [3]atomic.Uint32  // 28: 12 bytes, NUL-padded
	state       atomic.Uint32     // 40: 0 never used, else a State
	keyLen      atomic.Uint32     // 44: 32, or 0 after wiping
	notBefore   atomic.Int64      // 48
	notAfter    atomic.Int64      // 56
	seckey      [16]atomic.Uint64 // 64: 128 bytes, the first keyLen are the key
	fingerprint atomic.Uint64     // 192: 8 bytes
	generation  atomic.Uint64     // 200
	_           [48]byte
}

// These fail to compile when the structs are not of the sizes that the table is made of.
var (
	_ [headSize]byte  = [unsafe.Sizeof(head{})]byte{}
	_ [entrySize]byte = [unsafe.Sizeof(slot{})]byte{}
)

// ident is an identifier as the table has it: 12 bytes in three words.
type ident [3]uint32

// toIdent is on the way of every look-up; loads that overlap beat a loop over the bytes, and copying into an
// array first would stall the loads that follow. What exceeds MaxID bytes is ignored.
func toIdent(id string) ident {
	load := func(at int) uint64 {
		return uint64(id[at]) | uint64(id[at+1])<<8 | uint64(id[at+2])<<16 | uint64(id[at+3])<<24
	}
	var low uint64
	var high uint32
	switch n := len(id); {
	case n >= 8:
		low = load(0) | load(4)<<32
		for i := 8; i < n && i < MaxID; i++ {
			high |= uint32(id[i]) << (8 * (i - 8))
		}
	case n >= 4:
		low = load(0) | load(n-4)<<(8*(n-4))
	default:
		for i := range n {
			low |= uint64(id[i]) << (8 * i)
		}
	}
	return ident{uint32(low), uint32(low >> 32), high}
}

func (d ident) String() string {
	var b [12]byte
	for i, w := range d {
		binary.LittleEndian.PutUint32(b[4*i:], w)
	}
	for n, c := range b {
		if c == 0 {
			return string(b[:n])
		}
	}
	return string(b[:])
}

// home is where the search for d begins in a table of total entries.
func (d ident) home(total uint32) uint32 {
	const m = 0xd6e8feb86659fd93
	h := uint64(d[0]) | uint64(d[1])<<32
	h ^= uint64(d[2]) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32) * m
	h = (h ^ h>>32) * m
	h ^= h >> 32
	return uint32((h & 0xffffffff) * uint64(total) >> 32)
}

func (s *slot) client() ident {
	return ident{s.clientID[0].Load(), s.clientID[1].Load(), s.clientID[2].Load()}
}

func (s *slot) isClient(d ident) bool {
	return s.clientID[0].Load() == d[0] && s.clientID[1].Load() == d[1] && s.clientID[2].Load() == d[2]
}

// checkHead validates a segment of size bytes before anything else of it is used.
func checkHead(data []byte) error {
	if len(data) < headSize {
		return fmt.Errorf("%w: %d bytes", ErrTooSmall, len(data))
	}
	h := (*head)(unsafe.Pointer(&data[0]))
	switch {
	case h.magic.Load() != magic:
		return ErrBadMagic
	case h.version != layoutVersion || h.entrySize != entrySize || h.headSize != headSize:
		return fmt.Errorf("%w: version %d, head %d, entries of %d bytes; this is version %d",
			ErrLayout, h.version, h.headSize, h.entrySize, layoutVersion)
	case h.total < 1 || h.total > maxCapacity || uint64(len(data)) != headSize+uint64(h.total)*entrySize:
		return fmt.Errorf("%w: %d bytes for %d entries", ErrTooSmall, len(data), h.total)
	}
	return nil
}

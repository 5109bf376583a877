//go:build amd64 || arm64

package shm

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The second file: a head of 64 bytes and one slot of 96 bytes for each entry of the segment, at the same
// index. Only the holder of its lock touches it, so it needs no counters.
const (
	confirmMagic    = 0x31464e4355465548 // the bytes "HUFUCNF1"
	confirmVersion  = 1
	confirmHeadSize = 64
	confirmSlotSize = 96
)

type confirmHead struct {
	total    uint32
	slotSize uint32
	magic    uint64
	version  uint32
	_        [44]byte
}

type confirmSlot struct {
	seckeyID uint64
	clientID ident
	used     uint32
	keys     [ConfirmSize]byte
	_        [8]byte
}

var (
	_ [confirmHeadSize]byte = [unsafe.Sizeof(confirmHead{})]byte{}
	_ [confirmSlotSize]byte = [unsafe.Sizeof(confirmSlot{})]byte{}
)

func confirmSize(total int) int64 { return confirmHeadSize + int64(total)*confirmSlotSize }

// confirms is the second file in memory, unmapped like a mapping.
type confirms struct {
	slots    []confirmSlot
	warnings []string
}

func mapConfirms(path string, fd int, size int64, total int) (*confirms, error) {
	if size != confirmSize(total) {
		return nil, fmt.Errorf("%s: %w: %d bytes for %d entries", path, ErrTooSmall, size, total)
	}
	data, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("shm: mmap %s: %w", path, err)
	}
	h := (*confirmHead)(unsafe.Pointer(&data[0]))
	switch {
	case h.magic != confirmMagic:
		err = ErrBadMagic
	case h.version != confirmVersion || h.slotSize != confirmSlotSize:
		err = fmt.Errorf("%w: version %d; this is version %d", ErrLayout, h.version, confirmVersion)
	case int(h.total) != total:
		err = fmt.Errorf("%w: %d entries, the segment has %d", ErrTooSmall, h.total, total)
	}
	if err != nil {
		unix.Munmap(data)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c := &confirms{
		slots:    unsafe.Slice((*confirmSlot)(unsafe.Pointer(&data[confirmHeadSize])), total),
		warnings: protect(path, data),
	}
	runtime.AddCleanup(c, func(b []byte) { unix.Munmap(b) }, data)
	return c, nil
}

// writeConfirmHead gives a new file its head.
func writeConfirmHead(fd, total int) error {
	b := make([]byte, confirmHeadSize)
	binary.LittleEndian.PutUint32(b[0:], uint32(total))
	binary.LittleEndian.PutUint32(b[4:], confirmSlotSize)
	binary.LittleEndian.PutUint64(b[8:], confirmMagic)
	binary.LittleEndian.PutUint32(b[16:], confirmVersion)
	_, err := unix.Pwrite(fd, b, 0)
	return err
}

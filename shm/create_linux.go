//go:build amd64 || arm64

package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Create makes the segment and its second file where they are absent. A sound segment of the same capacity
// and mode is left as it is; any other is refused.
func Create(o Options) error {
	path, err := o.path()
	if err != nil {
		return err
	}
	if o.Capacity < 1 || o.Capacity > maxCapacity {
		return fmt.Errorf("%w: %d", ErrCapacity, o.Capacity)
	}
	err = newFile(path, headSize+int64(o.Capacity)*entrySize, o.mode(), func(fd int) error {
		return writeHead(fd, o.Capacity)
	})
	fresh := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if !fresh {
		if err := checkSame(o, path); err != nil {
			return err
		}
	}
	if err := createConfirms(path+confirmSuffix, o.Capacity, fresh); err != nil {
		if fresh {
			unix.Unlink(path)
		}
		return err
	}
	return nil
}

// createConfirms makes the second file where it is absent. One of another size beside a fresh segment was
// left behind by a process that died while it destroyed or created, and is replaced.
func createConfirms(path string, total int, fresh bool) error {
	for range 3 {
		err := newFile(path, confirmSize(total), 0o600, func(fd int) error { return writeConfirmHead(fd, total) })
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		var st unix.Stat_t
		if !fresh || unix.Lstat(path, &st) == nil && st.Size == confirmSize(total) {
			return nil // OpenWriter has the last word on it
		}
		l, err := takeLock(path, true)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		err = eraseFile(path, l.fd, l.size)
		l.release()
		if err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", path, fs.ErrExist)
}

// checkSame holds what is there against what was asked for.
func checkSame(o Options, path string) error {
	fd, st, err := openFile(path, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := checkOwned(path, &st, o.mode()); err != nil {
		return err
	}
	b := make([]byte, headSize)
	n, err := unix.Pread(fd, b, 0)
	if err != nil {
		return fmt.Errorf("shm: read %s: %w", path, err)
	}
	if n < headSize {
		return fmt.Errorf("%s: %w: %d bytes", path, ErrTooSmall, n)
	}
	switch total := binary.LittleEndian.Uint32(b); {
	case binary.LittleEndian.Uint64(b[8:]) != magic:
		return fmt.Errorf("%s: %w", path, ErrBadMagic)
	case binary.LittleEndian.Uint32(b[16:]) != layoutVersion || binary.LittleEndian.Uint32(b[20:]) != entrySize:
		return fmt.Errorf("%s: %w", path, ErrLayout)
	case int64(total) != int64(o.Capacity):
		return fmt.Errorf("%s: %w: it has %d, asked for %d", path, ErrCapacity, total, o.Capacity)
	case st.Size != headSize+int64(total)*entrySize:
		return fmt.Errorf("%s: %w: %d bytes for %d entries", path, ErrTooSmall, st.Size, total)
	}
	return nil
}

func writeHead(fd, total int) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	h := head{
		total: uint32(total), version: layoutVersion, entrySize: entrySize, headSize: headSize, created: int64(Now()),
	}
	h.magic.Store(magic)
	h.bootID[0].Store(boot[0])
	h.bootID[1].Store(boot[1])
	_, err = unix.Pwrite(fd, (*[headSize]byte)(unsafe.Pointer(&h))[:], 0)
	return err
}

// Destroy wipes and removes both files. Readers that have the segment open find no key from then on, and
// follow to a new segment of the same name. It refuses while a writer holds the lock, and works on damaged
// segments and unknown layouts too. ErrNoSegment if neither file is there.
func Destroy(o Options) error {
	path, err := o.path()
	if err != nil {
		return err
	}
	l, lockErr := takeLock(path+confirmSuffix, true)
	if lockErr != nil && !errors.Is(lockErr, fs.ErrNotExist) {
		return lockErr
	}
	if lockErr == nil {
		defer l.release()
	}
	err = destroySegment(path)
	if errors.Is(err, fs.ErrNotExist) && lockErr == nil {
		err = nil // an earlier Destroy got half way
	}
	if err != nil {
		return err
	}
	if lockErr != nil {
		return nil
	}
	// Last, so that the lock protects until everything else is done.
	return eraseFile(path+confirmSuffix, l.fd, l.size)
}

func destroySegment(path string) error {
	fd, st, err := openFile(path, unix.O_RDWR)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := checkOwned(path, &st, permissions(&st)); err != nil {
		return err
	}
	if m, err := mapSegment(path, fd, st, unix.PROT_READ|unix.PROT_WRITE); err == nil {
		m.dismantle()
	}
	return eraseFile(path, fd, st.Size)
}

// dismantle wipes by the rules, so that a reader in the middle of copying notices.
func (m *mapping) dismantle() {
	defer runtime.KeepAlive(m)
	m.magic.Store(0)
	for i := range m.slots {
		m.slots[i].wipe(Expired)
	}
}

// eraseFile overwrites the file behind fd and removes its name. It is not truncated: that would kill
// readers which have it mapped.
func eraseFile(path string, fd int, size int64) error {
	zero := make([]byte, 1<<16)
	for off := int64(0); off < size; {
		n, err := unix.Pwrite(fd, zero[:min(int64(len(zero)), size-off)], off)
		if err != nil {
			return fmt.Errorf("shm: wipe %s: %w", path, err)
		}
		off += int64(n)
	}
	if err := unix.Unlink(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("shm: remove %s: %w", path, err)
	}
	return nil
}

//go:build amd64 || arm64

package shm

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// lock is the one writer's: an advisory lock on the second file. It stands there, and not on the segment,
// because whoever may read a file may also lock it, and the second file is its owner's alone. It belongs to
// the open file description, so that a second writer in the same process is refused too, and the kernel
// frees it when the process dies.
type lock struct {
	fd   int
	size int64
	id   fileID
}

// takeLock opens and locks the second file. ErrLocked if a writer has it. anyMode is for those who will
// destroy it.
func takeLock(path string, anyMode bool) (*lock, error) {
	for range 10 {
		fd, st, err := openFile(path, unix.O_RDWR)
		if err != nil {
			return nil, err
		}
		mode := uint32(0o600)
		if anyMode {
			mode = permissions(&st)
		}
		if err := checkOwned(path, &st, mode); err != nil {
			unix.Close(fd)
			return nil, err
		}
		lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
		err = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lk)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
			unix.Close(fd)
			return nil, fmt.Errorf("%s: %w", path, ErrLocked)
		} else if err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("shm: lock %s: %w", path, err)
		}
		if l := (&lock{fd, st.Size, idOf(&st)}); sameFile(path, l.id) {
			return l, nil
		}
		unix.Close(fd) // destroyed between open and lock: what has the name now?
	}
	return nil, fmt.Errorf("%s: %w (%w)", path, ErrNoSegment, fs.ErrNotExist)
}

// release unlocks by name: a mapping of the file keeps its description, and with it the lock, beyond Close.
func (l *lock) release() {
	unix.FcntlFlock(uintptr(l.fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_UNLCK, Whence: io.SeekStart})
	unix.Close(l.fd)
}

// isLocked asks whether a writer holds the lock, without taking it. known is false where the caller may
// not open the second file.
func isLocked(path string) (locked, known bool) {
	fd, _, err := openFile(path, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, true
	} else if err != nil {
		return false, false
	}
	defer unix.Close(fd)
	lk := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	if unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &lk) != nil {
		return false, false
	}
	return lk.Type != unix.F_UNLCK, true
}

// info fills what reader and writer both know.
func (m *mapping) info(path string) Info {
	defer runtime.KeepAlive(m)
	i := Info{
		Path: path, Total: len(m.slots), Used: int(m.useNum.Load()), LayoutVersion: int(m.version),
		EntrySize: int(m.entrySize), Size: m.size, Mode: permissions(&m.st), OwnerUID: int(m.st.Uid),
		Created: BootTime(m.created), WriterPID: int(m.writerPID.Load()), BootMatch: m.sameBoot(),
	}
	if i.WriterPID != 0 && i.BootMatch {
		start := m.writerStart.Load()
		i.WriterAlive = start != 0 && startTime(i.WriterPID) == start
	}
	locked, known := isLocked(path + confirmSuffix)
	if i.Locked = locked; !known {
		i.Locked = i.WriterAlive
	}
	return i
}

// sign writes who holds the lock into the head; unsign takes it out.
func (m *mapping) sign() {
	pid := os.Getpid()
	m.writerPID.Store(0)
	m.writerStart.Store(startTime(pid))
	m.writerPID.Store(uint32(pid))
}

func (m *mapping) unsign() {
	m.writerPID.Store(0)
	m.writerStart.Store(0)
}

//go:build amd64 || arm64

package shm

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is how often a reader checks that the segment's name still leads to the file it has mapped: a
// segment removed by other means than Destroy is noticed after so long.
const lookEvery = int64(time.Second)

// Reader reads a segment. Its methods may be called from any number of goroutines; they take no lock and
// never wait for the writer.
//
// When the segment is destroyed, look-ups return ErrGone until there is a new one of the same name, which
// they then read. Removal by other means (rm) is noticed within a second.
type Reader struct {
	path   string
	owner  *int
	m      atomic.Pointer[mapping]
	mu     sync.Mutex // one reopens at a time
	closed atomic.Bool
}

// OpenReader opens a segment for reading. It takes no lock.
func OpenReader(o Options) (*Reader, error) {
	path, err := o.path()
	if err != nil {
		return nil, err
	}
	r := &Reader{path: path, owner: o.Owner}
	m, err := r.open()
	if err != nil {
		return nil, err
	}
	r.m.Store(m)
	return r, nil
}

func (r *Reader) open() (*mapping, error) {
	fd, st, err := openFile(r.path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := checkReadable(r.path, &st, r.owner); err != nil {
		return nil, err
	}
	m, err := mapSegment(r.path, fd, st, unix.PROT_READ)
	if err != nil {
		return nil, err
	}
	m.looked.Store(int64(fastNow()))
	return m, nil
}

// mapping returns the segment to read at this time. Two loads and a comparison while nothing happens to it.
func (r *Reader) mapping(now BootTime) (*mapping, error) {
	m := r.m.Load()
	if m == nil || m.magic.Load() != magic {
		return r.reopen(m)
	}
	if looked := m.looked.Load(); int64(now)-looked >= lookEvery && m.looked.CompareAndSwap(looked, int64(now)) {
		if !sameFile(r.path, m.id) {
			return r.reopen(m)
		}
	}
	return m, nil
}

// reopen replaces old by what has the name now.
func (r *Reader) reopen(old *mapping) (*mapping, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return nil, ErrClosed
	}
	if m := r.m.Load(); m != old && m != nil {
		return m, nil // another goroutine was first
	}
	r.m.Store(nil)
	m, err := r.open()
	switch {
	case errors.Is(err, ErrNoSegment), errors.Is(err, ErrBadMagic): // bad magic: being destroyed just now
		return nil, fmt.Errorf("%s: %w", r.path, ErrGone)
	case err != nil:
		return nil, err
	}
	r.m.Store(m)
	return m, nil
}

// Current returns the key to seal with: the active one with the greatest number. ErrNoCurrent if there is
// none.
func (r *Reader) Current(clientID string) (e Entry, err error) {
	if len(clientID) < 1 || len(clientID) > MaxID {
		return e, ErrClientID
	}
	now := fastNow()
	m, err := r.mapping(now)
	if err == nil {
		err = m.current(clientID, now, &e)
	}
	return e, err
}

// Key returns the key with this number, to open with. ErrNotFound, or ErrNotUsable together with the entry
// without its key, whose State tells why.
func (r *Reader) Key(clientID string, seckeyID uint64) (e Entry, err error) {
	if len(clientID) < 1 || len(clientID) > MaxID {
		return e, ErrClientID
	}
	now := fastNow()
	m, err := r.mapping(now)
	if err == nil {
		err = m.key(clientID, seckeyID, now, &e)
	}
	return e, err
}

// Entries returns the entries of a client in the order of their numbers, or with "" all, by client. Ended
// ones are among them as long as they stay visible.
func (r *Reader) Entries(clientID string) []Entry {
	now := fastNow()
	m, err := r.mapping(now)
	if err != nil {
		return nil
	}
	return m.entries(clientID, now)
}

// Info describes the segment. Only Path is set when it is gone.
func (r *Reader) Info() Info {
	m, err := r.mapping(fastNow())
	if err != nil {
		return Info{Path: r.path}
	}
	return m.info(r.path)
}

// Warnings returns what could not be done for the protection of the keys, for the caller to print.
func (r *Reader) Warnings() []string {
	if m := r.m.Load(); m != nil {
		return append([]string(nil), m.warnings...)
	}
	return nil
}

// Close ends reading. Look-ups that run meanwhile finish; later ones return ErrClosed. The memory is unmapped
// once nothing refers to it.
func (r *Reader) Close() error {
	r.closed.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.m.Store(nil)
	return nil
}

//go:build amd64 || arm64

package shm

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// Writer is the one that changes a segment. Its methods may be called from several goroutines. After the
// segment was removed behind its back they return ErrGone.
type Writer struct {
	mu       sync.Mutex
	path     string
	lock     *lock
	m        *mapping // nil after Close
	confirms *confirms
	inUse    int          // entries that are not free: with a key, ended or blank
	nextEnd  BootTime     // no key ends earlier
	hook     func(string) // tests stop the writer at the named point
}

// OpenWriter takes the lock, repairs what a killed writer left half done, and wipes what has ended or is of
// another boot. ErrLocked if there is a writer already, ErrNoSegment if Create is still to come.
func OpenWriter(o Options) (*Writer, error) {
	path, err := o.path()
	if err != nil {
		return nil, err
	}
	l, err := takeLock(path+confirmSuffix, false)
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, lock: l, nextEnd: math.MaxInt64}
	if err := w.open(o); err != nil {
		l.release()
		return nil, err
	}
	return w, nil
}

func (w *Writer) open(o Options) error {
	fd, st, err := openFile(w.path, unix.O_RDWR)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := checkOwned(w.path, &st, o.mode()); err != nil {
		return err
	}
	m, err := mapSegment(w.path, fd, st, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return err
	}
	w.confirms, err = mapConfirms(w.path+confirmSuffix, w.lock.fd, w.lock.size, len(m.slots))
	if err != nil {
		return err
	}
	w.m = m
	m.sign()
	w.repair()
	return nil
}

// Close gives the lock back. The keys stay for the readers.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return nil
	}
	w.m.unsign()
	w.m, w.confirms = nil, nil
	w.lock.release()
	return nil
}

// Abandon is Close after ErrGone. Readers that still have mapped what lost its name find no key in it from then
// on, and follow to what has the name now. A segment that only its second file is gone from is left as it is.
func (w *Writer) Abandon() error {
	w.mu.Lock()
	if w.m != nil && !sameFile(w.path, w.m.id) {
		w.m.dismantle()
		clear(w.confirms.slots)
	}
	w.mu.Unlock()
	return w.Close()
}

// Warnings returns what could not be done for the protection of the keys, for the caller to print.
func (w *Writer) Warnings() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return nil
	}
	return append(append([]string(nil), w.m.warnings...), w.confirms.warnings...)
}

// Info describes the segment.
func (w *Writer) Info() Info {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return Info{Path: w.path}
	}
	i := w.m.info(w.path)
	i.WriterPID, i.WriterAlive, i.Locked = os.Getpid(), true, true
	return i
}

// begin locks w for a change and makes sure that the segment is still there to be changed.
func (w *Writer) begin() error {
	w.mu.Lock()
	err := ErrClosed
	if w.m != nil {
		if sameFile(w.path, w.m.id) && sameFile(w.path+confirmSuffix, w.lock.id) {
			return nil
		}
		err = fmt.Errorf("%s: %w", w.path, ErrGone)
	}
	w.mu.Unlock()
	return err
}

// Key returns the key with this number. ErrNotFound, or ErrNotUsable together with its entry.
func (w *Writer) Key(clientID string, seckeyID uint64) (e Entry, err error) {
	if err := checkID(clientID); err != nil {
		return e, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return e, ErrClosed
	}
	err = w.m.key(clientID, seckeyID, Now(), &e)
	return e, err
}

// Current returns the key to seal with. ErrNoCurrent if there is none.
func (w *Writer) Current(clientID string) (e Entry, err error) {
	if err := checkID(clientID); err != nil {
		return e, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return e, ErrClosed
	}
	err = w.m.current(clientID, Now(), &e)
	return e, err
}

// Entries returns the entries of a client in the order of their numbers, or with "" all, by client. Ended
// ones are among them as long as they stay visible.
func (w *Writer) Entries(clientID string) []Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return nil
	}
	return w.m.entries(clientID, Now())
}

// Confirm returns k_cc ‖ k_sc of a usable key.
func (w *Writer) Confirm(clientID string, seckeyID uint64) (keys [ConfirmSize]byte, err error) {
	if err := checkID(clientID); err != nil {
		return keys, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		return keys, ErrClosed
	}
	var e Entry
	defer e.Key.Zero()
	if err := w.m.key(clientID, seckeyID, Now(), &e); err != nil {
		return keys, err
	}
	d := toIdent(clientID)
	c := &w.confirms.slots[w.m.find(d, seckeyID)]
	defer runtime.KeepAlive(w.confirms)
	if c.used != 1 || c.seckeyID != seckeyID || c.clientID != d {
		return keys, fmt.Errorf("%w: it was stored without confirmation keys", ErrNotFound)
	}
	return c.keys, nil
}

//go:build amd64 || arm64

package shm

import (
	"fmt"
	"math"
	"runtime"
)

// change runs f on the entry of a key.
func (w *Writer) change(clientID string, seckeyID uint64, f change) error {
	if err := checkID(clientID); err != nil {
		return err
	}
	if err := w.begin(); err != nil {
		return err
	}
	defer w.mu.Unlock()
	return w.changed(clientID, seckeyID, f)
}

// change is what happens to entry i, which holds or held a key of d.
type change func(w *Writer, d ident, i int) error

// changed is change with w locked.
func (w *Writer) changed(clientID string, seckeyID uint64, f change) error {
	defer runtime.KeepAlive(w.m)
	defer runtime.KeepAlive(w.confirms)
	d := toIdent(clientID)
	i := w.m.find(d, seckeyID)
	err := error(ErrNotFound)
	if i >= 0 {
		err = f(w, d, i)
	}
	if err != nil {
		return fmt.Errorf("%w: client %s, key %d", err, clientID, seckeyID)
	}
	return nil
}

// usable refuses what no longer holds a key.
func (s *slot) usable() error {
	if !s.live() || int64(Now()) >= s.notAfter.Load() {
		return ErrNotUsable
	}
	return nil
}

// MakeCurrent turns a pending key into the current one by one atomic store; then an older active one becomes
// retired, its end unchanged. Nothing happens if it is active already. ErrOrder if a greater number is
// current, ErrState if the key is retired.
func (w *Writer) MakeCurrent(clientID string, seckeyID uint64) error {
	return w.change(clientID, seckeyID, makeCurrent)
}

func makeCurrent(w *Writer, d ident, i int) error {
	s := &w.m.slots[i]
	if err := s.usable(); err != nil {
		return err
	}
	switch State(s.state.Load()) {
	case Active:
		return nil
	case Retired:
		return ErrState
	}
	if w.newerActive(d, s.seckeyID.Load()) {
		return ErrOrder
	}
	s.state.Store(uint32(Active))
	w.becameCurrent(d, i)
	return nil
}

// Retire makes a key one to open with only, until notAfter or its present end, whichever is earlier.
func (w *Writer) Retire(clientID string, seckeyID uint64, notAfter BootTime) error {
	return w.change(clientID, seckeyID, retire(notAfter))
}

func retire(notAfter BootTime) change {
	return func(w *Writer, _ ident, i int) error {
		s := &w.m.slots[i]
		if err := s.usable(); err != nil {
			return err
		}
		w.shorten(s, notAfter)
		s.state.Store(uint32(Retired))
		return nil
	}
}

// Shorten brings the end of a key forward and leaves its state; an end later than its present one is ignored.
func (w *Writer) Shorten(clientID string, seckeyID uint64, notAfter BootTime) error {
	return w.change(clientID, seckeyID, shorten(notAfter))
}

func shorten(notAfter BootTime) change {
	return func(w *Writer, _ ident, i int) error {
		s := &w.m.slots[i]
		if err := s.usable(); err != nil {
			return err
		}
		w.shorten(s, notAfter)
		return nil
	}
}

func (w *Writer) shorten(s *slot, notAfter BootTime) {
	if int64(notAfter) < s.notAfter.Load() {
		s.notAfter.Store(int64(notAfter))
		w.nextEnd = min(w.nextEnd, notAfter)
	}
}

// Wipe ends a key as Expired or Revoked: status 0, its bytes and its confirmation keys overwritten. The state
// stays visible until the entry is needed. An ended key can still go from Expired to Revoked.
func (w *Writer) Wipe(clientID string, seckeyID uint64, state State) error {
	f, err := wipe(state)
	if err != nil {
		return err
	}
	return w.change(clientID, seckeyID, f)
}

func wipe(state State) (change, error) {
	if state != Expired && state != Revoked {
		return nil, fmt.Errorf("%w: wiping ends in expired or revoked, not %v", ErrState, state)
	}
	return func(w *Writer, _ ident, i int) error {
		w.wipe(i, state)
		return nil
	}, nil
}

func (w *Writer) wipe(i int, state State) {
	s := &w.m.slots[i]
	if s.live() {
		w.m.useNum.Add(^uint32(0))
	}
	s.wipe(state)
	w.confirms.slots[i] = confirmSlot{}
}

// WipeEnded wipes every key whose end has passed and returns how many those were. It costs next to nothing
// while none can have ended.
func (w *Writer) WipeEnded() (n int, err error) {
	if err := w.begin(); err != nil {
		return 0, err
	}
	defer w.mu.Unlock()
	return w.wipeEnded(), nil
}

func (w *Writer) wipeEnded() (n int) {
	defer runtime.KeepAlive(w.m)
	now := Now()
	if now < w.nextEnd {
		return 0
	}
	w.nextEnd = math.MaxInt64
	for i := range w.m.slots {
		s := &w.m.slots[i]
		if !s.live() {
			continue
		}
		if end := BootTime(s.notAfter.Load()); end <= now {
			w.wipe(i, Expired)
			n++
		} else {
			w.nextEnd = min(w.nextEnd, end)
		}
	}
	return n
}

// WipeAll wipes every key, as Expired.
func (w *Writer) WipeAll() error {
	if err := w.begin(); err != nil {
		return err
	}
	defer w.mu.Unlock()
	defer runtime.KeepAlive(w.m)
	for i := range w.m.slots {
		if w.m.slots[i].live() {
			w.wipe(i, Expired)
		}
	}
	w.nextEnd = math.MaxInt64
	return nil
}

//go:build amd64 || arm64

package shm

import (
	"fmt"
	"runtime"
)

// Put stores a new key, with the keys that confirm it where confirm is not nil. It goes into an entry that
// holds no key: Pending to be found by its number only, Active to become current at once, by which an older
// active one is retired, Retired to open with only. ErrExists if the number is there in whatever state,
// ErrOrder if it is Active and a greater number is current, ErrFull if there is no room.
func (w *Writer) Put(e Entry, confirm *[ConfirmSize]byte) error {
	defer e.Key.Zero()
	if err := checkEntry(&e, Now()); err != nil {
		return err
	}
	if err := w.begin(); err != nil {
		return err
	}
	defer w.mu.Unlock()
	return w.put(&e, confirm)
}

// put is Put of an entry that has been checked, with w locked.
func (w *Writer) put(e *Entry, confirm *[ConfirmSize]byte) error {
	defer runtime.KeepAlive(w.m)
	defer runtime.KeepAlive(w.confirms)
	d := toIdent(e.ClientID)
	if w.m.find(d, e.SeckeyID) >= 0 {
		return fmt.Errorf("%w: client %s, key %d", ErrExists, e.ClientID, e.SeckeyID)
	}
	if e.State == Active && w.newerActive(d, e.SeckeyID) {
		return fmt.Errorf("%w: client %s, key %d", ErrOrder, e.ClientID, e.SeckeyID)
	}
	i, distance := w.place(d)
	if i < 0 {
		return fmt.Errorf("%w: client %s, key %d; %d of %d entries hold keys",
			ErrFull, e.ClientID, e.SeckeyID, w.m.useNum.Load(), len(w.m.slots))
	}
	s := &w.m.slots[i]
	if s.free() {
		w.inUse++
	}
	c := &w.confirms.slots[i]
	*c = confirmSlot{}
	if confirm != nil {
		*c = confirmSlot{seckeyID: e.SeckeyID, clientID: d, used: 1, keys: *confirm}
	}
	if distance >= w.m.maxProbe.Load() {
		w.m.maxProbe.Store(distance + 1)
	}
	s.write(e, w.hook)
	w.m.useNum.Add(1)
	w.nextEnd = min(w.nextEnd, e.NotAfter)
	if e.State == Active {
		w.becameCurrent(d, i)
	}
	return nil
}

// place chooses the entry for a new key of d and says how far from home it is; -1 if there is none. It
// prefers what costs nobody anything: a blank link, then the oldest of more ended keys of d than are kept,
// then a free entry; ended keys of others only where the table is crowded.
func (w *Writer) place(d ident) (index int, distance uint32) {
	total := w.m.total0()
	keep := keepEnded
	if w.inUse > len(w.m.slots)/2 {
		keep = 1
	}
	crowded := w.inUse > len(w.m.slots)*3/4
	type spot struct {
		i        int
		distance uint32
	}
	none := spot{-1, 0}
	blank, own, other, free := none, none, none, none
	ownEnded, lowest := 0, uint64(0)
	i := d.home(total)
	for k := range min(total, maxWalk) {
		here := spot{int(i), k}
		s := &w.m.slots[i]
		if s.free() {
			free = here
			break
		}
		if s.ended() {
			c := s.client()
			switch {
			case c == d:
				ownEnded++
				if n := s.seckeyID.Load(); own == none || n < lowest {
					own, lowest = here, n
				}
			case c == ident{}:
				if blank == none {
					blank = here
				}
			case other == none:
				other = here
			}
		}
		if i++; i == total {
			i = 0
		}
	}
	choice := none
	for _, c := range []struct {
		spot
		when bool
	}{
		{blank, true}, {own, ownEnded >= keep}, {free, !crowded}, {other, true}, {free, true}, {own, true},
	} {
		if c.when && c.spot != none {
			choice = c.spot
			break
		}
	}
	if free != none && choice != free {
		w.trim(free.i, choice.i, crowded)
	}
	return choice.i, choice.distance
}

// trim gives ended entries back that stand before the free entry at the end of a chain, so that look-ups
// end sooner: blank ones always, visible ones where the table is crowded. It spares entry keep.
func (w *Writer) trim(free, keep int, visibleToo bool) {
	for range w.m.slots {
		if free--; free < 0 {
			free = len(w.m.slots) - 1
		}
		s := &w.m.slots[free]
		if free == keep || !s.ended() || !visibleToo && s.client() != (ident{}) {
			return
		}
		s.release()
		w.inUse--
	}
}

// own calls f for every entry of d, ended ones included.
func (w *Writer) own(d ident, f func(i int, s *slot)) {
	total := w.m.total0()
	i := d.home(total)
	for range min(w.m.maxProbe.Load(), total) {
		s := &w.m.slots[i]
		if s.free() {
			return
		}
		if s.isClient(d) {
			f(int(i), s)
		}
		if i++; i == total {
			i = 0
		}
	}
}

func (w *Writer) newerActive(d ident, number uint64) (newer bool) {
	w.own(d, func(_ int, s *slot) {
		newer = newer || s.live() && State(s.state.Load()) == Active && s.seckeyID.Load() > number
	})
	return newer
}

// becameCurrent is called right after the store that made entry i current. Readers that found neither it
// nor an older one learn from the counter that they have to look again.
func (w *Writer) becameCurrent(d ident, i int) {
	w.m.changes.Add(1)
	if w.hook != nil {
		w.hook("current")
	}
	w.own(d, func(j int, s *slot) {
		if j != i && s.live() && State(s.state.Load()) == Active {
			s.state.Store(uint32(Retired))
		}
	})
}

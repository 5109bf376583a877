//go:build amd64 || arm64

package shm

import "runtime"

// repair brings the table into order, whatever the last writer was killed in. Readers may be reading.
func (w *Writer) repair() {
	defer runtime.KeepAlive(w.m)
	if !w.m.sameBoot() {
		w.reset()
	}
	w.m.maxProbe.Store(w.m.total0()) // until the true bound is known
	for i := range w.m.slots {
		w.repairSlot(i)
	}
	w.retireOlder()
	w.recount()
	w.nextEnd = 0
	w.wipeEnded()
}

// reset empties a table of another boot and takes it over for this one.
func (w *Writer) reset() {
	for i := range w.m.slots {
		w.m.slots[i].release()
		w.confirms.slots[i] = confirmSlot{}
	}
	w.m.bootID[0].Store(w.m.boot[0])
	w.m.bootID[1].Store(w.m.boot[1])
}

// repairSlot finishes what was begun on entry i: a half-written entry is emptied, a half-wiped one wiped.
func (w *Writer) repairSlot(i int) {
	s, c := &w.m.slots[i], &w.confirms.slots[i]
	if s.free() {
		if !s.empty() {
			s.release()
		}
	} else {
		d := s.client()
		state := State(s.state.Load())
		if !s.live() || !state.holdsKey() || s.keyLen.Load() != KeySize {
			s.wipe(max(min(state, Revoked), Expired))
		}
		// An odd counter; an id that nobody can ask for; a second one of the same number, or out of reach.
		if s.seq.Load()&1 != 0 || checkID(d.String()) != nil || toIdent(d.String()) != d || w.m.find(d, s.seckeyID.Load()) != i {
			s.blank()
		}
	}
	if c.used != 0 && (!s.live() || c.clientID != s.client() || c.seckeyID != s.seckeyID.Load()) {
		*c = confirmSlot{}
	}
}

// retireOlder leaves one active key to each client, the newest.
func (w *Writer) retireOlder() {
	for i := range w.m.slots {
		s := &w.m.slots[i]
		if s.live() && State(s.state.Load()) == Active && w.newerActive(s.client(), s.seckeyID.Load()) {
			s.state.Store(uint32(Retired))
		}
	}
}

// recount sets what is derived: how many entries are in use, and how far from home any stands.
func (w *Writer) recount() {
	total := w.m.total0()
	var live, probe uint32
	w.inUse = 0
	for i := range w.m.slots {
		s := &w.m.slots[i]
		if s.free() {
			continue
		}
		w.inUse++
		if s.live() {
			live++
		}
		if d := s.client(); d != (ident{}) {
			distance := (uint32(i) + total - d.home(total)) % total
			probe = max(probe, distance+1)
		}
	}
	w.m.useNum.Store(live)
	w.m.maxProbe.Store(probe)
}

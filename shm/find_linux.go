//go:build amd64 || arm64

package shm

import (
	"encoding/binary"
	"runtime"
)

// A look-up that finds nothing may have met the table in the middle of a change: it saw the new key before
// it became current and the old one after. The change counter tells; then it looks again. In so many
// rounds running that cannot go on unless the writer changes this client's key all the time.
const maxRounds = 64

// find returns the entry of (d, number), -1 if there is none. It passes over entries that are being written.
func (m *mapping) find(d ident, number uint64) int {
	total := m.total0()
	i := d.home(total)
	for range min(m.maxProbe.Load(), total) {
		s := &m.slots[i]
		seq := s.seq.Load()
		if s.state.Load() == 0 {
			return -1
		}
		if s.seckeyID.Load() == number && s.isClient(d) && seq&1 == 0 && s.seq.Load() == seq {
			return int(i)
		}
		if i++; i == total {
			i = 0
		}
	}
	return -1
}

// total0 is the number of entries as it was validated: the word in the head is not to be trusted again.
func (m *mapping) total0() uint32 { return uint32(len(m.slots)) }

// copyOut copies entry i into e. It returns false if the entry was being written.
func (m *mapping) copyOut(i int, d ident, e *Entry) bool {
	s := &m.slots[i]
	for range 4 {
		seq := s.seq.Load()
		if seq&1 != 0 {
			return false
		}
		if !s.isClient(d) {
			return false
		}
		status := s.status.Load()
		e.SeckeyID = s.seckeyID.Load()
		e.State = State(s.state.Load())
		keyLen := s.keyLen.Load()
		e.NotBefore = BootTime(s.notBefore.Load())
		e.NotAfter = BootTime(s.notAfter.Load())
		e.Generation = s.generation.Load()
		server := ident{s.serverID[0].Load(), s.serverID[1].Load(), s.serverID[2].Load()}
		for w := range KeySize / 8 {
			binary.LittleEndian.PutUint64(e.Key[8*w:], s.seckey[w].Load())
		}
		binary.LittleEndian.PutUint64(e.Fingerprint[:], s.fingerprint.Load())
		if s.seq.Load() != seq {
			continue
		}
		e.ServerID = m.serverText(server)
		e.Usable = status == 1 && keyLen == KeySize && e.State.holdsKey()
		return true
	}
	return false
}

// settle makes e what a caller may see at this time: no key unless usable, Expired where the end has passed.
func (e *Entry) settle(now BootTime, sameBoot bool) {
	if e.Usable && (!sameBoot || now >= e.NotAfter) {
		e.Usable = false
	}
	if !e.Usable {
		e.Key.Zero()
		if e.State.holdsKey() {
			e.State = Expired
		}
	}
}

// key looks (client, number) up. ErrNotUsable comes with the entry, without its key.
func (m *mapping) key(client string, number uint64, now BootTime, e *Entry) error {
	d := toIdent(client)
	i := m.find(d, number)
	if i < 0 || !m.copyOut(i, d, e) || e.SeckeyID != number || e.State == 0 {
		runtime.KeepAlive(m)
		*e = Entry{}
		return ErrNotFound
	}
	e.ClientID = client
	e.settle(now, m.sameBoot())
	runtime.KeepAlive(m)
	if !e.Usable {
		return ErrNotUsable
	}
	return nil
}

// current looks up the active key of client with the greatest number.
func (m *mapping) current(client string, now BootTime, e *Entry) error {
	defer runtime.KeepAlive(m)
	d := toIdent(client)
	for round := 0; round < maxRounds && m.sameBoot(); round++ {
		changes := m.changes.Load()
		if round > 0 {
			now = fastNow()
		}
		i, moved, early := m.findCurrent(d, now)
		if i >= 0 {
			if m.copyOut(i, d, e) && e.Usable && (e.State == Active || e.State == Retired) {
				e.ClientID = client
				if e.settle(now, true); e.Usable {
					return nil
				}
			}
			moved = true
		}
		// A key that seems not to have begun became current after the caller read the clock.
		if round == 0 && early {
			moved = true
		}
		if !moved && m.changes.Load() == changes {
			break
		}
	}
	*e = Entry{}
	return ErrNoCurrent
}

// findCurrent walks the client's entries once. moved tells that one of them changed meanwhile, early that
// one has not begun.
func (m *mapping) findCurrent(d ident, now BootTime) (best int, moved, early bool) {
	best = -1
	var number uint64
	total := m.total0()
	i := d.home(total)
	for range min(m.maxProbe.Load(), total) {
		s := &m.slots[i]
		seq := s.seq.Load()
		state := State(s.state.Load())
		if state == 0 {
			break
		}
		if state == Active && s.isClient(d) && s.status.Load() == 1 && seq&1 == 0 {
			n, from, to := s.seckeyID.Load(), s.notBefore.Load(), s.notAfter.Load()
			switch {
			case s.seq.Load() != seq:
				moved = true
			case int64(now) < from:
				early = true
			case n > number && int64(now) < to:
				best, number = int(i), n
			}
		}
		if i++; i == total {
			i = 0
		}
	}
	return best, moved, early
}

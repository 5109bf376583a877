//go:build amd64 || arm64

package shm

import "encoding/binary"

// keepEnded is how many ended keys of a client stay visible, with their state but without their bytes,
// while the table has room; above half full it is one.
const keepEnded = 4

// maxWalk bounds how far from its home an entry is ever placed.
const maxWalk = 8192

func (s *slot) free() bool  { return s.state.Load() == 0 }
func (s *slot) ended() bool { return s.state.Load() != 0 && s.status.Load() == 0 }
func (s *slot) live() bool  { return s.status.Load() == 1 }

// empty tells whether a free entry is really all zero but for seq.
func (s *slot) empty() bool {
	bits := uint64(s.status.Load()) | s.seckeyID.Load() | s.fingerprint.Load() | s.generation.Load()
	for i := range s.seckey {
		bits |= s.seckey[i].Load()
	}
	return bits == 0 && s.client() == ident{}
}

// write fills an entry that holds no key. hook is for tests, which stop there.
func (s *slot) write(e *Entry, hook func(string)) {
	seq := s.seq.Load() | 1
	s.seq.Store(seq)
	s.seckeyID.Store(e.SeckeyID)
	for i, w := range toIdent(e.ClientID) {
		s.clientID[i].Store(w)
	}
	for i, w := range toIdent(e.ServerID) {
		s.serverID[i].Store(w)
	}
	s.notBefore.Store(int64(e.NotBefore))
	s.notAfter.Store(int64(e.NotAfter))
	s.fingerprint.Store(binary.LittleEndian.Uint64(e.Fingerprint[:]))
	s.generation.Store(e.Generation)
	for i := range 2 {
		s.seckey[i].Store(binary.LittleEndian.Uint64(e.Key[8*i:]))
	}
	if hook != nil {
		hook("write")
	}
	for i := 2; i < len(s.seckey); i++ {
		var w uint64
		if i < KeySize/8 {
			w = binary.LittleEndian.Uint64(e.Key[8*i:])
		}
		s.seckey[i].Store(w)
	}
	s.keyLen.Store(KeySize)
	s.state.Store(uint32(e.State))
	s.status.Store(1)
	s.seq.Store(seq + 1)
}

// wipe ends a key: its state first, by which no reader uses it any more; then the counter, by which one
// that is copying notices; then the bytes. The counter stays even, so that the state can be read throughout.
func (s *slot) wipe(state State) {
	s.state.Store(uint32(max(state, State(s.state.Load()))))
	s.status.Store(0)
	s.seq.Add(2)
	for i := range s.seckey {
		s.seckey[i].Store(0)
	}
	s.keyLen.Store(0)
}

// blank makes an entry of unknown content a link in the chain and nothing else.
func (s *slot) blank() {
	seq := s.seq.Load() | 1
	s.seq.Store(seq)
	s.status.Store(0)
	s.state.Store(uint32(Expired))
	s.clear()
	s.seq.Store(seq + 1)
}

// release gives an ended entry back as never used. Only at the end of a chain.
func (s *slot) release() {
	seq := s.seq.Load() | 1
	s.seq.Store(seq)
	s.state.Store(0)
	s.status.Store(0)
	s.clear()
	s.seq.Store(seq + 1)
}

// clear zeroes all but seq, status and state.
func (s *slot) clear() {
	for i := range s.seckey {
		s.seckey[i].Store(0)
	}
	for i := range s.clientID {
		s.clientID[i].Store(0)
		s.serverID[i].Store(0)
	}
	s.seckeyID.Store(0)
	s.keyLen.Store(0)
	s.notBefore.Store(0)
	s.notAfter.Store(0)
	s.fingerprint.Store(0)
	s.generation.Store(0)
}

package keyservice

import (
	"context"
	"io"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// seals are the k_seal of the keys that were negotiated on one connection
// (§5). They live in its memory, nowhere else, and are wiped when it closes.
type seals struct {
	keys     map[uint64]*kex.SealKey
	verified uint64 // the greatest number that was verified here as well; 0: none
}

// sealsBehind is how many numbers below the newest a key is kept, so that not
// verifying them does not pile them up: no more than two can be pending (§8).
const sealsBehind = 8

// keep takes a copy of the seal key of a fresh key.
func (s *seals) keep(seckeyid uint64, k *kex.SealKey) {
	if s.keys == nil {
		s.keys = make(map[uint64]*kex.SealKey)
	}
	for n := range s.keys {
		if n != s.verified && n+sealsBehind <= seckeyid {
			s.drop(n)
		}
	}
	copied := *k
	s.keys[seckeyid] = &copied
}

// active notes that a key of this connection has become the active one, which
// ends all before it.
func (s *seals) active(seckeyid uint64) {
	if s.keys[seckeyid] == nil || seckeyid <= s.verified {
		return
	}
	s.verified = seckeyid
	for n := range s.keys {
		if n < seckeyid {
			s.drop(n)
		}
	}
}

func (s *seals) drop(seckeyid uint64) {
	s.keys[seckeyid].Zero()
	delete(s.keys, seckeyid)
}

func (s *seals) wipe() {
	for n := range s.keys {
		s.drop(n)
	}
}

// Wipe erases what the peer's connection held, once nobody uses it any more.
func (p *Peer) Wipe() {
	p.seals.wipe()
	if p.Keys != nil {
		p.Keys.Zero()
	}
}

// envelope seals one token into one reply. It is chosen before anything is
// done, and used even if its key ends meanwhile (§5).
type envelope struct {
	seckeyid uint64
	key      *kex.SealKey
	nonce    [12]byte
}

// envelope takes the key that was negotiated and verified on this connection
// and is active now, or fails with CodeNoSealKey.
func (s *Service) envelope(ctx context.Context, p *Peer) (*envelope, error) {
	active, err := s.Keys(ctx, KeyQuery{Outlet: p.ClientID, ByNumber: true, States: []wire.State{wire.StateActive}, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(active) == 0 || active[0].Seckeyid != p.seals.verified {
		return nil, wire.CodeNoSealKey
	}
	e := &envelope{seckeyid: p.seals.verified, key: p.seals.keys[p.seals.verified]}
	if _, err := io.ReadFull(s.cfg.Random, e.nonce[:]); err != nil {
		s.cfg.Log.Error("no randomness", "error", err)
		return nil, wire.CodeInternal
	}
	return e, nil
}

// close seals a token into the reply numbered number to a request.
func (e *envelope) close(p *Peer, t *wire.Token, number uint64, request wire.MAC) ([]byte, error) {
	ascii, err := t.Encode()
	if err != nil {
		return nil, err
	}
	token := []byte(ascii)
	defer clear(token)
	return e.key.SealToken(p.Keys, &e.nonce, token, number, request), nil
}

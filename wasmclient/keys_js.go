package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

var kinds = map[client.ChangeKind]string{
	client.KeyEntered: "entered", client.KeyCurrent: "current", client.KeyRetired: "retired",
	client.KeyWiped: "wiped", client.KeyNeeded: "needed", client.KeeperFailed: "failed",
}

// keyChanged is called with the keeper locked: it passes on and returns.
func (s *session) keyChanged(c client.Change) {
	if c.Kind == client.KeyVerified {
		return // the page has the reply
	}
	s.mu.Lock()
	switch c.Kind {
	case client.KeyEntered:
		s.shown[c.Seckeyid] = true
	case client.KeyWiped:
		delete(s.shown, c.Seckeyid)
	}
	s.mu.Unlock()
	change := record{{"kind", kinds[c.Kind]}, {"seckeyid", c.Seckeyid}}
	if c.State != 0 {
		change = append(change, entry{"state", c.State})
	}
	if c.Err != nil {
		change = append(change, entry{"cause", c.Err.Error()})
	}
	s.tell(s.on.key, change)
}

// sweep wipes keys when their end has come, and says so: the keeper learns of
// it from the server alone.
func (s *session) sweep() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.alive.Done():
			return
		}
		lapsed := false
		for _, n := range s.gone() {
			lapsed = true
			s.keyChanged(client.Change{Kind: client.KeyWiped, Seckeyid: n, State: wire.StateExpired})
		}
		if !lapsed {
			continue
		}
		if needed, err := s.keeper.NeedsKey(); err == nil && needed {
			s.keyChanged(client.Change{Kind: client.KeyNeeded})
		}
	}
}

// gone lists the keys that the page knows and that are not there any more.
func (s *session) gone() (numbers []uint64) {
	s.mu.Lock()
	known := make([]uint64, 0, len(s.shown))
	for n := range s.shown {
		known = append(known, n)
	}
	s.mu.Unlock()
	keys, err := s.keeper.Keys() // after shown was read: what is entered now is not taken for gone
	if err != nil {
		return nil
	}
	living := map[uint64]bool{}
	for _, key := range keys {
		living[key.Seckeyid] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range known {
		if s.shown[n] && !living[n] {
			delete(s.shown, n)
			numbers = append(numbers, n)
		}
	}
	return numbers
}

func (s *session) negotiate(ctx context.Context, c *client.Session) (any, error) {
	o, err := s.keeper.Negotiate(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.describeKey(o.Seckeyid, o.FP, o.State, o.NotAfter)
}

func (s *session) verify(ctx context.Context, c *client.Session, seckeyid uint64) (any, error) {
	held, err := s.holder.Read(seckeyid)
	if err != nil {
		return nil, err
	}
	fp := held.Key.Fingerprint()
	held.Zero()
	state, err := s.keeper.Verify(ctx, c, seckeyid)
	if err != nil {
		return nil, err
	}
	key, err := s.heldKey(seckeyid)
	if errors.Is(err, client.ErrNoKey) { // verified to have ended
		return s.describeKey(seckeyid, fp, state, s.clock())
	}
	if err != nil {
		return nil, err
	}
	return s.describeKey(seckeyid, fp, state, key.NotAfter)
}

func (s *session) heldKey(seckeyid uint64) (client.HeldKey, error) {
	keys, err := s.keeper.Keys()
	for _, key := range keys {
		if key.Seckeyid == seckeyid {
			return key, err
		}
	}
	return client.HeldKey{}, errors.Join(client.ErrNoKey, err)
}

func (s *session) describeKey(seckeyid uint64, fp wire.Fingerprint, state wire.State, notAfter time.Duration) (record, error) {
	current := false
	if key, err := s.heldKey(seckeyid); err == nil {
		current = key.State == wire.StateActive
	}
	return record{{"seckeyid", seckeyid}, {"fingerprint", fp.String()}, {"state", state}, {"current", current},
		{"endsIn", max(0, notAfter-s.clock())}}, nil
}

// keys lists the living ones, newest first.
func (s *session) keys() []record {
	list := []record{}
	keys, err := s.keeper.Keys()
	if err != nil {
		return list
	}
	for _, key := range keys {
		held, err := s.holder.Read(key.Seckeyid)
		if err != nil {
			continue // its end has come between
		}
		list = append(list, record{{"seckeyid", key.Seckeyid}, {"fingerprint", held.Key.Fingerprint().String()},
			{"state", key.State}, {"current", key.State == wire.StateActive}, {"endsIn", max(0, key.NotAfter-s.clock())}})
		held.Zero()
	}
	return list
}

// sealLabel keeps what a page seals apart from all other uses of the key.
const sealLabel = "hufu console seal"

// seal returns nonce ‖ AES-256-GCM(HKDF(key, sealLabel), nonce, text), the
// key's number being authenticated with it.
func (s *session) seal(seckeyid uint64, text string) (any, error) {
	n, held, err := s.holder.Current()
	if err != nil {
		return nil, err
	}
	defer held.Zero()
	if n != seckeyid {
		return nil, errNotCurrent
	}
	aead, err := pageAEAD(held)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return aead.Seal(nonce, nonce, []byte(text), sealAAD(seckeyid)), nil
}

// unseal opens what seal made.
func (s *session) unseal(seckeyid uint64, sealed []byte) (any, error) {
	held, err := s.holder.Read(seckeyid)
	if err != nil {
		return nil, err
	}
	defer held.Zero()
	aead, err := pageAEAD(held)
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errSealed
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], sealAAD(seckeyid))
	if err != nil {
		return nil, errSealed
	}
	return string(text), nil
}

func sealAAD(seckeyid uint64) []byte { return wire.NewE(sealLabel).Uint(seckeyid).Sum() }

func pageAEAD(held *kex.Held) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, held.Key.Bytes()[:], nil, sealLabel, 32)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Package seal keeps secrets and keys at rest: AES-256-GCM under a key ring, a
// file of its own that never stands in the database.
//
// A sealed value is
//
//	version 1, 1 byte ‖ ring key's number, U32 ‖ salt, 32 bytes ‖ AES-256-GCM(row key, nonce 0, plain, associated data)
//
// where the row key is HKDF-SHA-256(ring key, salt, "hufu1 row"). The salt is
// fresh for every seal, so that every row key seals once and the nonce may be
// fixed. Associated data binds the value to its row (docs/protocol.md §9).
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

var (
	// ErrWrongRing says that the key ring is not the one under which the store was sealed.
	ErrWrongRing = errors.New("seal: this key ring is not the one that the store was sealed under; start with the ring that belongs to it")
	// ErrNoKey says that the ring lacks the key that a value was sealed under.
	ErrNoKey = errors.New("seal: the key ring lacks the key that a value was sealed under; put back the whole ring")
	// ErrDamaged says that a value was changed, or belongs to another row.
	ErrDamaged = errors.New("seal: a sealed value is damaged or stands in another's place")
)

const (
	version  = 1
	keySize  = 32
	saltSize = 32
	header   = 1 + 4 + saltSize
	tagSize  = 16
)

// Status is what a key of the ring is for.
type Status string

const (
	Primary Status = "primary" // seals and opens; there is one
	Active  Status = "active"  // opens; what it sealed is re-sealed by a rotation
	Retired Status = "retired" // nothing is sealed under it any more; kept for old backups
)

// Key is one key of the ring.
type Key struct {
	Number  uint32
	Status  Status
	Created time.Time
	secret  [keySize]byte
}

// String shows no key material.
func (k Key) String() string { return fmt.Sprintf("ring key %d (%s)", k.Number, k.Status) }

// Ring is a key ring in memory. It is safe for use by many goroutines.
type Ring struct {
	mu       sync.RWMutex
	path     string    // its file; empty: none
	read     time.Time // when the file that was read was last modified
	serverID string
	keys     []Key
}

// newRing makes a ring with one fresh primary key.
func newRing(serverID string, now time.Time) *Ring {
	r := &Ring{serverID: serverID}
	r.promote(r.add(now))
	return r
}

// add puts a fresh key into the ring, which opens and does not seal yet, and
// returns its number.
func (r *Ring) add(now time.Time) uint32 {
	k := Key{Number: r.newest() + 1, Status: Active, Created: now.UTC().Truncate(time.Second)}
	rand.Read(k.secret[:])
	r.keys = append(r.keys, k)
	return k.Number
}

// newest is the greatest number in the ring.
func (r *Ring) newest() (n uint32) {
	for i := range r.keys {
		n = max(n, r.keys[i].Number)
	}
	return n
}

// promote makes a key the primary one; the one before stays active.
func (r *Ring) promote(number uint32) {
	for i := range r.keys {
		switch {
		case r.keys[i].Number == number:
			r.keys[i].Status = Primary
		case r.keys[i].Status == Primary:
			r.keys[i].Status = Active
		}
	}
}

// Primary is the number of the key that seals.
func (r *Ring) Primary() uint32 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := range r.keys {
		if r.keys[i].Status == Primary {
			return r.keys[i].Number
		}
	}
	return 0
}

// Stale reports whether a value was sealed under another key than the primary one.
func (r *Ring) Stale(sealed []byte) bool {
	number, err := KeyNumber(sealed)
	return err == nil && number != r.Primary()
}

// ServerID is the server that the ring belongs to.
func (r *Ring) ServerID() string { return r.serverID }

// Keys lists the ring's keys without their material.
func (r *Ring) Keys() []Key {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]Key, len(r.keys))
	for i, k := range r.keys {
		out[i] = Key{Number: k.Number, Status: k.Status, Created: k.Created}
	}
	return out
}

// Seal seals plain under the primary key, bound to associated.
func (r *Ring) Seal(plain, associated []byte) ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := range r.keys {
		if r.keys[i].Status == Primary {
			return r.keys[i].seal(plain, associated)
		}
	}
	return nil, ErrNoKey
}

func (k *Key) seal(plain, associated []byte) ([]byte, error) {
	sealed := make([]byte, header, header+len(plain)+tagSize)
	sealed[0] = version
	binary.BigEndian.PutUint32(sealed[1:], k.Number)
	rand.Read(sealed[5:header])
	aead, err := k.row(sealed[5:header])
	if err != nil {
		return nil, err
	}
	return aead.Seal(sealed, make([]byte, aead.NonceSize()), plain, associated), nil
}

// Open opens a sealed value. ErrNoKey and ErrDamaged tell why it does not open.
// A key that is not in the ring may have been added to its file just now, by
// another process that seals under it already: the file is then read again.
func (r *Ring) Open(sealed, associated []byte) ([]byte, error) {
	number, err := KeyNumber(sealed)
	if err != nil {
		return nil, err
	}
	k, ok := r.key(number)
	if !ok && r.path != "" {
		if _, err := r.Reload(); err != nil {
			return nil, errors.Join(ErrNoKey, err)
		}
		k, ok = r.key(number)
	}
	if !ok {
		return nil, fmt.Errorf("%w: number %d", ErrNoKey, number)
	}
	defer clear(k.secret[:])
	aead, err := k.row(sealed[5:header])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed[header:], associated)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// key returns a copy of the key with that number.
func (r *Ring) key(number uint32) (Key, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i := slices.IndexFunc(r.keys, func(k Key) bool { return k.Number == number })
	if i < 0 {
		return Key{}, false
	}
	return r.keys[i], true
}

// KeyNumber tells which key of the ring a value was sealed under.
func KeyNumber(sealed []byte) (uint32, error) {
	if len(sealed) < header+tagSize || sealed[0] != version {
		return 0, ErrDamaged
	}
	return binary.BigEndian.Uint32(sealed[1:]), nil
}

// row derives the row key's cipher.
func (k *Key) row(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, k.secret[:], salt, "hufu1 row", keySize)
	if err != nil {
		return nil, fmt.Errorf("seal: HKDF: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("seal: AES-256: %w", err)
	}
	return cipher.NewGCM(block)
}

// checkValue is sealed into the store at its first start: it opens under the
// ring that the store belongs to, and under no other.
const checkValue = "hufu ring check"

// SealCheck seals the known value.
func (r *Ring) SealCheck() ([]byte, error) {
	return r.Seal([]byte(checkValue), []byte("hufu1 ring check "+r.serverID))
}

// OpenCheck tells by the known value whether the store was sealed under this
// ring: ErrWrongRing if not.
func (r *Ring) OpenCheck(sealed []byte) error {
	plain, err := r.Open(sealed, []byte("hufu1 ring check "+r.serverID))
	if err != nil || string(plain) != checkValue {
		return ErrWrongRing
	}
	return nil
}

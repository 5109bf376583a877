package kex

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"hufu/shared/wire"
)

// Every key is a type of its own, cannot be compared with ==, and shows
// nothing of itself in any print or log.

const keySize = 32

// hidden makes that of whatever embeds it nothing is printed, logged or
// marshalled. fmt reaches past it where a value stands in an unexported field
// of a struct that is printed: hold keys by pointer there.
type hidden struct{}

func (hidden) String() string               { return "[redacted]" }
func (hidden) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "[redacted]") }
func (hidden) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// secretBytes is 32 bytes that are never printed.
type secretBytes struct {
	hidden
	_ [0]func() // not comparable: use constant time
	b [keySize]byte
}

// Zero wipes the key, as far as Go can: copies that the runtime made stay.
func (s *secretBytes) Zero() { clear(s.b[:]) }

// Key is the agreed key, 32 bytes. Applications derive from it under labels of
// their own.
type Key struct{ secretBytes }

// NewKey copies 32 bytes into a Key.
func NewKey(b *[keySize]byte) Key { return Key{secretBytes{b: *b}} }

// Bytes returns the key itself, for its holder and shared memory alone.
func (k *Key) Bytes() *[keySize]byte { return &k.b }

// Fingerprint is what may be shown of the key (§4).
func (k *Key) Fingerprint() wire.Fingerprint {
	sum := sha256.Sum256(wire.NewE("hufu1 fp").Bytes(k.b[:]).Sum())
	return wire.Fingerprint(sum[:8])
}

// Equal compares in constant time.
func (k *Key) Equal(other *Key) bool { return subtle.ConstantTimeCompare(k.b[:], other.b[:]) == 1 }

// ConfirmKeys are k_cc and k_sc, by which either end proves later that it holds the key.
type ConfirmKeys struct {
	hidden
	client, server secretBytes
}

// ConfirmSize is the length of ConfirmKeys' bytes: k_cc ‖ k_sc.
const ConfirmSize = 2 * keySize

// NewConfirmKeys takes k_cc ‖ k_sc.
func NewConfirmKeys(b *[ConfirmSize]byte) (c ConfirmKeys) {
	copy(c.client.b[:], b[:keySize])
	copy(c.server.b[:], b[keySize:])
	return c
}

// Bytes returns k_cc ‖ k_sc.
func (c *ConfirmKeys) Bytes() (b [ConfirmSize]byte) {
	copy(b[:keySize], c.client.b[:])
	copy(b[keySize:], c.server.b[:])
	return b
}

func (c *ConfirmKeys) Zero() {
	c.client.Zero()
	c.server.Zero()
}

// SealKey is k_seal: it lives in the memory of the connection that negotiated it.
type SealKey struct{ secretBytes }

// Held is what both ends keep of an agreed key: key ‖ k_cc ‖ k_sc.
type Held struct {
	hidden
	Key     Key
	Confirm ConfirmKeys
}

// HeldSize is the length of Held's bytes.
const HeldSize = keySize + ConfirmSize

// Bytes returns key ‖ k_cc ‖ k_sc, to be sealed.
func (h *Held) Bytes() []byte {
	confirm := h.Confirm.Bytes()
	defer clear(confirm[:])
	return append(append(make([]byte, 0, HeldSize), h.Key.b[:]...), confirm[:]...)
}

// ParseHeld is the inverse of Bytes.
func ParseHeld(b []byte) (*Held, error) {
	if len(b) != HeldSize {
		return nil, fmt.Errorf("kex: a held key has %d bytes, not %d", HeldSize, len(b))
	}
	return &Held{Key: NewKey((*[keySize]byte)(b)), Confirm: NewConfirmKeys((*[ConfirmSize]byte)(b[keySize:]))}, nil
}

// Zero wipes all three.
func (h *Held) Zero() {
	h.Key.Zero()
	h.Confirm.Zero()
}

// extract is HKDF-Extract with SHA-256 (RFC 5869 §2.2).
func extract(salt, ikm []byte) []byte {
	prk, err := hkdf.Extract(sha256.New, ikm, salt)
	if err != nil {
		panic("kex: HKDF-Extract: " + err.Error()) // only in a FIPS mode that forbids the input; no input of ours is short
	}
	return prk
}

// expand is HKDF-Expand with SHA-256 to 32 bytes (RFC 5869 §2.3).
func expand(prk []byte, info *wire.E) (s secretBytes) {
	okm, err := hkdf.Expand(sha256.New, prk, string(info.Sum()), keySize)
	if err != nil {
		panic("kex: HKDF-Expand: " + err.Error()) // as above
	}
	copy(s.b[:], okm)
	clear(okm)
	return s
}

func mac(key *secretBytes, input []byte) (m [wire.SizeMAC]byte) {
	h := hmac.New(sha256.New, key.b[:])
	h.Write(input)
	h.Sum(m[:0])
	return m
}

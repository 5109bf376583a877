package kex

import (
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"hufu/shared/wire"
)

var (
	// ErrShare refuses the peer's share: ML-KEM's input check failed (FIPS 203
	// §7.2, §7.3) or X25519 gave all zeros (RFC 7748 §6.1).
	ErrShare = errors.New("kex: the peer's share is not valid")
	// ErrConfirm says that the peer does not hold the key that we derived.
	ErrConfirm = errors.New("kex: the peer does not hold the same key")
)

// encapsulate is a variable for the sake of the vectors, which need its
// randomness; the standard library gives it to tests alone.
var encapsulate = (*mlkem.EncapsulationKey768).Encapsulate

// Initiator is a client's half of one exchange, from its offer to the reply.
type Initiator struct {
	hidden
	r1    [wire.SizeRandom]byte
	kem   *mlkem.DecapsulationKey768
	ecdh  *ecdh.PrivateKey
	share [wire.SizeShareC]byte
}

// NewInitiator draws r1 (32 bytes), an ML-KEM-768 seed d ‖ z (64 bytes) and an
// X25519 private key (32 bytes) from rand, in this order.
func NewInitiator(rand io.Reader) (*Initiator, error) {
	var drawn [wire.SizeRandom + mlkem.SeedSize + wire.SizeX25519]byte
	defer clear(drawn[:])
	if _, err := io.ReadFull(rand, drawn[:]); err != nil {
		return nil, fmt.Errorf("kex: no randomness: %w", err)
	}
	i := &Initiator{r1: [wire.SizeRandom]byte(drawn[:wire.SizeRandom])}
	seed := drawn[wire.SizeRandom:]
	var err error
	if i.kem, err = mlkem.NewDecapsulationKey768(seed[:mlkem.SeedSize]); err != nil {
		return nil, fmt.Errorf("kex: ML-KEM-768: %w", err)
	}
	if i.ecdh, err = ecdh.X25519().NewPrivateKey(seed[mlkem.SeedSize:]); err != nil {
		return nil, fmt.Errorf("kex: X25519: %w", err)
	}
	copy(i.share[:wire.SizeEK], i.kem.EncapsulationKey().Bytes())
	copy(i.share[wire.SizeEK:], i.ecdh.PublicKey().Bytes())
	return i, nil
}

// Offer fills in r1 and share.
func (i *Initiator) Offer(m *wire.Negotiate) { m.R1, m.Share = i.r1, i.share }

// Accept derives the key from an authentic reply to the request numbered q and
// checks that the server holds it too. The initiator is of no use afterwards.
func (i *Initiator) Accept(c *Conn, q uint64, ok *wire.NegotiateOK) (*Agreed, error) {
	kemSecret, err := i.kem.Decapsulate(ok.Share[:wire.SizeCiphertext])
	if err != nil {
		return nil, fmt.Errorf("%w: ML-KEM-768", ErrShare)
	}
	z, err := combine(kemSecret, i.ecdh, ok.Share[wire.SizeCiphertext:])
	if err != nil {
		return nil, err
	}
	defer clear(z)
	a := c.agree(z, transcript{q: q, r1: &i.r1, shareC: &i.share, r2: &ok.R2, shareS: &ok.Share,
		seckeyid: ok.Seckeyid, lifetime: ok.Lifetime})
	if confirm := a.confirm(); !hmac.Equal(confirm[:], ok.Confirm[:]) {
		a.Zero()
		return nil, ErrConfirm
	}
	return a, nil
}

// Response is the server's asymmetric work for one negotiate: all that can be
// done before the key has a number.
type Response struct {
	hidden
	z     []byte
	r2    [wire.SizeRandom]byte
	share [wire.SizeShareS]byte
}

// Respond draws r2 (32 bytes) and an X25519 private key (32 bytes) from rand,
// in this order, and encapsulates. ErrShare refuses the client's share.
func Respond(rand io.Reader, m *wire.Negotiate) (*Response, error) {
	var drawn [wire.SizeRandom + wire.SizeX25519]byte
	defer clear(drawn[:])
	if _, err := io.ReadFull(rand, drawn[:]); err != nil {
		return nil, fmt.Errorf("kex: no randomness: %w", err)
	}
	ek, err := mlkem.NewEncapsulationKey768(m.Share[:wire.SizeEK])
	if err != nil {
		return nil, fmt.Errorf("%w: ML-KEM-768", ErrShare)
	}
	private, err := ecdh.X25519().NewPrivateKey(drawn[wire.SizeRandom:])
	if err != nil {
		return nil, fmt.Errorf("kex: X25519: %w", err)
	}
	r := &Response{r2: [wire.SizeRandom]byte(drawn[:wire.SizeRandom])}
	kemSecret, ciphertext := encapsulate(ek)
	if r.z, err = combine(kemSecret, private, m.Share[wire.SizeEK:]); err != nil {
		return nil, err
	}
	copy(r.share[:wire.SizeCiphertext], ciphertext)
	copy(r.share[wire.SizeCiphertext:], private.PublicKey().Bytes())
	return r, nil
}

// Agree derives the key under its number and lifetime in seconds, and fills in
// the reply's body. It may be called again with another number, if the store
// has to repeat its transaction; Zero ends it.
func (r *Response) Agree(c *Conn, m *wire.Negotiate, seckeyid, lifetime uint64, ok *wire.NegotiateOK) *Agreed {
	ok.Seckeyid, ok.R2, ok.Share, ok.Lifetime = seckeyid, r.r2, r.share, lifetime
	a := c.agree(r.z, transcript{q: m.Q, r1: &m.R1, shareC: &m.Share, r2: &r.r2, shareS: &r.share,
		seckeyid: seckeyid, lifetime: lifetime})
	ok.Confirm = a.confirm()
	return a
}

// Zero wipes what the key was derived from.
func (r *Response) Zero() { clear(r.z) }

// combine returns Z = ss_mlkem ‖ ss_x25519, 64 bytes, and wipes its parts.
func combine(kemSecret []byte, private *ecdh.PrivateKey, peer []byte) ([]byte, error) {
	defer clear(kemSecret)
	public, err := ecdh.X25519().NewPublicKey(peer)
	if err != nil {
		return nil, fmt.Errorf("%w: X25519", ErrShare)
	}
	shared, err := private.ECDH(public) // refuses an all-zero result
	if err != nil {
		return nil, fmt.Errorf("%w: X25519", ErrShare)
	}
	defer clear(shared)
	return append(append(make([]byte, 0, len(kemSecret)+len(shared)), kemSecret...), shared...), nil
}

// transcript is what th covers besides th0 and the identifiers.
type transcript struct {
	q                  uint64
	r1, r2             *[wire.SizeRandom]byte
	shareC             *[wire.SizeShareC]byte
	shareS             *[wire.SizeShareS]byte
	seckeyid, lifetime uint64
}

// Agreed is the outcome of one exchange.
type Agreed struct {
	Held
	Seal SealKey
	th   [sha256.Size]byte
}

// agree is the key schedule from Z to the four keys (§4).
func (c *Conn) agree(z []byte, t transcript) *Agreed {
	a := &Agreed{}
	a.th = sha256.Sum256(wire.NewE("hufu1 neg").Bytes(c.th0[:]).Uint(t.q).Text(c.id.ClientID).Text(c.id.ServerID).
		Bytes(t.r1[:]).Bytes(t.shareC[:]).Bytes(t.r2[:]).Bytes(t.shareS[:]).Uint(t.seckeyid).Uint(t.lifetime).Sum())
	prk := extract(c.mix.b[:], z)
	defer clear(prk)
	ms := expand(prk, wire.NewE("hufu1 master").Bytes(a.th[:]))
	defer ms.Zero()
	a.Key.secretBytes = expand(ms.b[:], wire.NewE("hufu1 key"))
	a.Confirm.client = expand(ms.b[:], wire.NewE("hufu1 cconf"))
	a.Confirm.server = expand(ms.b[:], wire.NewE("hufu1 sconf"))
	a.Seal.secretBytes = expand(ms.b[:], wire.NewE("hufu1 seal"))
	return a
}

// confirm is the server's first proof, in negotiate ok (§5).
func (a *Agreed) confirm() [wire.SizeConfirm]byte {
	return mac(&a.Confirm.server, wire.NewE("hufu1 hneg").Bytes(a.th[:]).Sum())
}

// Zero wipes all of it.
func (a *Agreed) Zero() {
	a.Held.Zero()
	a.Seal.Zero()
}

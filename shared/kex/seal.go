package kex

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"

	"hufu/shared/wire"
)

// ErrSealed says that a sealed token was not made for this place, or was changed.
var ErrSealed = errors.New("kex: the sealed token does not open")

const sealNonceSize = 12

// SealToken seals a new token for the reply numbered p to the request with
// authCode request: nonce ‖ AES-256-GCM (§5). The nonce must be fresh.
func (k *SealKey) SealToken(c *Conn, nonce *[sealNonceSize]byte, token []byte, p uint64, request wire.MAC) []byte {
	return k.aead().Seal(append([]byte(nil), nonce[:]...), nonce[:], token, c.sealedAD(p, request))
}

// OpenToken is the inverse of SealToken.
func (k *SealKey) OpenToken(c *Conn, sealed []byte, p uint64, request wire.MAC) ([]byte, error) {
	if len(sealed) < sealNonceSize {
		return nil, ErrSealed
	}
	token, err := k.aead().Open(nil, sealed[:sealNonceSize], sealed[sealNonceSize:], c.sealedAD(p, request))
	if err != nil {
		return nil, ErrSealed
	}
	return token, nil
}

func (c *Conn) sealedAD(p uint64, request wire.MAC) []byte {
	return wire.NewE("hufu1 sealed").Bytes(c.th0[:]).Uint(p).Bytes(request[:]).Sum()
}

func (k *SealKey) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.b[:])
	if err != nil {
		panic("kex: AES-256: " + err.Error()) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("kex: GCM: " + err.Error()) // AES has 16-byte blocks
	}
	return aead
}

package kex

import (
	"crypto/hmac"
	"crypto/sha256"

	"hufu/shared/wire"
)

// ProveClient is the client's proof in verify: over the key bytes as
// applications see them, for the request numbered q of this connection (§5).
func (h *Held) ProveClient(c *Conn, q, seckeyid uint64) [wire.SizeConfirm]byte {
	return mac(&h.Confirm.client, h.proof("hufu1 hc", c, q, seckeyid).Sum())
}

// CheckClient reports, in constant time, whether proof is the client's.
func (h *Held) CheckClient(c *Conn, q, seckeyid uint64, proof [wire.SizeConfirm]byte) bool {
	want := h.ProveClient(c, q, seckeyid)
	return hmac.Equal(want[:], proof[:])
}

// ProveServer is the server's proof in verify ok, bound to the client's (§5).
func (h *Held) ProveServer(c *Conn, q, seckeyid uint64, client [wire.SizeConfirm]byte) [wire.SizeConfirm]byte {
	return mac(&h.Confirm.server, h.proof("hufu1 hs", c, q, seckeyid).Bytes(client[:]).Sum())
}

// CheckServer reports, in constant time, whether proof is the server's answer to the client's.
func (h *Held) CheckServer(c *Conn, q, seckeyid uint64, client, proof [wire.SizeConfirm]byte) bool {
	want := h.ProveServer(c, q, seckeyid, client)
	return hmac.Equal(want[:], proof[:])
}

func (h *Held) proof(label string, c *Conn, q, seckeyid uint64) *wire.E {
	sum := sha256.Sum256(h.Key.b[:])
	return wire.NewE(label).Bytes(c.th0[:]).Uint(q).Uint(seckeyid).Bytes(sum[:])
}

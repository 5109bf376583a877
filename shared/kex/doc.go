// Package kex is the mathematics of the protocol hufu1: the key schedule, the
// hybrid exchange X25519MLKEM768, authCodes, confirmations and sealed
// documents. It has no network, no clock and no log; what is random comes from
// a reader that the caller gives, ML-KEM's encapsulation excepted, which the
// standard library draws itself.
//
// The specification is docs/protocol.md; § in comments is a section of it.
// The initiator is the client, the responder the server:
//
//	client                                      server
//	Derive(secret) ............ LongTerm ...... Derive(secret)
//	LongTerm.Connect(n_s, n_c)  Conn            LongTerm.Connect(n_s, n_c)
//	NewInitiator, Offer   ── negotiate ──▶      Respond
//	Initiator.Accept      ◀─ negotiate ok ──    Response.Agree
//	Held.ProveClient      ── verify ──▶         Held.ProveServer
//	Held.ProveServer      ◀─ verify ok ──
package kex

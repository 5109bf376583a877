// Package wire is the bytes of the protocol hufu1: one struct per message, the
// documents that travel inside of some, the enrolment token, the limits, and
// the one encoding that MACs cover. It decides what is well-formed and nothing
// else: no cryptography but a checksum, no clock, no network, no log.
//
// The specification is docs/protocol.md; § in comments is a section of it.
package wire

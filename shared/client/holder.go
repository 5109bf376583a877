package client

import (
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// HeldKey is what a Holder tells of a living key, one whose end has not come.
// Times are on the boot clock.
type HeldKey struct {
	Seckeyid  uint64
	State     wire.State    // StatePending: open-only; StateActive: current; StateRetired
	NotBefore time.Duration // when negotiate was sent
	NotAfter  time.Duration // its end
}

// Holder keeps one client's keys where applications find them: shared memory,
// or the memory of the process. A Keeper calls it from several goroutines, one
// at a time.
//
// At most one key is current, the one to seal with. Every living key opens.
// Read, MakeCurrent, Shorten and Retire return an error that wraps ErrNoKey if the
// key is not a living one any more.
type Holder interface {
	// Keys lists the living keys, in any order.
	Keys() ([]HeldKey, error)
	// Read returns a living key, its bytes as applications see them now, for the
	// caller to wipe.
	Read(seckeyid uint64) (*kex.Held, error)
	// Enter adds a key as open-only. The holder copies what it keeps of held.
	Enter(k HeldKey, held *kex.Held) error
	// MakeCurrent turns an open-only key into the current one; the one that was
	// becomes retired, its end unchanged.
	MakeCurrent(seckeyid uint64) error
	// Shorten brings a key's end forward and leaves its state. A later end than
	// its present one is ignored.
	Shorten(seckeyid uint64, notAfter time.Duration) error
	// Retire makes a key one to open with only, until its end.
	Retire(seckeyid uint64) error
	// Wipe erases a key as StateExpired or StateRevoked. One that is not there,
	// or wiped already, is no error.
	Wipe(seckeyid uint64, state wire.State) error
}

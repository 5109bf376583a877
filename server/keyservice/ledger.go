package keyservice

import (
	"slices"
	"time"

	"hufu/shared/wire"
)

// Ledger is one outlet's part of the store inside one transaction: what was
// read, brought up to date by every record call, and what has to be written.
type Ledger struct {
	Outlet  *Outlet     // nil: not enrolled
	Secrets []Secret    // newest epoch first
	Living  []LivingKey // ascending number
	Named   *NamedKey   // nil: the Change named no key, or there is none such

	Writes Writes
}

// Writes is what a Change has recorded. A store writes it in this order.
type Writes struct {
	NewOutlet   *Outlet     // insert; ErrExists if it is there
	SetOutlet   bool        // write Disabled, LastNumber and LastEpoch of Ledger.Outlet
	NewSecrets  []Secret    // insert
	UsedSecrets []Secret    // set FirstUsedAt of these epochs
	SetSecrets  []Secret    // replace Sealed of these epochs: a rotation of the key ring
	DropSecrets []uint32    // delete these epochs
	NewKeys     []LivingKey // insert into the history and among the living, with state pending
	Moves       []Move      // insert the state into the history; update or delete the living one
	SetKeys     []LivingKey // replace Sealed of these living keys: a rotation of the key ring
	Receipts    []Receipt   // insert
	Changes     []ChangeRow // insert, N given by the store, in this order
}

// Move is a key's step to a greater state.
type Move struct {
	Seckeyid uint64
	StateRow
	EndsAt time.Time // the new end, for states active and retired; for others the living one is deleted
}

// Receipt tells that the outlet has wiped its copies.
type Receipt struct {
	Seckeyid uint64
	State    wire.State
	At       time.Time
	Conn     string // which connection brought it
}

// enrol records a new outlet with its first secret.
func (l *Ledger) enrol(o Outlet, s Secret) {
	l.Outlet = &o
	l.Secrets = []Secret{s}
	l.Writes.NewOutlet = &o
	l.Writes.NewSecrets = append(l.Writes.NewSecrets, s)
}

// addKey records a new pending key.
func (l *Ledger) addKey(k LivingKey) {
	l.Living = append(l.Living, k)
	l.Writes.NewKeys = append(l.Writes.NewKeys, k)
}

// living returns the living key with that number, or nil. The pointer is good
// until the next record call.
func (l *Ledger) living(seckeyid uint64) *LivingKey {
	for i := range l.Living {
		if l.Living[i].Seckeyid == seckeyid {
			return &l.Living[i]
		}
	}
	return nil
}

// move records that a living key has reached a greater state. endsAt is its
// new end; it counts for active and retired only.
func (l *Ledger) move(seckeyid uint64, to StateRow, endsAt time.Time) {
	l.Writes.Moves = append(l.Writes.Moves, Move{Seckeyid: seckeyid, StateRow: to, EndsAt: endsAt})
	k := l.living(seckeyid)
	if l.Named != nil && l.Named.Seckeyid == seckeyid {
		l.Named.State, l.Named.Reason = to.State, to.Reason
	}
	if to.State == wire.StateActive || to.State == wire.StateRetired {
		k.State, k.EndsAt = to.State, endsAt
		return
	}
	l.Living = slices.DeleteFunc(l.Living, func(k LivingKey) bool { return k.Seckeyid == seckeyid })
}

// note records a line of the change table.
func (l *Ledger) note(c ChangeRow) { l.Writes.Changes = append(l.Writes.Changes, c) }

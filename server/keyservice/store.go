package keyservice

import (
	"context"
	"errors"
	"time"

	"hufu/shared/wire"
)

// Store keeps outlets, the history of keys and the change table. Both
// implementations pass store/storetest.
//
// The rules are not in the store: Apply loads a Ledger, a Change decides over
// it, and the store writes what was recorded. All times are UTC with
// millisecond precision.
type Store interface {
	UsableStore
	PresenceStore
	AdminStore

	// Apply runs the changes in one transaction. At most one Change per
	// outlet may be in changes. The outlets' rows are locked against every
	// other writer, in this process or another, from before their ledgers
	// are read until the commit.
	//
	// A Change whose Decide fails writes nothing, keeps its error in Err,
	// and does not disturb the others. When Apply itself returns an error,
	// nothing at all was written, or, if it wraps ErrInDoubt, it is not known
	// whether all was written or nothing. Decide may run again if the
	// transaction has to be repeated.
	Apply(ctx context.Context, changes []*Change) error

	// ApplyAll is Apply for all or nothing: what the first failing Decide
	// returned, or ErrExists, is its error, and then nothing was written.
	ApplyAll(ctx context.Context, changes []*Change) error

	// Outlet returns one outlet and its secrets, newest epoch first, or ErrNoOutlet.
	Outlet(ctx context.Context, id string) (Outlet, []Secret, error)
	// Outlets lists outlets in ascending order of id.
	Outlets(ctx context.Context, q OutletQuery) ([]OutletRow, error)
	// Counts counts outlets and living keys as they stand at a time.
	Counts(ctx context.Context, now time.Time) (Counts, error)
	// Keys lists keys, newest first, by keyset.
	Keys(ctx context.Context, q KeyQuery) ([]KeyRow, error)
	// States lists the states that a key has reached, oldest first; empty if
	// there is no such key.
	States(ctx context.Context, outlet string, seckeyid uint64) ([]StateRow, error)
	// Due lists, in ascending order, up to limit outlets with a living key
	// whose EndsAt is not after now.
	Due(ctx context.Context, now time.Time, limit int) ([]string, error)
	// Unused lists, in ascending order, up to limit outlets with a secret that was
	// made before a time and has never been opened with.
	Unused(ctx context.Context, before time.Time, limit int) ([]string, error)
	// Unreceipted lists the outlet's revoked numbers that have no receipt for
	// being revoked, newest first, at most limit, with their reasons.
	Unreceipted(ctx context.Context, outlet string, limit int) ([]Revoked, error)

	// Changes lists up to limit changes that are visible now and lie after the
	// position, and the position up to which nothing can appear any more: the
	// next call passes that. A change between the two positions may thus be
	// listed again (its number tells), but none is ever missed, in whatever
	// order transactions commit.
	Changes(ctx context.Context, after Position, limit int) ([]ChangeRow, Position, error)
	// Head is the position after which a follower that starts now must read.
	Head(ctx context.Context) (Position, error)
	// Watch calls wake when changes may have been committed, by whatever
	// process, and once when it has begun to listen. It is a hint: what is
	// woken for is read by Changes, and must be read now and then without. It
	// works until ctx ends, or until it cannot, and says why. wake must not block.
	Watch(ctx context.Context, wake func()) error
	// Events lists the change table, newest first or oldest first, by keyset.
	Events(ctx context.Context, q EventQuery) ([]ChangeRow, error)

	// Installation returns what Install wrote, or ErrNotInstalled.
	Installation(ctx context.Context) (Installation, error)
	// Install writes the installation once; if another process was faster it
	// changes nothing. Read Installation afterwards.
	Install(ctx context.Context, i Installation) error
	// SetRingCheck replaces Installation.RingCheck.
	SetRingCheck(ctx context.Context, sealed []byte) error

	// Probe writes for real, durably, to tell whether the store can.
	Probe(ctx context.Context, at time.Time) error
	Close() error
}

var (
	ErrNoOutlet     = errors.New("keyservice: no such outlet")
	ErrExists       = errors.New("keyservice: the outlet exists already")
	ErrNotInstalled = errors.New("keyservice: the store is empty: no server has used it yet")
	// ErrInDoubt wraps the failure of a commit whose outcome is not known.
	ErrInDoubt = errors.New("keyservice: the outcome of the commit is not known")
	// ErrBusy says that the store cannot take the change now: full, locked or away.
	ErrBusy = errors.New("keyservice: the store cannot be written now")
)

// Change is one decision about one outlet. See Store.Apply.
type Change struct {
	Outlet   string
	Seckeyid uint64 // the key that it names, loaded into Ledger.Named; 0 names none
	Decide   func(*Ledger) error
	Err      error // what Decide returned
}

// Outlet is a party that is enrolled: an outlet, or a person at a console.
type Outlet struct {
	ID         string
	Role       wire.Role
	Disabled   bool
	EnrolledAt time.Time
	LastNumber uint64 // the greatest seckeyid given out
	LastEpoch  uint32 // the greatest epoch given out
}

// Secret is the sealed secret of one epoch.
type Secret struct {
	Epoch       uint32
	Sealed      []byte // AES-256-GCM under the key ring, see server/seal
	CreatedAt   time.Time
	FirstUsedAt time.Time // zero: never opened with
}

// LivingKey is a key with material: pending, active or retired.
type LivingKey struct {
	Seckeyid uint64
	State    wire.State
	Created  time.Time // the commit of negotiate
	Expires  time.Time // Created + lifetime
	EndsAt   time.Time // the end by §6: when the sweeper expires it
	FP       [8]byte
	Sealed   []byte // key ‖ k_cc ‖ k_sc, 96 bytes, sealed
}

// NamedKey is the key that a Change names, whatever its state.
type NamedKey struct {
	Seckeyid  uint64
	State     wire.State // the greatest it has reached
	Reason    wire.Reason
	FP        [8]byte
	ReceiptAt time.Time // zero: no receipt
}

// StateRow is one state reached by one key: a line of its history.
type StateRow struct {
	State  wire.State
	At     time.Time
	Reason wire.Reason
	By     string // the clientId that acted; empty for the server
	Note   string // as the change table has it; States alone fills it in
}

// KeyRow is one key of the history (§12, page of view).
type KeyRow struct {
	N          uint64 // the store's row number
	Outlet     string
	Seckeyid   uint64
	State      wire.State
	Negotiated time.Time
	Verified   time.Time // zero: not reached, also below
	Retired    time.Time
	Expires    time.Time // always Created + lifetime
	Ended      time.Time
	Reason     wire.Reason // of the greatest state
	By         string      // of the greatest state
	Receipt    time.Time
	FP         [8]byte
}

// KeyQuery selects rows whose life [verified, end) meets [From, To); a key
// never verified lives for the moment in which it was negotiated, and the end
// of a living one is its EndsAt (§12). Zero times bound nothing. Nil States
// means any; an empty, non-nil one selects nothing, as does From not before To.
type KeyQuery struct {
	Outlet      string // empty: all
	From, To    time.Time
	States      []wire.State
	Unreceipted bool   // only those revoked whose outlet has not receipted it
	BeforeN     uint64 // exclusive upper bound of N; 0: none
	BeforeKey   uint64 // exclusive upper bound of Seckeyid; 0: none
	ByNumber    bool   // order by seckeyid descending (needs Outlet); else by N descending
	Limit       int
}

// Revoked is a revoked number and why.
type Revoked struct {
	Seckeyid uint64
	Reason   wire.Reason
}

// ChangeRow is one line of the change table: what happened, to whom, by whom.
type ChangeRow struct {
	N        uint64 // the change number, given by the store
	At       time.Time
	Kind     Kind
	Outlet   string
	Seckeyid uint64      // 0: about no key
	State    wire.State  // 0: no state was reached
	Reason   wire.Reason // with State
	By       string      // the clientId that acted; empty for the server itself
	Note     string      // at most 200 bytes of UTF-8
}

// EventQuery selects lines of the change table.
type EventQuery struct {
	Outlet   string
	From, To time.Time // At in [From, To); zero bounds nothing
	Kinds    []Kind    // nil: any
	BeforeN  uint64    // exclusive upper bound of N; 0: none
	AfterN   uint64    // exclusive lower bound of N; 0: none
	Oldest   bool      // first; else the newest first
	Limit    int
}

// Position is a place in the change table, opaque to all but the store.
type Position struct{ Txn, N uint64 }

// Installation is what makes a store one server's.
type Installation struct {
	ServerID  string
	RingCheck []byte // a known value sealed under the key ring
	CreatedAt time.Time
}

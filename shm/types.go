package shm

import (
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"
)

const (
	MaxID       = 11 // longest client or server id, in bytes
	KeySize     = 32 // bytes of a key
	ConfirmSize = 64 // bytes of k_cc ‖ k_sc, kept per key for later verifications
)

// State is the state of a key as in the protocol. States only grow.
type State uint32

const (
	Pending State = 1 // open-only: accepted, not yet verified; found by its number, never current
	Active  State = 2
	Retired State = 3
	Expired State = 4
	Revoked State = 5
)

func (s State) String() string {
	switch s {
	case Pending:
		return "pending"
	case Active:
		return "active"
	case Retired:
		return "retired"
	case Expired:
		return "expired"
	case Revoked:
		return "revoked"
	}
	return fmt.Sprintf("state(%d)", uint32(s))
}

// Key is an agreed key. It prints as "[key]" in every format; use [Entry.Fingerprint] in logs.
type Key [KeySize]byte

// Zero overwrites k. Copies that Go made of it, by assignment or on a stack, are out of its reach.
func (k *Key) Zero() { clear(k[:]) }

// Equal compares in constant time.
func (k *Key) Equal(o *Key) bool { return subtle.ConstantTimeCompare(k[:], o[:]) == 1 }

// String returns a fixed text.
func (k Key) String() string { return "[key]" }

// Format writes the fixed text for every verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue returns the fixed text.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText returns the fixed text, so that encoding/json cannot print a key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Fingerprint names a key in logs without telling anything of it.
type Fingerprint [8]byte

// String returns 16 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// BootTime is a time in nanoseconds on CLOCK_BOOTTIME: since boot, suspend included; nobody can set it.
type BootTime int64

// Add returns the time d later.
func (t BootTime) Add(d time.Duration) BootTime { return t + BootTime(d) }

// Sub returns how much later t is than u.
func (t BootTime) Sub(u BootTime) time.Duration { return time.Duration(t - u) }

// Entry is a copy of one entry of the table.
type Entry struct {
	ClientID    string // 1 to 11 bytes of 0-9 A-Z a-z . _ -
	ServerID    string // the same
	SeckeyID    uint64 // the number of the key, at least 1
	State       State  // Expired where the end has passed, even if nobody has wiped yet
	Key         Key    // zero unless Usable
	NotBefore   BootTime
	NotAfter    BootTime // the first instant at which the key is no longer usable
	Fingerprint Fingerprint
	Generation  uint64
	Usable      bool // status 1: may at least open messages. Ignored by Put
}

// String tells everything but the key.
func (e Entry) String() string {
	status := 0
	if e.Usable {
		status = 1
	}
	return fmt.Sprintf("client %s server %s key %d %s status %d fingerprint %s generation %d",
		e.ClientID, e.ServerID, e.SeckeyID, e.State, status, e.Fingerprint, e.Generation)
}

// Format writes String for every verb.
func (e Entry) Format(f fmt.State, _ rune) { io.WriteString(f, e.String()) }

// LogValue tells everything but the key.
func (e Entry) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("client", e.ClientID), slog.String("server", e.ServerID),
		slog.Uint64("key", e.SeckeyID), slog.String("state", e.State.String()),
		slog.Bool("usable", e.Usable), slog.String("fingerprint", e.Fingerprint.String()),
		slog.Uint64("generation", e.Generation))
}

// Options names a segment and says how it is made.
type Options struct {
	Dir           string // folder of both files; empty: /dev/shm
	Name          string // file name of the segment, at most 200 bytes; the second file is Name.confirm
	Capacity      int    // entries; used by Create. Twice the number of keys held at once keeps look-ups short
	GroupReadable bool   // mode 0640 instead of 0600, for readers of the same group; the second file stays 0600

	// Owner, for readers only, is the user id that must own the segment. Nil: the caller's own, or with
	// mode 0640 anyone's whose file the caller's group may read.
	Owner *int
}

// Info describes a segment.
type Info struct {
	Path          string
	Total         int // entries there is room for
	Used          int // entries that hold a key
	LayoutVersion int
	EntrySize     int   // bytes
	Size          int64 // bytes of the segment file
	Mode          uint32
	OwnerUID      int
	Created       BootTime
	WriterPID     int // the last writer's, as seen in its own pid namespace; 0 after an orderly Close
	WriterAlive   bool
	Locked        bool // a writer holds the lock; where the caller may not look, the same as WriterAlive
	BootMatch     bool // false: written during another boot, every entry is void
}

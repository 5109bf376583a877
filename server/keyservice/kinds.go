package keyservice

import (
	"slices"
	"strings"
)

// Kind names what a change is.
type Kind string

const (
	KindEnrolled     Kind = "enrolled"
	KindNewSecret    Kind = "new-secret"
	KindCut          Kind = "cut"         // a new secret, and nothing of before is good
	KindOpened       Kind = "opened"      // the first open under an epoch
	KindSecretGone   Kind = "secret-gone" // a new secret that nobody opened with in time
	KindDisabled     Kind = "disabled"
	KindEnabled      Kind = "enabled"
	KindConnected    Kind = "connected"    // its first connection to any server process
	KindDisconnected Kind = "disconnected" // its last one has gone
	KindNegotiated   Kind = "negotiated"
	KindVerified     Kind = "verified" // and so became active
	KindMismatch     Kind = "mismatch" // the two ends held different keys
	KindRetired      Kind = "retired"
	KindExpired      Kind = "expired"
	KindRevoked      Kind = "revoked"
	KindReceipt      Kind = "receipt"
	KindRefused      Kind = "refused"  // beyond what the role may do
	KindRestored     Kind = "restored" // the store came from a backup
)

var kinds = []Kind{KindEnrolled, KindNewSecret, KindCut, KindOpened, KindSecretGone, KindDisabled, KindEnabled,
	KindConnected, KindDisconnected, KindNegotiated, KindVerified, KindMismatch, KindRetired, KindExpired, KindRevoked, KindReceipt, KindRefused, KindRestored}

// ParseKind finds a kind by its name.
func ParseKind(name string) (Kind, bool) { return Kind(name), slices.Contains(kinds, Kind(name)) }

// Kinds lists the kinds.
func Kinds() []Kind { return slices.Clone(kinds) }

// KindNames lists the kinds for a person.
func KindNames() string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	return strings.Join(names, ", ")
}

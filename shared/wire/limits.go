package wire

// The protocol's constants, in the order of docs/protocol.md §3, §7 and §8.
// A change of any of these is a change of the protocol.

// Version is the only protocol version there is; it and the prefix of every
// label change together.
const Version = 1

// Subprotocol is the WebSocket subprotocol that both ends insist on.
const Subprotocol = "hufu1"

// Path is what follows the base of the server's address.
const Path = "/ws"

// Cmd is the field cmdType.
type Cmd uint8

const (
	CmdOpen       Cmd = 0
	CmdNegotiate  Cmd = 1
	CmdVerify     Cmd = 2
	CmdRevoke     Cmd = 3
	CmdView       Cmd = 4
	CmdPing       Cmd = 5
	CmdAdminister Cmd = 6
	CmdReceipt    Cmd = 7
	CmdHello      Cmd = 16
	CmdPush       Cmd = 17
	CmdEvent      Cmd = 18
)

var cmdNames = map[Cmd]string{
	CmdOpen: "open", CmdNegotiate: "negotiate", CmdVerify: "verify", CmdRevoke: "revoke",
	CmdView: "view", CmdPing: "ping", CmdAdminister: "administer", CmdReceipt: "receipt",
	CmdHello: "hello", CmdPush: "push", CmdEvent: "event",
}

func (c Cmd) String() string { return nameOf(cmdNames, c) }

// Role is what a client may do, by its enrolment.
type Role uint8

const (
	RoleOutlet   Role = 1
	RoleOperator Role = 2
	RoleAuditor  Role = 3
)

var roleNames = map[Role]string{RoleOutlet: "outlet", RoleOperator: "operator", RoleAuditor: "auditor"}

func (r Role) String() string { return nameOf(roleNames, r) }

// State is where a key stands in its life. States only grow.
type State uint8

const (
	StatePending State = 1
	StateActive  State = 2
	StateRetired State = 3
	StateExpired State = 4
	StateRevoked State = 5
)

var stateNames = map[State]string{
	StatePending: "pending", StateActive: "active", StateRetired: "retired",
	StateExpired: "expired", StateRevoked: "revoked",
}

func (s State) String() string { return nameOf(stateNames, s) }

// Reason tells why a key reached its state. Values above ReasonSecretCut are
// the installation's own.
type Reason uint8

const (
	ReasonUnspecified    Reason = 0
	ReasonRoutine        Reason = 1
	ReasonKeyCompromised Reason = 2
	ReasonOutletClosed   Reason = 3
	ReasonSuperseded     Reason = 4
	ReasonSecretCut      Reason = 5
)

var reasonNames = map[Reason]string{
	ReasonUnspecified: "unspecified", ReasonRoutine: "routine", ReasonKeyCompromised: "key compromised",
	ReasonOutletClosed: "outlet closed", ReasonSuperseded: "superseded", ReasonSecretCut: "secret cut",
}

func (r Reason) String() string { return nameOf(reasonNames, r) }

// Sizes in bytes and ranges of the fields of §3.
const (
	MaxID          = 11
	SizeNonce      = 32
	SizeRandom     = 32
	SizeConfirm    = 32
	SizeMAC        = 32
	SizeEK         = 1184 // ML-KEM-768 encapsulation key
	SizeCiphertext = 1088 // ML-KEM-768 ciphertext
	SizeX25519     = 32
	SizeShareC     = SizeEK + SizeX25519
	SizeShareS     = SizeCiphertext + SizeX25519

	MaxEpoch      = 1<<32 - 1
	MaxCount      = 1<<32 - 1 // q and p
	MaxSeckeyid   = 1<<53 - 1
	MaxInteger    = 1<<53 - 1 // cursors, times and every integer of a document
	MinLifetime   = 60
	MaxLifetime   = 2592000
	MinIdle       = 75
	MaxIdle       = 900
	MaxLimit      = 500
	MaxReason     = 255
	MaxDocRequest = 1700
	MaxDocReply   = 60000
)

// Frame limits in bytes, by order and not by time (§8).
const (
	MaxFirstFrame  = 512   // the first frame in either direction
	MaxRequest     = 2048  // every later frame to the server
	MaxServerFrame = 65536 // every frame to the client after open
	maxEntries     = 16    // entries of a message's map
)

func nameOf[K comparable](names map[K]string, k K) string {
	if s, ok := names[k]; ok {
		return s
	}
	return "unknown"
}

// ValidID reports whether s is an identifier: 1 to 11 bytes of [0-9A-Za-z_.-].
func ValidID(s string) bool {
	if len(s) < 1 || len(s) > MaxID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}

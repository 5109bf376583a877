package wire

import "bytes"

// OpenOK accepts an open.
type OpenOK struct {
	ReplyHead
	Role  Role
	Idle  uint64 // seconds
	Grace uint64 // seconds
	Now   uint64 // milliseconds since 1970 UTC, for display and warnings only
}

func (*OpenOK) Cmd() Cmd          { return CmdOpen }
func (m *OpenOK) fields() []field { return replyFields(m) }
func (m *OpenOK) body() []field {
	return []field{small("role", (*uint8)(&m.Role), uint64(RoleOutlet), uint64(RoleAuditor)),
		number("idle", &m.Idle, MinIdle, MaxIdle), number("grace", &m.Grace, MinLifetime, MaxLifetime),
		number("now", &m.Now, 0, MaxInteger)}
}

// NegotiateOK is the server's half of a fresh key.
type NegotiateOK struct {
	ReplyHead
	Seckeyid uint64
	R2       [SizeRandom]byte
	Share    [SizeShareS]byte // ML-KEM ciphertext 1088 ‖ X25519 32
	Lifetime uint64           // seconds
	Confirm  MAC
}

func (*NegotiateOK) Cmd() Cmd          { return CmdNegotiate }
func (m *NegotiateOK) fields() []field { return replyFields(m) }
func (m *NegotiateOK) body() []field {
	return []field{seckeyid(&m.Seckeyid), bin("r2", m.R2[:]), bin("share", m.Share[:]),
		number("lifetime", &m.Lifetime, MinLifetime, MaxLifetime), bin("confirm", m.Confirm[:])}
}

// VerifyOK is the server's proof that it holds the same key.
type VerifyOK struct {
	ReplyHead
	Confirm MAC
	State   State
}

func (*VerifyOK) Cmd() Cmd          { return CmdVerify }
func (m *VerifyOK) fields() []field { return replyFields(m) }
func (m *VerifyOK) body() []field {
	return []field{bin("confirm", m.Confirm[:]), small("state", (*uint8)(&m.State), uint64(StateActive), uint64(StateRetired))}
}

// ViewOK is a page of the history.
type ViewOK struct {
	ReplyHead
	Doc    []byte // a Page
	Cursor uint64 // of the next page; 0: this was the last
}

func (*ViewOK) Cmd() Cmd          { return CmdView }
func (m *ViewOK) fields() []field { return replyFields(m) }
func (m *ViewOK) body() []field {
	return []field{doc(&m.Doc, MaxDocReply), number("cursor", &m.Cursor, 0, MaxInteger)}
}

// AdministerOK answers an operation.
type AdministerOK struct {
	ReplyHead
	Doc []byte
}

func (*AdministerOK) Cmd() Cmd          { return CmdAdminister }
func (m *AdministerOK) fields() []field { return replyFields(m) }
func (m *AdministerOK) body() []field   { return []field{doc(&m.Doc, MaxDocReply)} }

// Done answers revoke, receipt and ping, and every request that is refused.
type Done struct {
	ReplyHead
	To Cmd // the request's
}

func (m *Done) Cmd() Cmd        { return m.To }
func (m *Done) fields() []field { return replyFields(m) }
func (*Done) body() []field     { return nil }

// Push tells a client that one of its keys has reached a state.
type Push struct {
	NoticeHead
	Seckeyid uint64
	State    State
	Reason   Reason
}

func (*Push) Cmd() Cmd          { return CmdPush }
func (m *Push) fields() []field { return noticeFields(m) }
func (m *Push) body() []field {
	return []field{seckeyid(&m.Seckeyid), small("state", (*uint8)(&m.State), uint64(StateRetired), uint64(StateRevoked)),
		small("reason", (*uint8)(&m.Reason), 0, MaxReason)}
}

// Event is a line of the change table, for those who watch it.
type Event struct {
	NoticeHead
	Doc []byte
}

func (*Event) Cmd() Cmd          { return CmdEvent }
func (m *Event) fields() []field { return noticeFields(m) }
func (m *Event) body() []field   { return []field{doc(&m.Doc, MaxDocReply)} }

// openFailure is every failure of open: the same bytes whatever the cause.
var openFailure = []byte("\x83\xa7version\x01\xa7cmdType\x00\xa2rv\xff")

// OpenFailure returns the bytes that answer every failed open. Anyone can forge them.
func OpenFailure() []byte { return bytes.Clone(openFailure) }

// IsOpenFailure reports whether a frame is that answer.
func IsOpenFailure(frame []byte) bool { return bytes.Equal(frame, openFailure) }

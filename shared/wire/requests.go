package wire

// Hello is the server's first message. Nothing authenticates it but th0.
type Hello struct {
	ServerID string
	Nonce    [SizeNonce]byte // n_s
}

func (*Hello) Cmd() Cmd { return CmdHello }
func (m *Hello) fields() []field {
	return []field{konst("version", Version), konst("cmdType", uint64(CmdHello)),
		id("serverId", &m.ServerID), bin("nonce", m.Nonce[:])}
}

// Open is the client's first message.
type Open struct {
	RequestHead
	Epoch uint64
	Nonce [SizeNonce]byte // n_c
}

func (*Open) Cmd() Cmd      { return CmdOpen }
func (*Open) body() []field { return nil }
func (m *Open) fields() []field {
	return []field{konst("version", Version), konst("cmdType", uint64(CmdOpen)),
		id("clientId", &m.ClientID), id("serverId", &m.ServerID),
		number("epoch", &m.Epoch, 1, MaxEpoch), bin("nonce", m.Nonce[:]), authCode(&m.AuthCode)}
}

// Negotiate asks for a fresh key.
type Negotiate struct {
	RequestHead
	R1    [SizeRandom]byte
	Share [SizeShareC]byte // ML-KEM ek 1184 ‖ X25519 32
}

func (*Negotiate) Cmd() Cmd          { return CmdNegotiate }
func (m *Negotiate) fields() []field { return requestFields(m) }
func (m *Negotiate) body() []field {
	return []field{bin("r1", m.R1[:]), bin("share", m.Share[:])}
}

// Verify proves that the client holds the key, and asks for the same proof.
type Verify struct {
	RequestHead
	Seckeyid uint64
	Confirm  MAC
}

func (*Verify) Cmd() Cmd          { return CmdVerify }
func (m *Verify) fields() []field { return requestFields(m) }
func (m *Verify) body() []field {
	return []field{seckeyid(&m.Seckeyid), bin("confirm", m.Confirm[:])}
}

// Revoke ends a key of the client's for good.
type Revoke struct {
	RequestHead
	Seckeyid uint64
	Reason   Reason
}

func (*Revoke) Cmd() Cmd          { return CmdRevoke }
func (m *Revoke) fields() []field { return requestFields(m) }
func (m *Revoke) body() []field {
	return []field{seckeyid(&m.Seckeyid), small("reason", (*uint8)(&m.Reason), 0, MaxReason)}
}

// Receipt tells that the client has wiped its copies of an expired or revoked key.
type Receipt struct {
	RequestHead
	Seckeyid uint64
	State    State
}

func (*Receipt) Cmd() Cmd          { return CmdReceipt }
func (m *Receipt) fields() []field { return requestFields(m) }
func (m *Receipt) body() []field {
	return []field{seckeyid(&m.Seckeyid), small("state", (*uint8)(&m.State), 1, uint64(StateRevoked))}
}

// View asks for a page of the history.
type View struct {
	RequestHead
	Doc    []byte // a Filter; may be empty
	Cursor uint64
	Limit  uint64
}

func (*View) Cmd() Cmd          { return CmdView }
func (m *View) fields() []field { return requestFields(m) }
func (m *View) body() []field {
	return []field{doc(&m.Doc, MaxDocRequest), number("cursor", &m.Cursor, 0, MaxInteger), number("limit", &m.Limit, 1, MaxLimit)}
}

// Ping shows that both ends are alive.
type Ping struct{ RequestHead }

func (*Ping) Cmd() Cmd          { return CmdPing }
func (m *Ping) fields() []field { return requestFields(m) }
func (*Ping) body() []field     { return nil }

// Administer carries an operation of an operator or auditor.
type Administer struct {
	RequestHead
	Doc []byte
}

func (*Administer) Cmd() Cmd          { return CmdAdminister }
func (m *Administer) fields() []field { return requestFields(m) }
func (m *Administer) body() []field   { return []field{doc(&m.Doc, MaxDocRequest)} }

func seckeyid(p *uint64) field { return number("seckeyid", p, 1, MaxSeckeyid) }

package client

import (
	"encoding/hex"
	"strconv"
	"time"

	"hufu/shared/wire"
)

// TraceEvent shows one authenticated message, or hello and open, whose proof
// is open ok.
type TraceEvent struct {
	At     time.Time
	Sent   bool
	Cmd    wire.Cmd
	Size   int // bytes on the wire
	Fields []TraceField
}

// TraceField is one field of a message. Value is empty for what is not to be
// shown (§10: authCode, confirm, documents); bytes that may be are in hex.
type TraceField struct {
	Name  string
	Size  int // bytes, of binary fields
	Value string
}

func (s *Session) trace(sent bool, m wire.Message, size int) {
	if s.o.Trace == nil {
		return
	}
	e := TraceEvent{At: time.Now(), Sent: sent, Cmd: m.Cmd(), Size: size}
	switch m := m.(type) {
	case wire.Request:
		e.number("q", m.Head().Q)
	case wire.Reply:
		h := m.Head()
		e.number("p", h.P)
		e.number("q", h.Q)
		e.text("error", h.Code.String())
	case wire.Notice:
		e.number("p", m.Head().P)
	}
	e.body(m)
	if _, ok := m.(*wire.Hello); !ok {
		e.hidden("authCode", wire.SizeMAC)
	}
	s.o.Trace(e)
}

func (e *TraceEvent) body(m wire.Message) {
	switch m := m.(type) {
	case *wire.Hello:
		e.text("serverId", m.ServerID)
		e.bytes("nonce", m.Nonce[:])
	case *wire.Open:
		e.text("clientId", m.ClientID)
		e.text("serverId", m.ServerID)
		e.number("epoch", m.Epoch)
		e.bytes("nonce", m.Nonce[:])
	case *wire.OpenOK:
		e.text("role", m.Role.String())
		e.number("idle", m.Idle)
		e.number("grace", m.Grace)
		e.number("now", m.Now)
	case *wire.Negotiate:
		e.bytes("r1", m.R1[:])
		e.bytes("share", m.Share[:])
	case *wire.NegotiateOK:
		e.number("seckeyid", m.Seckeyid)
		e.bytes("r2", m.R2[:])
		e.bytes("share", m.Share[:])
		e.number("lifetime", m.Lifetime)
		e.hidden("confirm", len(m.Confirm))
	case *wire.Verify:
		e.number("seckeyid", m.Seckeyid)
		e.hidden("confirm", len(m.Confirm))
	case *wire.VerifyOK:
		e.hidden("confirm", len(m.Confirm))
		e.text("state", m.State.String())
	case *wire.Revoke:
		e.number("seckeyid", m.Seckeyid)
		e.text("reason", m.Reason.String())
	case *wire.Receipt:
		e.number("seckeyid", m.Seckeyid)
		e.text("state", m.State.String())
	case *wire.View:
		e.hidden("doc", len(m.Doc))
		e.number("cursor", m.Cursor)
		e.number("limit", m.Limit)
	case *wire.ViewOK:
		e.hidden("doc", len(m.Doc))
		e.number("cursor", m.Cursor)
	case *wire.Administer:
		e.hidden("doc", len(m.Doc))
	case *wire.AdministerOK:
		e.hidden("doc", len(m.Doc))
	case *wire.Push:
		e.number("seckeyid", m.Seckeyid)
		e.text("state", m.State.String())
		e.text("reason", m.Reason.String())
	case *wire.Event:
		e.hidden("doc", len(m.Doc))
	}
}

func (e *TraceEvent) add(f TraceField)             { e.Fields = append(e.Fields, f) }
func (e *TraceEvent) number(name string, v uint64) { e.text(name, strconv.FormatUint(v, 10)) }
func (e *TraceEvent) text(name, v string)          { e.add(TraceField{Name: name, Value: v}) }
func (e *TraceEvent) hidden(name string, size int) { e.add(TraceField{Name: name, Size: size}) }
func (e *TraceEvent) bytes(name string, b []byte) {
	e.add(TraceField{Name: name, Size: len(b), Value: hex.EncodeToString(b)})
}

package wire

import "fmt"

// Message is one message of docs/protocol.md §3. Encode and the Decode
// functions check that every field has a value it may have.
type Message interface {
	Cmd() Cmd
	fields() []field
}

// Request is a message that a client authenticates: open, and all that follow.
type Request interface {
	Message
	Head() *RequestHead
	body() []field
}

// Reply is an authenticated answer to one Request.
type Reply interface {
	Message
	Head() *ReplyHead
	body() []field
}

// Notice is an authenticated message that nobody asked for: push and event.
type Notice interface {
	Message
	Head() *NoticeHead
	body() []field
}

// RequestHead stands in every request. Open has no q on the wire; there Q is 0.
type RequestHead struct {
	Q                  uint64
	ClientID, ServerID string
	AuthCode           MAC
}

// ReplyHead stands in every reply, right (Refused false: rv 0, error 0) or
// wrong (rv -1 and a code of §7).
type ReplyHead struct {
	P, Q               uint64
	Refused            bool
	Code               Code
	ClientID, ServerID string
	AuthCode           MAC
}

// NoticeHead stands in every push and event.
type NoticeHead struct {
	P                  uint64
	ClientID, ServerID string
	AuthCode           MAC
}

// A message is printed by its head alone (§10: never whole frames).

func (h RequestHead) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "request %d of %s to %s", h.Q, h.ClientID, h.ServerID)
}

func (h ReplyHead) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "reply %d of %s to request %d of %s: %s", h.P, h.ServerID, h.Q, h.ClientID, h.Code.String())
}

func (h NoticeHead) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "notice %d of %s to %s", h.P, h.ServerID, h.ClientID)
}

func (h *RequestHead) Head() *RequestHead { return h }
func (h *ReplyHead) Head() *ReplyHead     { return h }
func (h *NoticeHead) Head() *NoticeHead   { return h }

func requestFields(r Request) []field {
	h := r.Head()
	f := make([]field, 0, 10)
	f = append(f, konst("cmdType", uint64(r.Cmd())), number("q", &h.Q, 1, MaxCount),
		id("clientId", &h.ClientID), id("serverId", &h.ServerID))
	f = append(f, r.body()...)
	return append(f, authCode(&h.AuthCode))
}

func replyFields(r Reply) []field {
	h := r.Head()
	rv, least, greatest := uint64(0), uint64(CodeOK), uint64(CodeOK)
	if h.Refused {
		rv, least, greatest = 1, uint64(CodeBadBody), uint64(maxCode)
	}
	f := make([]field, 0, 14)
	f = append(f, konst("cmdType", uint64(r.Cmd())), number("p", &h.P, 0, MaxCount), number("q", &h.Q, 0, MaxCount),
		field{name: "rv", kind: fieldRV, min: rv}, small("error", (*uint8)(&h.Code), least, greatest),
		id("clientId", &h.ClientID), id("serverId", &h.ServerID))
	f = append(f, r.body()...)
	return append(f, authCode(&h.AuthCode))
}

func noticeFields(n Notice) []field {
	h := n.Head()
	f := make([]field, 0, 10)
	f = append(f, konst("cmdType", uint64(n.Cmd())), number("p", &h.P, 1, MaxCount),
		id("clientId", &h.ClientID), id("serverId", &h.ServerID))
	f = append(f, n.body()...)
	return append(f, authCode(&h.AuthCode))
}

// Encode returns the message's bytes. An error says that a field's value is not allowed.
func Encode(m Message) ([]byte, error) { return encode(m.fields()) }

// RequestInput is what the authCode of a request covers (§5).
func RequestInput(th0 []byte, r Request) []byte {
	h := r.Head()
	e := NewE("hufu1 req").Bytes(th0).Uint(uint64(r.Cmd())).Uint(h.Q).Text(h.ClientID).Text(h.ServerID)
	return appendBody(e, r.body())
}

// ReplyInput is what the authCode of a reply covers; request is the raw
// authCode of the request that it answers (§5).
func ReplyInput(th0 []byte, request MAC, r Reply) []byte {
	h := r.Head()
	var rv int64
	if h.Refused {
		rv = -1
	}
	e := NewE("hufu1 rep").Bytes(th0).Uint(uint64(r.Cmd())).Uint(h.P).Uint(h.Q).Bytes(request[:]).
		Int(rv).Uint(uint64(h.Code)).Text(h.ClientID).Text(h.ServerID)
	return appendBody(e, r.body())
}

// NoticeInput is what the authCode of a push or event covers (§5).
func NoticeInput(th0 []byte, n Notice) []byte {
	h := n.Head()
	e := NewE("hufu1 psh").Bytes(th0).Uint(uint64(n.Cmd())).Uint(h.P).Text(h.ClientID).Text(h.ServerID)
	return appendBody(e, n.body())
}

func appendBody(e *E, body []field) []byte {
	for i := range body {
		body[i].appendTo(e)
	}
	return e.Sum()
}

package wire

import (
	"encoding/hex"
	"strings"
)

// sample is one message in both forms: as a struct, and written by hand after
// the table of docs/protocol.md §3.
type sample struct {
	name   string
	msg    Message
	raw    table
	decode func([]byte) (Message, error)
}

// run returns n bytes that count up from begin.
func run(begin byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = begin + byte(i)
	}
	return b
}

func asMessage[M Message](decode func([]byte) (M, error)) func([]byte) (Message, error) {
	return func(b []byte) (Message, error) {
		m, err := decode(b)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
}

var (
	decodeHello     = asMessage(DecodeHello)
	decodeOpen      = asMessage(DecodeOpen)
	decodeRequest   = asMessage(DecodeRequest)
	decodeOpenReply = asMessage(DecodeOpenReply)
	decodeServer    = asMessage(DecodeServer)
)

func samples() []sample {
	mac := MAC(run(0xa0, 32))
	code := textValue(hex.EncodeToString(mac[:]))
	filter := []byte("\x81\xa6outlet\xa4o-01")

	request := func(q uint64) RequestHead {
		return RequestHead{Q: q, ClientID: "o-01", ServerID: "centre", AuthCode: mac}
	}
	reply := func(p, q uint64) ReplyHead {
		return ReplyHead{P: p, Q: q, ClientID: "o-01", ServerID: "centre", AuthCode: mac}
	}
	refused := func(p, q uint64, c Code) ReplyHead {
		h := reply(p, q)
		h.Refused, h.Code = true, c
		return h
	}
	notice := func(p uint64) NoticeHead {
		return NoticeHead{P: p, ClientID: "o-01", ServerID: "centre", AuthCode: mac}
	}

	ids := table{{"clientId", textValue("o-01")}, {"serverId", textValue("centre")}}
	rawRequest := func(cmd, q uint64, body ...entryValue) table {
		return append(append(append(table{{"cmdType", uintValue(cmd)}, {"q", uintValue(q)}}, ids...), body...), entryValue{"authCode", code})
	}
	rawReply := func(cmd, p, q uint64, body ...entryValue) table {
		return append(append(append(table{{"cmdType", uintValue(cmd)}, {"p", uintValue(p)}, {"q", uintValue(q)},
			{"rv", uintValue(0)}, {"error", uintValue(0)}}, ids...), body...), entryValue{"authCode", code})
	}
	rawRefused := func(cmd, p, q, code uint64) table {
		return rawReply(cmd, p, q).with("rv", value{0xff}).with("error", uintValue(code))
	}
	rawNotice := func(cmd, p uint64, body ...entryValue) table {
		return append(append(append(table{{"cmdType", uintValue(cmd)}, {"p", uintValue(p)}}, ids...), body...), entryValue{"authCode", code})
	}

	return []sample{
		{"hello", &Hello{ServerID: "centre", Nonce: [32]byte(run(1, 32))},
			table{{"version", uintValue(1)}, {"cmdType", uintValue(16)}, {"serverId", textValue("centre")}, {"nonce", binValue(run(1, 32))}},
			decodeHello},
		{"open", &Open{RequestHead: request(0), Epoch: 70000, Nonce: [32]byte(run(2, 32))},
			table{{"version", uintValue(1)}, {"cmdType", uintValue(0)}, ids[0], ids[1], {"epoch", uintValue(70000)},
				{"nonce", binValue(run(2, 32))}, {"authCode", code}},
			decodeOpen},
		{"open ok", &OpenOK{ReplyHead: reply(0, 0), Role: RoleOperator, Idle: 75, Grace: 3600, Now: 1_750_000_000_000},
			rawReply(0, 0, 0, entryValue{"role", uintValue(2)}, entryValue{"idle", uintValue(75)},
				entryValue{"grace", uintValue(3600)}, entryValue{"now", uintValue(1_750_000_000_000)}),
			decodeOpenReply},
		{"negotiate", &Negotiate{RequestHead: request(1), R1: [32]byte(run(3, 32)), Share: [SizeShareC]byte(run(4, 1216))},
			rawRequest(1, 1, entryValue{"r1", binValue(run(3, 32))}, entryValue{"share", binValue(run(4, 1216))}),
			decodeRequest},
		{"negotiate ok", &NegotiateOK{ReplyHead: reply(1, 1), Seckeyid: 1 << 40, R2: [32]byte(run(5, 32)),
			Share: [SizeShareS]byte(run(6, 1120)), Lifetime: 86400, Confirm: MAC(run(7, 32))},
			rawReply(1, 1, 1, entryValue{"seckeyid", uintValue(1 << 40)}, entryValue{"r2", binValue(run(5, 32))},
				entryValue{"share", binValue(run(6, 1120))}, entryValue{"lifetime", uintValue(86400)}, entryValue{"confirm", binValue(run(7, 32))}),
			decodeServer},
		{"verify", &Verify{RequestHead: request(2), Seckeyid: 300, Confirm: MAC(run(8, 32))},
			rawRequest(2, 2, entryValue{"seckeyid", uintValue(300)}, entryValue{"confirm", binValue(run(8, 32))}),
			decodeRequest},
		{"verify ok", &VerifyOK{ReplyHead: reply(2, 2), Confirm: MAC(run(9, 32)), State: StateActive},
			rawReply(2, 2, 2, entryValue{"confirm", binValue(run(9, 32))}, entryValue{"state", uintValue(2)}),
			decodeServer},
		{"revoke", &Revoke{RequestHead: request(200), Seckeyid: 300, Reason: 255},
			rawRequest(3, 200, entryValue{"seckeyid", uintValue(300)}, entryValue{"reason", uintValue(255)}),
			decodeRequest},
		{"revoke ok", &Done{ReplyHead: reply(201, 200), To: CmdRevoke}, rawReply(3, 201, 200), decodeServer},
		{"receipt", &Receipt{RequestHead: request(3), Seckeyid: 300, State: StateRevoked},
			rawRequest(7, 3, entryValue{"seckeyid", uintValue(300)}, entryValue{"state", uintValue(5)}),
			decodeRequest},
		{"receipt ok", &Done{ReplyHead: reply(4, 3), To: CmdReceipt}, rawReply(7, 4, 3), decodeServer},
		{"view", &View{RequestHead: request(4), Doc: filter, Cursor: 1 << 33, Limit: 500},
			rawRequest(4, 4, entryValue{"doc", binValue(filter)}, entryValue{"cursor", uintValue(1 << 33)}, entryValue{"limit", uintValue(500)}),
			decodeRequest},
		{"view all", &View{RequestHead: request(5), Doc: []byte{}, Limit: 1},
			rawRequest(4, 5, entryValue{"doc", binValue(nil)}, entryValue{"cursor", uintValue(0)}, entryValue{"limit", uintValue(1)}),
			decodeRequest},
		{"view ok", &ViewOK{ReplyHead: reply(5, 4), Doc: []byte("\x81\xa4rows\x90"), Cursor: 17},
			rawReply(4, 5, 4, entryValue{"doc", binValue([]byte("\x81\xa4rows\x90"))}, entryValue{"cursor", uintValue(17)}),
			decodeServer},
		{"administer", &Administer{RequestHead: request(6), Doc: []byte("\x81\xa2op\xa8overview")},
			rawRequest(6, 6, entryValue{"doc", binValue([]byte("\x81\xa2op\xa8overview"))}),
			decodeRequest},
		{"administer ok", &AdministerOK{ReplyHead: reply(6, 6), Doc: []byte("\x80")},
			rawReply(6, 6, 6, entryValue{"doc", binValue([]byte("\x80"))}),
			decodeServer},
		{"ping", &Ping{RequestHead: request(MaxCount)}, rawRequest(5, 1<<32-1), decodeRequest},
		{"ping ok", &Done{ReplyHead: reply(7, 7), To: CmdPing}, rawReply(5, 7, 7), decodeServer},
		{"push", &Push{NoticeHead: notice(8), Seckeyid: 300, State: StateRetired, Reason: ReasonSuperseded},
			rawNotice(17, 8, entryValue{"seckeyid", uintValue(300)}, entryValue{"state", uintValue(3)}, entryValue{"reason", uintValue(4)}),
			decodeServer},
		{"event", &Event{NoticeHead: notice(9), Doc: []byte("\x81\xa1n\x07")},
			rawNotice(18, 9, entryValue{"doc", binValue([]byte("\x81\xa1n\x07"))}),
			decodeServer},
		{"negotiate refused", &Done{ReplyHead: refused(10, 10, CodeBusy), To: CmdNegotiate}, rawRefused(1, 10, 10, 6), decodeServer},
		{"verify refused", &Done{ReplyHead: refused(11, 11, CodeMismatch), To: CmdVerify}, rawRefused(2, 11, 11, 5), decodeServer},
		{"view refused", &Done{ReplyHead: refused(12, 12, CodeBadBody), To: CmdView}, rawRefused(4, 12, 12, 1), decodeServer},
		{"administer refused", &Done{ReplyHead: refused(13, 13, CodeNoSealKey), To: CmdAdminister}, rawRefused(6, 13, 13, 9), decodeServer},
	}
}

// largest are the messages with the longest values that each may have.
func largest() []sample {
	id := strings.Repeat("x", MaxID)
	request := RequestHead{Q: MaxCount, ClientID: id, ServerID: id}
	reply := ReplyHead{P: MaxCount, Q: MaxCount, ClientID: id, ServerID: id}
	notice := NoticeHead{P: MaxCount, ClientID: id, ServerID: id}
	open := request
	open.Q = 0
	return []sample{
		{"hello", &Hello{ServerID: id}, nil, decodeHello},
		{"open", &Open{RequestHead: open, Epoch: MaxEpoch}, nil, decodeOpen},
		{"open ok", &OpenOK{ReplyHead: reply, Role: 3, Idle: MaxIdle, Grace: MaxLifetime, Now: MaxInteger}, nil, decodeOpenReply},
		{"negotiate", &Negotiate{RequestHead: request}, nil, decodeRequest},
		{"negotiate ok", &NegotiateOK{ReplyHead: reply, Seckeyid: MaxSeckeyid, Lifetime: MaxLifetime}, nil, decodeServer},
		{"view", &View{RequestHead: request, Doc: make([]byte, MaxDocRequest), Cursor: MaxInteger, Limit: MaxLimit}, nil, decodeRequest},
		{"view ok", &ViewOK{ReplyHead: reply, Doc: make([]byte, MaxDocReply), Cursor: MaxInteger}, nil, decodeServer},
		{"administer", &Administer{RequestHead: request, Doc: make([]byte, MaxDocRequest)}, nil, decodeRequest},
		{"administer ok", &AdministerOK{ReplyHead: reply, Doc: make([]byte, MaxDocReply)}, nil, decodeServer},
		{"event", &Event{NoticeHead: notice, Doc: make([]byte, MaxDocReply)}, nil, decodeServer},
	}
}

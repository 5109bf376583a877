package session

import (
	"context"
	"errors"
	"time"

	"hufu/shared/wire"
)

// answer has a request decided and sends its reply. The caller holds the outbox.
func (x *session) answer(ctx context.Context, m wire.Request) error {
	began := time.Now()
	reply, err := x.decide(ctx, m)
	var code wire.Code
	if err != nil && !errors.As(err, &code) {
		x.log.Error("request failed", "cmd", m.Cmd().String(), "error", err)
		code = wire.CodeInternal
	}
	if code != wire.CodeOK {
		reply = &wire.Done{To: m.Cmd(), ReplyHead: wire.ReplyHead{Refused: true, Code: code}}
	}
	h := reply.Head()
	h.P, h.Q, h.ClientID, h.ServerID = x.p, m.Head().Q, m.Head().ClientID, m.Head().ServerID
	x.p++
	x.peer.Keys.SignReply(m.Head().AuthCode, reply)
	x.logAnswer(m, reply, code, time.Since(began))
	return x.send(ctx, reply)
}

func (x *session) decide(ctx context.Context, m wire.Request) (wire.Reply, error) {
	service := x.server.service
	switch m := m.(type) {
	case *wire.Negotiate:
		if !x.server.rates.allow(x.peer.ClientID) {
			return nil, wire.CodeBusy
		}
		return service.Negotiate(ctx, &x.peer, m)
	case *wire.Verify:
		return service.Verify(ctx, &x.peer, m)
	case *wire.Revoke:
		return &wire.Done{To: m.Cmd()}, service.Revoke(ctx, &x.peer, m)
	case *wire.Receipt:
		return &wire.Done{To: m.Cmd()}, service.Receipt(ctx, &x.peer, m)
	case *wire.View:
		return service.View(ctx, &x.peer, m)
	case *wire.Administer:
		return service.Administer(ctx, &x.peer, m, x.p)
	case *wire.Ping:
		return &wire.Done{To: m.Cmd()}, nil
	}
	return nil, wire.CodeInternal
}

// logAnswer logs what §10 allows.
func (x *session) logAnswer(m wire.Request, reply wire.Reply, code wire.Code, took time.Duration) {
	log := x.log.With("cmd", m.Cmd().String(), "error", uint8(code), "took", took.Round(time.Microsecond))
	switch m := m.(type) {
	case *wire.Negotiate:
		if ok, is := reply.(*wire.NegotiateOK); is {
			log = log.With("seckeyid", ok.Seckeyid)
		}
		log.Info("answered")
	case *wire.Verify:
		log.Info("answered", "seckeyid", m.Seckeyid)
	case *wire.Revoke:
		log.Info("answered", "seckeyid", m.Seckeyid, "reason", uint8(m.Reason))
	case *wire.Receipt:
		log.Info("answered", "seckeyid", m.Seckeyid, "state", m.State.String())
	default:
		log.Debug("answered")
	}
}

package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/coder/websocket"

	"hufu/server/keyservice"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// errOpen is any failure of open but the store's: all look the same to the peer.
var errOpen = errors.New("session: open failed")

// open sends hello, awaits the client's open and answers it (§6). On success
// the session has its peer, and changes reach it until cancel.
func (x *session) open(ctx context.Context) (cancel func(), err error) {
	hello := &wire.Hello{ServerID: x.server.service.ServerID()}
	if _, err := io.ReadFull(x.server.random, hello.Nonce[:]); err != nil {
		return nil, fmt.Errorf("session: no randomness: %w", err)
	}
	if err := x.send(ctx, hello); err != nil {
		return nil, err
	}
	late := time.AfterFunc(x.server.bounds.open, func() { x.closeSoon(websocket.StatusPolicyViolation, "no open in time") })
	frame, done, err := x.read(ctx, wire.MaxFirstFrame)
	late.Stop()
	arrived := time.Now()
	if errors.Is(err, errProtocol) {
		return nil, x.refuse(ctx, arrived, err)
	}
	if err != nil {
		return nil, err
	}
	m, err := wire.DecodeOpen(frame)
	done()
	if err != nil {
		return nil, x.refuse(ctx, arrived, err)
	}
	return x.admit(ctx, hello, m, arrived)
}

// admit checks a well-formed open.
func (x *session) admit(ctx context.Context, hello *wire.Hello, m *wire.Open, arrived time.Time) (cancel func(), err error) {
	x.log = x.log.With("client", m.ClientID)
	x.peer = keyservice.Peer{ClientID: m.ClientID, Epoch: m.Epoch, Conn: x.name}
	cancel = x.server.service.Listen(m.ClientID, x.changed)
	e, err := x.server.service.Lookup(ctx, m.ClientID, m.Epoch)
	if err != nil {
		return cancel, fmt.Errorf("%w: %w", errStore, err)
	}
	x.connect(hello, m, e)
	authentic := x.peer.Keys.CheckRequest(m)
	if !authentic && e.Known {
		x.server.MACFailures.Add(1)
	}
	if !authentic || !e.Known || m.ServerID != hello.ServerID {
		return cancel, x.refuse(ctx, arrived, errors.New("session: unknown, disabled, another epoch or a wrong authCode"))
	}
	if tooMany := x.server.registry.opened(x); tooMany != nil {
		tooMany.closeSoon(closeTooMany, "too many connections of this client")
	}
	if e.Unused {
		err := x.server.service.Opened(ctx, m.ClientID, m.Epoch)
		if errors.Is(err, wire.CodeNotPermitted) {
			return cancel, x.refuse(ctx, arrived, err)
		}
		if err != nil {
			return cancel, fmt.Errorf("%w: %w", errStore, err)
		}
	}
	return cancel, x.welcome(ctx, m)
}

// errStore closes with 1013 and no message, whoever it is that opens.
var errStore = errors.New("session: the store cannot answer")

// connect derives the connection's keys and wipes what they came from.
func (x *session) connect(hello *wire.Hello, m *wire.Open, e *keyservice.Enrolment) {
	lt := kex.Derive(&e.Secret, kex.Identity{ClientID: m.ClientID, ServerID: hello.ServerID, Epoch: m.Epoch})
	e.Secret.Zero()
	x.peer.Role = e.Role
	x.peer.Keys = lt.Connect(&hello.Nonce, &m.Nonce)
	lt.Zero()
}

// welcome sends open ok, and the revoked numbers that have no receipt.
func (x *session) welcome(ctx context.Context, m *wire.Open) error {
	idle, grace, now := x.server.service.Terms()
	ok := &wire.OpenOK{
		ReplyHead: wire.ReplyHead{ClientID: m.ClientID, ServerID: m.ServerID},
		Role:      x.peer.Role, Idle: uint64(idle / time.Second), Grace: uint64(grace / time.Second), Now: uint64(now.UnixMilli()),
	}
	x.peer.Keys.SignReply(m.AuthCode, ok)
	if err := x.send(ctx, ok); err != nil {
		return err
	}
	x.p = 1
	revoked, err := x.server.service.Unreceipted(ctx, m.ClientID)
	if err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	for _, r := range revoked {
		if err := x.notify(ctx, &wire.Push{Seckeyid: r.Seckeyid, State: wire.StateRevoked, Reason: r.Reason}); err != nil {
			return err
		}
	}
	x.log.Info("open", "role", x.peer.Role.String(), "epoch", m.Epoch)
	return nil
}

// refuse answers a failed open: the same bytes, k·50 ms after its arrival, k
// the first by which the work is done.
func (x *session) refuse(ctx context.Context, arrived time.Time, cause error) error {
	step := x.server.bounds.failureStep
	steps := time.Since(arrived)/step + 1
	timer := time.NewTimer(time.Until(arrived.Add(steps * step)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := x.write(ctx, wire.OpenFailure()); err != nil {
		return err
	}
	return fmt.Errorf("%w: %w", errOpen, cause)
}

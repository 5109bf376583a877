package client

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// maxSeals bounds how many k_seal a session keeps, the newest.
const maxSeals = 64

// call is a request on its way.
type call struct {
	request wire.Request
	since   time.Time
	take    func(wire.Reply) error // checks and uses the reply; an error ends the session
	drop    func()                 // undoes take, if nobody waits any more
	done    chan struct{}          // nil: nobody ever waits
	left    bool                   // the one who waited has gone
	err     error
}

// finish is called once, with the session locked.
func (c *call) finish(err error) {
	c.err = err
	if c.left && err == nil && c.drop != nil {
		c.drop()
	}
	if c.done != nil {
		close(c.done)
	}
}

// do makes a request and waits for its reply. number is called with q before
// the request is signed.
func (s *Session) do(ctx context.Context, m wire.Request, c *call, number func(q uint64)) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("client: %s: %w", m.Cmd(), context.Cause(ctx))
	}
	c.done = make(chan struct{})
	if err := s.send(m, c, number); err != nil {
		return err
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c.done: // it came meanwhile
		return c.err
	default:
		c.left = true
		return fmt.Errorf("client: %s: %w", m.Cmd(), context.Cause(ctx))
	}
}

func (s *Session) send(m wire.Request, c *call, number func(q uint64)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return fmt.Errorf("%w: %w", ErrLost, s.err)
	}
	if number != nil {
		number(s.q + 1)
	}
	if err := s.queue(m, c, time.Now()); err != nil {
		return err
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// queue numbers and signs a request and puts it in line, with the session locked.
func (s *Session) queue(m wire.Request, c *call, now time.Time) error {
	h := m.Head()
	h.Q, h.ClientID, h.ServerID = s.q+1, s.id.ClientID, s.id.ServerID
	s.conn.SignRequest(m)
	frame, err := wire.Encode(m)
	if err != nil {
		return fmt.Errorf("client: %s: %w", m.Cmd(), err)
	}
	c.request, c.since = m, now
	s.q, s.asked = h.Q, now
	s.pending = append(s.pending, c)
	s.outbox = append(s.outbox, frame)
	s.trace(true, m, len(frame))
	return nil
}

// Fresh is a key that was just agreed, and is not yet verified.
type Fresh struct {
	Seckeyid uint64
	Held     *kex.Held // the caller's, to be wiped
	SentAt   time.Duration
	Lifetime time.Duration
}

// NotAfter is the key's end on the boot clock, counted from sending negotiate (§6).
func (f *Fresh) NotAfter() time.Duration { return f.SentAt + f.Lifetime }

// Negotiate agrees a fresh key. above is the greatest number that the caller
// holds now, 0 if none: the server's number has to be greater (§5).
func (s *Session) Negotiate(ctx context.Context, above uint64) (*Fresh, error) {
	initiator, err := kex.NewInitiator(s.o.Rand)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	m := &wire.Negotiate{}
	initiator.Offer(m)
	fresh := &Fresh{SentAt: s.o.Clock()}
	c := &call{
		take: func(r wire.Reply) error { return s.accept(initiator, r.(*wire.NegotiateOK), above, fresh) },
		drop: func() { fresh.Held.Zero() },
	}
	if err := s.do(ctx, m, c, nil); err != nil {
		return nil, err
	}
	return fresh, nil
}

// accept checks and derives in the order of §5.
func (s *Session) accept(i *kex.Initiator, ok *wire.NegotiateOK, above uint64, fresh *Fresh) error {
	if ok.Seckeyid <= max(above, s.accepted) {
		return &CheckError{Check: CheckNumber, Cmd: wire.CmdNegotiate}
	}
	agreed, err := i.Accept(s.conn, ok.Q, ok)
	switch {
	case errors.Is(err, kex.ErrConfirm):
		return &CheckError{CheckConfirm, wire.CmdNegotiate, err}
	case err != nil:
		return &CheckError{CheckShare, wire.CmdNegotiate, err}
	}
	s.accepted = ok.Seckeyid
	s.keepSeal(ok.Seckeyid, agreed.Seal)
	held := agreed.Held
	agreed.Zero()
	fresh.Seckeyid, fresh.Held, fresh.Lifetime = ok.Seckeyid, &held, time.Duration(ok.Lifetime)*time.Second
	return nil
}

func (s *Session) keepSeal(seckeyid uint64, k kex.SealKey) {
	if len(s.seals) >= maxSeals {
		var oldest uint64
		for n := range s.seals {
			if oldest == 0 || n < oldest {
				oldest = n
			}
		}
		s.seals[oldest].Zero()
		delete(s.seals, oldest)
	}
	s.seals[seckeyid] = &k
}

// Verify proves to the server that this end holds the key, and has it prove
// the same. held is read before Verify waits and is not kept. It returns the
// greatest state known of the key, StateActive or above.
func (s *Session) Verify(ctx context.Context, seckeyid uint64, held *kex.Held) (wire.State, error) {
	m := &wire.Verify{Seckeyid: seckeyid}
	var want [wire.SizeConfirm]byte
	var state wire.State
	c := &call{take: func(r wire.Reply) error {
		ok := r.(*wire.VerifyOK)
		if !hmac.Equal(ok.Confirm[:], want[:]) {
			return &CheckError{Check: CheckConfirm, Cmd: wire.CmdVerify}
		}
		state = s.o.States.Saw(seckeyid, ok.State)
		return nil
	}}
	err := s.do(ctx, m, c, func(q uint64) {
		m.Confirm = held.ProveClient(s.conn, q, seckeyid)
		want = held.ProveServer(s.conn, q, seckeyid, m.Confirm)
	})
	if err != nil {
		return 0, err
	}
	return state, nil
}

// Revoke ends a key of this client's for good.
func (s *Session) Revoke(ctx context.Context, seckeyid uint64, reason wire.Reason) error {
	c := &call{take: func(wire.Reply) error {
		s.o.States.Saw(seckeyid, wire.StateRevoked)
		return nil
	}}
	return s.do(ctx, &wire.Revoke{Seckeyid: seckeyid, Reason: reason}, c, nil)
}

// Receipt tells that this end has wiped its copies of a key that reached
// StateExpired or StateRevoked.
func (s *Session) Receipt(ctx context.Context, seckeyid uint64, state wire.State) error {
	return s.do(ctx, &wire.Receipt{Seckeyid: seckeyid, State: state}, &call{}, nil)
}

// View returns a page of the history, newest first, and the cursor of the next
// page, 0 after the last. The first page has cursor 0; limit is 1 to 500.
func (s *Session) View(ctx context.Context, f *wire.Filter, cursor uint64, limit int) ([]wire.Row, uint64, error) {
	doc, err := f.Encode()
	if err != nil {
		return nil, 0, fmt.Errorf("client: %w", err)
	}
	var rows []wire.Row
	var next uint64
	c := &call{take: func(r wire.Reply) (err error) {
		ok := r.(*wire.ViewOK)
		if rows, err = wire.DecodePage(ok.Doc); err != nil || len(rows) > limit {
			return &CheckError{CheckDoc, wire.CmdView, err}
		}
		next = ok.Cursor
		return nil
	}}
	if err := s.do(ctx, &wire.View{Doc: doc, Cursor: cursor, Limit: uint64(limit)}, c, nil); err != nil {
		return nil, 0, err
	}
	return rows, next, nil
}

// Ping shows that both ends are alive. A session pings by itself.
func (s *Session) Ping(ctx context.Context) error { return s.do(ctx, &wire.Ping{}, &call{}, nil) }

// Answer is the reply to Administer.
type Answer struct {
	Doc     []byte
	p       uint64
	request wire.MAC
}

// Administer has an operation done (§12). The document that comes back is
// authentic and not yet decoded; one that does not fit is cause for Reject.
func (s *Session) Administer(ctx context.Context, doc []byte) (*Answer, error) {
	m := &wire.Administer{Doc: slices.Clone(doc)}
	a := &Answer{}
	c := &call{take: func(r wire.Reply) error {
		ok := r.(*wire.AdministerOK)
		a.Doc, a.p, a.request = ok.Doc, ok.P, m.AuthCode
		return nil
	}}
	if err := s.do(ctx, m, c, nil); err != nil {
		return nil, err
	}
	return a, nil
}

// Unseal opens the token that an answer carries in its field sealed, under the
// key that its field seckeyid names (§5). The caller wipes what is returned. A
// failure is a failed check and ends the session.
func (s *Session) Unseal(a *Answer, seckeyid uint64, sealed []byte) ([]byte, error) {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return nil, fmt.Errorf("%w: %w", ErrLost, s.err)
	}
	err := error(kex.ErrSealed)
	if k := s.seals[seckeyid]; k != nil {
		var token []byte
		if token, err = k.OpenToken(s.conn, sealed, a.p, a.request); err == nil {
			s.mu.Unlock()
			return token, nil
		}
	}
	s.mu.Unlock()
	s.Reject(wire.CmdAdminister, err)
	return nil, s.Err()
}

package client

import (
	"context"
	"fmt"
	"time"

	"hufu/shared/wire"
)

// read is the goroutine that takes messages in, until the transport fails.
func (s *Session) read() {
	defer s.notices.close()
	for {
		// Not under s.alive: the end of a context would cut the close frame off.
		frame, err := s.t.Read(context.Background())
		if err == nil {
			err = s.receive(frame)
		}
		if err != nil {
			s.end(err)
			return
		}
	}
}

// drive is the goroutine that writes and keeps time: pings, the age of the
// oldest unanswered request, the age of the connection (§6).
func (s *Session) drive() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		frame, wait, err := s.due(time.Now())
		if err == nil && frame != nil {
			if err = s.write(frame); err == nil {
				continue
			}
		}
		if err != nil {
			s.end(err)
		}
		timer.Reset(wait)
		select {
		case <-s.dead:
			s.t.Close()
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// awaitClose gives the reader time to find the peer's close, which says more
// than that nothing can be written.
func (s *Session) awaitClose() {
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case <-s.dead:
	case <-timer.C:
	}
}

func (s *Session) write(frame []byte) error {
	// Not under s.alive: its end would cut off the close frame of a session that
	// ends while a write, whose reply is there already, has yet to return.
	ctx, cancel := context.WithTimeoutCause(context.Background(), writeWait, ErrSilent)
	defer cancel()
	defer context.AfterFunc(s.alive, func() { time.AfterFunc(closeWait, cancel) })()
	if err := s.t.Write(ctx, frame); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("client: write: %w", cause)
		}
		s.awaitClose()
		return err
	}
	return nil
}

// due returns the next frame to write, or how long nothing is to be done, or
// why the session is over.
func (s *Session) due(now time.Time) (frame []byte, wait time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, 0, s.err
	}
	age := s.age - now.Sub(s.born)
	if age <= 0 {
		return nil, 0, ErrAged
	}
	ping := s.Idle()/3 - now.Sub(s.asked)
	if ping <= 0 {
		if err := s.queue(&wire.Ping{}, &call{}, now); err != nil {
			return nil, 0, err
		}
		ping = s.Idle() / 3
	}
	wait = min(age, ping)
	if len(s.pending) > 0 {
		reply := replyWait - now.Sub(s.pending[0].since)
		if reply <= 0 {
			return nil, 0, ErrSilent
		}
		wait = min(wait, reply)
	}
	if len(s.outbox) > 0 {
		frame, s.outbox = s.outbox[0], s.outbox[1:]
	}
	return frame, wait, nil
}

// receive checks one message and acts upon it.
func (s *Session) receive(frame []byte) error {
	m, err := wire.DecodeServer(frame)
	if err != nil {
		return &CheckError{Check: CheckFrame, Cmd: s.awaited(), Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if n, ok := m.(wire.Notice); ok {
		return s.takeNotice(n, len(frame))
	}
	return s.takeReply(m.(wire.Reply), len(frame))
}

// awaited is the type of the oldest unanswered request, for an error's text.
func (s *Session) awaited() wire.Cmd {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 {
		return s.pending[0].request.Cmd()
	}
	return wire.CmdPush
}

func (s *Session) takeReply(m wire.Reply, size int) error {
	h := m.Head()
	failed := func(c Check) error { return &CheckError{Check: c, Cmd: m.Cmd()} }
	if len(s.pending) == 0 {
		return failed(CheckQ)
	}
	c := s.pending[0]
	switch {
	case m.Cmd() != c.request.Cmd():
		return failed(CheckCmd)
	case !s.isOurs(h.ClientID, h.ServerID):
		return failed(CheckIDs)
	case h.P != s.p:
		return failed(CheckP)
	case h.Q != c.request.Head().Q:
		return failed(CheckQ)
	case !s.conn.CheckReply(c.request.Head().AuthCode, m):
		return failed(CheckAuth)
	}
	s.p++
	s.trace(false, m, size)
	if h.Refused {
		s.refused(c.request, h.Code)
		s.pending = s.pending[1:]
		c.finish(h.Code)
		return nil
	}
	if c.take != nil {
		if err := c.take(m); err != nil {
			return err
		}
	}
	s.pending = s.pending[1:]
	c.finish(nil)
	return nil
}

// refused learns the state that an error tells of a key (§8).
func (s *Session) refused(request wire.Request, code wire.Code) {
	var n uint64
	switch r := request.(type) {
	case *wire.Verify:
		n = r.Seckeyid
	case *wire.Revoke:
		n = r.Seckeyid
	default:
		return
	}
	switch code {
	case wire.CodeRevoked:
		s.o.States.Saw(n, wire.StateRevoked)
	case wire.CodeExpired:
		s.o.States.Saw(n, wire.StateExpired)
	}
}

func (s *Session) takeNotice(m wire.Notice, size int) error {
	h := m.Head()
	failed := func(c Check) error { return &CheckError{Check: c, Cmd: m.Cmd()} }
	switch {
	case !s.isOurs(h.ClientID, h.ServerID):
		return failed(CheckIDs)
	case h.P != s.p:
		return failed(CheckP)
	case !s.conn.CheckNotice(m):
		return failed(CheckAuth)
	}
	s.p++
	s.trace(false, m, size)
	if push, ok := m.(*wire.Push); ok {
		s.o.States.Saw(push.Seckeyid, push.State)
	}
	if !s.notices.put(m, size) {
		return ErrOverflow
	}
	return nil
}

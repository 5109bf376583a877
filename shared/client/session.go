package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// The client's deadlines (§6, §8).
const (
	helloWait = 5 * time.Second
	replyWait = 15 * time.Second
	writeWait = 5 * time.Second
	maxAge    = 24 * time.Hour // less a random 0 to 10 %
)

// Options is what a Session needs besides its keys. The zero value is usable.
type Options struct {
	Clock  Clock          // nil: ElapsedClock
	States *States        // shared by all connections of one client id; nil: new ones
	Rand   io.Reader      // nil: crypto/rand
	Jitter func() float64 // uniform in [0, 1); nil: math/rand/v2
	Role   wire.Role      // the role that open ok must tell; 0: any

	// OnPush and OnEvent are called one after the other, in the order in which the
	// messages came, from one goroutine that the session waits for. They may
	// make requests and must not call Close.
	OnPush  func(*Session, *wire.Push)
	OnEvent func(*Session, *wire.Event)

	hurry func() bool // whether a new connection is wanted soon; a Keeper's. nil: no

	// Trace sees every authenticated message. It must return soon and must not
	// call the session.
	Trace func(TraceEvent)
}

func (o *Options) fill() {
	if o.Clock == nil {
		o.Clock = ElapsedClock()
	}
	if o.States == nil {
		o.States = NewStates()
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Jitter == nil {
		o.Jitter = mathrand.Float64
	}
}

// Session is one open connection. Its methods may be called from several
// goroutines; their requests are pipelined and answered in order.
//
// A request returns a wire.Code if the server refused it, which leaves the
// session as it is; an error that wraps ErrLost if the session ended first; and
// that of its context if this ended first: the reply is then consumed in its
// turn, and the session stays usable.
type Session struct {
	t    Transport
	o    Options
	id   kex.Identity
	ok   wire.OpenOK
	born time.Time
	age  time.Duration

	mu       sync.Mutex
	conn     *kex.Conn
	seals    map[uint64]*kex.SealKey
	q        uint64 // of the last request
	p        uint64 // of the next message
	accepted uint64 // the greatest number accepted on this connection
	pending  []*call
	outbox   [][]byte
	asked    time.Time // when the last request was made
	err      error

	notices *queue
	wake    chan struct{} // the outbox has something
	dead    chan struct{}
	alive   context.Context // ends with the session
	kill    context.CancelFunc
	tasks   sync.WaitGroup
}

// Open waits for hello, opens, and checks the server's proof (§3, §8). It
// takes the transport over and closes it on failure. The long-term keys stay
// the caller's and are not needed afterwards; ctx governs the opening only.
func Open(ctx context.Context, t Transport, keys *kex.LongTerm, o Options) (*Session, error) {
	o.fill()
	s := &Session{t: t, o: o, id: keys.Identity(), seals: map[uint64]*kex.SealKey{}, p: 1,
		notices: newQueue(), wake: make(chan struct{}, 1), dead: make(chan struct{})}
	if err := s.open(ctx, keys); err != nil {
		if s.conn != nil {
			s.conn.Zero()
		}
		t.Close()
		return nil, err
	}
	s.alive, s.kill = context.WithCancel(context.Background())
	s.born = time.Now()
	s.asked = s.born
	s.age = maxAge - time.Duration(o.Jitter()*float64(maxAge)/10)
	s.tasks.Go(s.read)
	s.tasks.Go(s.drive)
	s.tasks.Go(s.tell)
	return s, nil
}

func (s *Session) open(ctx context.Context, keys *kex.LongTerm) error {
	hello, err := s.awaitHello(ctx)
	if err != nil {
		return err
	}
	m := &wire.Open{RequestHead: wire.RequestHead{ClientID: s.id.ClientID, ServerID: s.id.ServerID}, Epoch: s.id.Epoch}
	if _, err := io.ReadFull(s.o.Rand, m.Nonce[:]); err != nil {
		return fmt.Errorf("client: no randomness: %w", err)
	}
	s.conn = keys.Connect(&hello.Nonce, &m.Nonce)
	s.conn.SignRequest(m)
	frame, err := wire.Encode(m)
	if err != nil {
		return fmt.Errorf("client: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, replyWait, ErrSilent)
	defer cancel()
	s.trace(true, m, len(frame))
	if err := s.t.Write(ctx, frame); err != nil {
		return err
	}
	return s.awaitOpened(ctx, m)
}

func (s *Session) awaitHello(ctx context.Context) (*wire.Hello, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, helloWait, ErrSilent)
	defer cancel()
	frame, err := s.readFirst(ctx, wire.CmdHello)
	if err != nil {
		return nil, err
	}
	hello, err := wire.DecodeHello(frame)
	if err != nil {
		return nil, &CheckError{CheckFrame, wire.CmdHello, err}
	}
	if hello.ServerID != s.id.ServerID {
		return nil, &CheckError{Check: CheckIDs, Cmd: wire.CmdHello}
	}
	s.trace(false, hello, len(frame))
	return hello, nil
}

func (s *Session) awaitOpened(ctx context.Context, m *wire.Open) error {
	frame, err := s.readFirst(ctx, wire.CmdOpen)
	if err != nil {
		return err
	}
	ok, err := wire.DecodeOpenReply(frame)
	switch {
	case errors.Is(err, wire.ErrRefused):
		return ErrRefused
	case err != nil:
		return &CheckError{CheckFrame, wire.CmdOpen, err}
	case !s.isOurs(ok.ClientID, ok.ServerID):
		return &CheckError{Check: CheckIDs, Cmd: wire.CmdOpen}
	case ok.P != 0:
		return &CheckError{Check: CheckP, Cmd: wire.CmdOpen}
	case ok.Q != 0:
		return &CheckError{Check: CheckQ, Cmd: wire.CmdOpen}
	case !s.conn.CheckReply(m.AuthCode, ok):
		return &CheckError{Check: CheckAuth, Cmd: wire.CmdOpen}
	case s.o.Role != 0 && s.o.Role != ok.Role:
		return &CheckError{CheckRole, wire.CmdOpen, fmt.Errorf("the server says %s, expected was %s", ok.Role, s.o.Role)}
	}
	s.ok = *ok
	s.trace(false, ok, len(frame))
	return nil
}

// readFirst reads one of the two messages that have to be short (§8).
func (s *Session) readFirst(ctx context.Context, awaited wire.Cmd) ([]byte, error) {
	frame, err := s.t.Read(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("client: waiting for %s: %w", awaited, context.Cause(ctx))
	case err != nil:
		return nil, err
	case len(frame) > wire.MaxFirstFrame:
		return nil, &CheckError{CheckFrame, awaited, errTooLong}
	}
	return frame, nil
}

func (s *Session) isOurs(clientID, serverID string) bool {
	return clientID == s.id.ClientID && serverID == s.id.ServerID
}

// Identity tells who is connected to whom.
func (s *Session) Identity() kex.Identity { return s.id }

// Role is what this client may do, as the server says.
func (s *Session) Role() wire.Role { return s.ok.Role }

// Idle is after how long without a request the server closes.
func (s *Session) Idle() time.Duration { return time.Duration(s.ok.Idle) * time.Second }

// Grace is how long a retired key may still open.
func (s *Session) Grace() time.Duration { return time.Duration(s.ok.Grace) * time.Second }

// ServerTime is the server's clock at open, for display and warnings only.
func (s *Session) ServerTime() time.Time { return time.UnixMilli(int64(s.ok.Now)).UTC() }

// Opened is when open ok came, by this machine's clock.
func (s *Session) Opened() time.Time { return s.born }

// Done is closed when the session has ended and its keys are wiped.
func (s *Session) Done() <-chan struct{} { return s.dead }

// Err tells why the session ended: a *CheckError, a *CloseError, ErrSilent,
// ErrAged, ErrClosed or another; nil while it lives.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the session and waits for all that it runs.
func (s *Session) Close() {
	s.end(ErrClosed)
	s.tasks.Wait()
}

// Reject ends the session because a document from the server is not as it must
// be (§12). It is for those who decode what Administer and OnEvent hand out.
func (s *Session) Reject(cmd wire.Cmd, err error) { s.end(&CheckError{CheckDoc, cmd, err}) }

// end wipes the connection's keys and fails what waits. The first cause counts.
func (s *Session) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = cause
	s.conn.Zero()
	for _, k := range s.seals {
		k.Zero()
	}
	clear(s.seals)
	for _, c := range s.pending {
		c.finish(fmt.Errorf("%w: %w", ErrLost, cause))
	}
	s.pending, s.outbox = nil, nil
	close(s.dead)
	s.kill()
}

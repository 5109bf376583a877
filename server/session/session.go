package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// session is one connection: WAIT_OPEN → OPEN → CLOSED (§8). Its own goroutine
// reads and answers; others only offer pushes and close.
type session struct {
	server   *Server
	conn     *websocket.Conn
	socket   io.Closer // under conn
	name     string
	log      *slog.Logger // the session's goroutine alone uses it until the client's name is in it
	admitted func()       // ends the counting as not yet open

	peer keyservice.Peer
	q    uint64 // of the last authentic request
	p    uint64 // of the next message; whoever holds the outbox may use it
	out  outbox

	idle   *time.Timer  // closes after silence; the session's goroutine alone uses it
	ping   *time.Timer  // keeps the way through proxies open
	stale  atomic.Bool  // the enrolment has changed since it may have been looked up
	opened atomic.Bool  // open ok and what follows it at once have gone out
	code   atomic.Int64 // with which another goroutine closes; 0: none does
}

// errProtocol closes the connection with 1008 and no reply (§6, steps 1 to 5).
var errProtocol = errors.New("session: protocol violation")

func (x *session) run(ctx context.Context) {
	defer x.admitted()
	defer x.wipe()
	defer x.server.registry.remove(x)
	defer x.peer.Unwatch()
	defer x.ping.Stop()
	x.out.hold()            // until open ok and what follows it at once have gone out
	x.conn.SetReadLimit(-1) // read has limits of its own, by order (§8)

	cancel, err := x.open(ctx)
	if cancel != nil {
		defer cancel()
	}
	if err != nil {
		x.out.drop()
	} else {
		x.admitted()
		gone := x.server.service.Connected(x.peer.ClientID)
		err = x.serve(ctx)
		gone()
	}
	x.end(err)
}

// wipe erases the connection's keys once nobody signs with them any more.
func (x *session) wipe() {
	x.out.settle()
	x.peer.Wipe()
}

// serve reads and answers requests until the connection ends.
func (x *session) serve(ctx context.Context) error {
	silence := x.silence()
	x.idle = time.AfterFunc(silence, func() { x.closeSoon(websocket.StatusPolicyViolation, "idle") })
	defer x.idle.Stop()
	x.opened.Store(true)
	if x.stale.Load() {
		x.spawn(x.recheck)
	}
	if err := x.release(ctx); err != nil {
		return err
	}
	for {
		frame, done, err := x.read(ctx, wire.MaxRequest)
		if err != nil {
			return err
		}
		m, err := x.check(frame)
		done()
		if err != nil {
			return err
		}
		x.idle.Reset(silence)
		if err := x.handle(ctx, m); err != nil {
			return err
		}
	}
}

// silence is after how much of it the connection is closed.
func (x *session) silence() time.Duration {
	if d := x.server.bounds.idle; d != 0 {
		return d
	}
	idle, _, _ := x.server.service.Terms()
	return idle
}

// check is steps 2 to 5 of §6: it returns an authentic request that is the next.
func (x *session) check(frame []byte) (wire.Request, error) {
	m, err := wire.DecodeRequest(frame)
	if err != nil {
		return nil, violation(err.Error())
	}
	if h := m.Head(); h.ClientID != x.peer.ClientID || h.ServerID != x.server.service.ServerID() {
		return nil, violation("the identifiers are not the opened ones")
	}
	if !x.peer.Keys.CheckRequest(m) {
		x.server.MACFailures.Add(1)
		return nil, violation("authCode is wrong")
	}
	if m.Head().Q != x.q+1 {
		return nil, violation("q is not the next")
	}
	x.q++
	return m, nil
}

// handle answers a request, then sends the pushes that have come meanwhile.
func (x *session) handle(ctx context.Context, m wire.Request) error {
	if !x.out.hold() {
		return errClosed
	}
	watcher := x.peer.Watcher()
	if err := x.answer(ctx, m); err != nil {
		x.out.drop()
		return err
	}
	if w := x.peer.Watcher(); w != nil && w != watcher {
		x.spawn(func() { x.tell(w) })
	}
	return x.release(ctx)
}

func violation(what string) error { return fmt.Errorf("%w: %s", errProtocol, what) }

var errClosed = errors.New("session: closed")

// read reads one binary message of at most limit bytes into a pooled buffer;
// done gives it back.
func (x *session) read(ctx context.Context, limit int) (frame []byte, done func(), err error) {
	kind, r, err := x.conn.Reader(ctx)
	if err != nil {
		return nil, nil, err
	}
	if kind != websocket.MessageBinary {
		return nil, nil, violation("a text frame")
	}
	buf := buffers.Get().(*[wire.MaxRequest + 1]byte)
	n, err := io.ReadFull(r, buf[:limit+1])
	if err == nil {
		buffers.Put(buf)
		return nil, nil, violation("the frame is too long")
	}
	if err != io.EOF && err != io.ErrUnexpectedEOF {
		buffers.Put(buf)
		return nil, nil, err
	}
	return buf[:n], func() { buffers.Put(buf) }, nil
}

var buffers = sync.Pool{New: func() any { return new([wire.MaxRequest + 1]byte) }}

// send writes one message. The caller holds the outbox.
func (x *session) send(ctx context.Context, m wire.Message) error {
	b, err := wire.Encode(m)
	if err != nil {
		return err
	}
	return x.write(ctx, b)
}

func (x *session) write(ctx context.Context, b []byte) error {
	ctx, cancel := context.WithTimeout(ctx, x.server.bounds.write)
	defer cancel()
	x.ping.Reset(x.server.bounds.ping)
	return x.conn.Write(ctx, websocket.MessageBinary, b)
}

// release sends the pushes that wait and gives the outbox back, also when it fails.
func (x *session) release(ctx context.Context) error {
	for {
		pushes := x.out.take()
		if len(pushes) == 0 {
			return nil
		}
		for _, push := range pushes {
			if err := x.notify(ctx, push); err != nil {
				x.out.drop()
				return err
			}
		}
	}
}

// notify numbers, signs and sends one push or event. The caller holds the outbox.
func (x *session) notify(ctx context.Context, m wire.Notice) error {
	*m.Head() = wire.NoticeHead{P: x.p, ClientID: x.peer.ClientID, ServerID: x.server.service.ServerID()}
	x.p++
	x.peer.Keys.SignNotice(m)
	return x.send(ctx, m)
}

// changed is called for every change that concerns the client. It does not block.
func (x *session) changed(c keyservice.ChangeRow) {
	switch {
	case c.Kind == keyservice.KindDisabled, c.Kind == keyservice.KindCut, c.Kind == keyservice.KindOpened:
		x.stale.Store(true)
		if x.opened.Load() { // else serve sees it
			x.spawn(x.recheck)
		}
	case c.State >= wire.StateRetired:
		mine, full := x.out.offer(&wire.Push{Seckeyid: c.Seckeyid, State: c.State, Reason: c.Reason})
		if full {
			x.closeSoon(websocket.StatusPolicyViolation, "too slow")
		}
		if mine && !x.spawn(func() {
			if x.release(x.server.ctx) != nil {
				x.cut() // the reader sees it and ends the session
			}
		}) {
			x.out.drop() // the session has ended, and waits for it
		}
	}
}

// recheck closes the session if the secret it was opened with is good no more.
func (x *session) recheck() {
	e, err := x.server.service.Lookup(x.server.ctx, x.peer.ClientID, x.peer.Epoch)
	if err != nil {
		x.log.Warn("the enrolment cannot be looked up; closing", "error", err)
		x.closeSoon(websocket.StatusTryAgainLater, "")
		return
	}
	e.Secret.Zero()
	if !e.Known {
		x.closeSoon(websocket.StatusPolicyViolation, "")
	}
}

// sendPing is for proxies and proves nothing: nobody waits for its answer, and
// its failure shows in the next write. It may come while the client is named.
func (x *session) sendPing(log *slog.Logger) {
	x.spawn(func() {
		x.ping.Reset(x.server.bounds.ping)
		ctx, cancel := context.WithTimeout(x.server.ctx, x.server.bounds.write)
		defer cancel()
		if err := x.conn.Ping(ctx); err != nil {
			log.Debug("no answer to a ping", "error", err)
		}
	})
}

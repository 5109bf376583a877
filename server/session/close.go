package session

import (
	"errors"
	"time"

	"github.com/coder/websocket"
)

// closeTooMany is the close code of a client's oldest connection when it opens
// one more than it may have (§6).
const closeTooMany websocket.StatusCode = 4001

// closeSoon closes the session from another goroutine, after the reply that is
// in flight. It does not block.
func (x *session) closeSoon(code websocket.StatusCode, reason string) {
	x.spawn(func() {
		if x.code.CompareAndSwap(0, int64(code)) {
			x.finishReply()
			x.close(code, reason)
		}
	})
}

// spawn runs f in a goroutine that Shutdown waits for. It answers false, and
// runs nothing, if the session has ended.
func (x *session) spawn(f func()) bool {
	wg := &x.server.wg
	if !x.server.registry.enter(x, wg) {
		return false
	}
	go func() {
		defer wg.Done()
		f()
	}()
	return true
}

// finishReply lets nobody write any more and waits for the one who does. A
// session that has not yet opened holds its outbox itself while it waits for
// the client, and has nothing to finish.
func (x *session) finishReply() {
	x.out.close()
	if x.opened.Load() {
		x.out.settle()
	}
}

// end says why the session has ended, and closes if the peer has not.
func (x *session) end(err error) {
	x.out.close()
	status := websocket.CloseStatus(err)
	switch {
	case x.code.Load() != 0:
		x.log.Info("closed", "code", x.code.Load())
	case errors.Is(err, errStore):
		x.log.Warn("closed", "code", int(websocket.StatusTryAgainLater), "cause", err)
		x.close(websocket.StatusTryAgainLater, "")
	case errors.Is(err, errOpen), errors.Is(err, errProtocol):
		x.log.Warn("closed", "code", int(websocket.StatusPolicyViolation), "cause", err)
		x.close(websocket.StatusPolicyViolation, "")
	case status != -1:
		x.log.Info("closed by the client", "code", int(status))
	default:
		x.log.Info("connection lost", "cause", err)
		x.conn.CloseNow()
	}
}

// close sends the close frame, then reads and discards for up to 1 s (§8).
// That the peer does not answer is no news.
func (x *session) close(code websocket.StatusCode, reason string) {
	late := time.AfterFunc(x.server.bounds.close, x.cut)
	defer late.Stop()
	_ = x.conn.Close(code, reason)
}

// cut ends the connection at once, whoever reads or writes. The library's
// CloseNow does not once a Close has begun: it waits for that one, which a peer
// that has announced a long frame and does not send it can make last for ever.
func (x *session) cut() { x.socket.Close() }

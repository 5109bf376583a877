package session

import (
	"context"

	"github.com/coder/websocket"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// eventsAtOnce is after how many events whoever waits to answer comes first.
const eventsAtOnce = 32

// tell sends a watcher's events until it is closed or the session ends. They
// go out between replies and hold none up for longer than a few events take.
func (x *session) tell(w *keyservice.Watcher) {
	for {
		some, err := w.Wait(x.server.ctx)
		if err != nil {
			x.log.Warn("events cannot be read; closing", "error", err)
			x.closeSoon(websocket.StatusTryAgainLater, "")
		}
		if err != nil || !some || !x.out.holdLast() {
			return
		}
		if err := x.sendEvents(x.server.ctx, w.Take(eventsAtOnce)); err != nil {
			x.out.drop()
			x.cut() // the reader sees it and ends the session
			return
		}
		if x.release(x.server.ctx) != nil {
			x.cut()
			return
		}
	}
}

// sendEvents numbers, signs and sends events. The caller holds the outbox.
func (x *session) sendEvents(ctx context.Context, rows []wire.EventRow) error {
	for i := range rows {
		doc, err := wire.EncodeResult(&rows[i])
		if err != nil {
			return err
		}
		if err := x.notify(ctx, &wire.Event{Doc: doc}); err != nil {
			return err
		}
	}
	return nil
}

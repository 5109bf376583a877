package session

import (
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// TestPushAtTheEnd: a push that finds the session at its end is not sent, and
// does not keep the outbox, for which the session waits.
func TestPushAtTheEnd(t *testing.T) {
	retired := keyservice.ChangeRow{Kind: keyservice.KindRetired, Outlet: "o", Seckeyid: 1, State: wire.StateRetired}
	for name, end := range map[string]func(x *session){
		"it has ended":                func(*session) {}, // its goroutine is counted no more
		"what was held is given back": func(x *session) { x.out.hold(); x.changed(retired); x.out.drop() },
	} {
		x := &session{server: New(nil, Limits{}, nil)} // a push that is sent needs the rest
		x.out.init(standard.pushes)
		end(x)
		x.changed(retired)
		settled := make(chan struct{})
		go func() {
			defer close(settled)
			x.out.settle()
		}()
		select {
		case <-settled:
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: the outbox is held for ever", name)
		}
		if _, full := x.out.offer(&wire.Push{}); full || x.out.hold() || len(x.out.queue) > 0 {
			t.Errorf("%s: something is still to be sent", name)
		}
	}
}

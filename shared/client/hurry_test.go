package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"hufu/shared/wire"
)

// TestHurry: a client whose verify got no reply does not wait for long between
// attempts, because the server may have retired the current key by it, until
// the grace is over; then it waits as ever. A verify that is answered, or of a
// key that retires nothing, is no cause to hurry.
func TestHurry(t *testing.T) {
	for _, c := range []struct {
		name   string
		number uint64 // whose verify gets no reply
		again  bool   // it is a later one, of a key that is current
		short  bool
	}{
		{"the first of a new key", 2, false, true},
		{"one of the current key", 1, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			keep(t, func(t *testing.T, o *outlet) {
				o.session.Close()
				o.negotiateOnce(t)
				lost := false
				o.instead(func(p *peer, m wire.Request) bool {
					v, is := m.(*wire.Verify)
					lost = is && v.Seckeyid == c.number
					if lost {
						p.close(codeAbnormal)
					}
					return lost
				})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
				defer cancel()
				begin := time.Now()
				var early, late time.Duration // the longest wait during the grace, and after it
				client := &Client{Addresses: []string{"ws://a/ws"}, Keys: longTerm(),
					Options: o.keeper.Attach(Options{Jitter: func() float64 { return 0.9 }}),
					Dial: func(ctx context.Context, url string) (Transport, error) {
						if lost {
							return nil, errors.New("away")
						}
						tr, err := o.dial(ctx, url)
						o.change(func(p *peer) { p.grace = 120 })
						return tr, err
					},
					Ready: func(ctx context.Context, s *Session) error {
						if c.again {
							_, err := o.keeper.Reverify(ctx, s)
							return err
						}
						_, err := o.keeper.Negotiate(ctx, s)
						return err
					},
					Report: func(s Status) {
						if time.Since(begin) < 2*time.Minute {
							early = max(early, s.Retry)
						} else {
							late = max(late, s.Retry)
						}
					}}
				wantErr(t, client.Run(ctx), context.DeadlineExceeded)
				if want := hurryWait * 9 / 10; c.short != (early == want) {
					t.Errorf("the longest wait during the grace is %v; at most %v: %v", early, want, c.short)
				}
				if want := backoffCap * 9 / 10; late != want {
					t.Errorf("the longest wait after the grace is %v, want %v", late, want)
				}
			})
		})
	}
}

// negotiateOnce has the outlet hold key 1, on a connection that is closed again.
func (o *outlet) negotiateOnce(t *testing.T) {
	t.Helper()
	o.connect()
	o.negotiate()
	o.session.Close()
	synctest.Wait()
}

// TestDoubtEnds: the answer to a later verify of the same key ends the doubt.
func TestDoubtEnds(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.instead(func(p *peer, m wire.Request) bool {
			if m.Cmd() == wire.CmdVerify {
				p.close(codeAbnormal)
			}
			return m.Cmd() == wire.CmdVerify
		})
		_, err := o.keeper.Negotiate(t.Context(), o.session)
		wantErr(t, err, ErrLost)
		if !o.keeper.inDoubt() {
			t.Error("a verify that got no reply leaves no doubt")
		}
		o.instead(nil)
		o.connect()
		if _, err := o.keeper.Reverify(t.Context(), o.session); err != nil {
			t.Fatal(err)
		}
		if o.keeper.inDoubt() {
			t.Error("there is doubt after the answer")
		}
	})
}

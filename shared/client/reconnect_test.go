package client

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hufu/shared/wire"
)

// TestRetryWait: full jitter, a uniform share of a step that doubles from half
// a second to a minute; ten seconds after a server's restart.
func TestRetryWait(t *testing.T) {
	steps := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		16 * time.Second, 32 * time.Second, time.Minute, time.Minute}
	for tries, step := range steps {
		for _, u := range []float64{0, 0.25, 0.999} {
			for _, err := range []error{ErrRefused, ErrSilent, &CloseError{Code: 1008}, &CloseError{Code: 1006}} {
				if got, want := retryWait(err, tries, u), time.Duration(u*float64(step)); got != want {
					t.Errorf("try %d, %v: %v, want %v", tries, err, got, want)
				}
			}
			for _, code := range []int{1001, 1012} {
				err := fmt.Errorf("it went: %w", &CloseError{Code: code})
				if got, want := retryWait(err, tries, u), time.Duration(u*float64(10*time.Second)); got != want {
					t.Errorf("code %d: %v, want %v", code, got, want)
				}
			}
		}
	}
	if got := retryWait(ErrSilent, 1<<40, 1); got != backoffCap {
		t.Errorf("after very many tries: %v", got)
	}
}

// TestBackoff runs the loop against a server that is away.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := errors.New("connection refused")
		var at []time.Duration
		begin := time.Now()
		c := &Client{Addresses: []string{"ws://a/ws", "ws://b/ws"}, Keys: longTerm(),
			Options: Options{Jitter: func() float64 { return 0.5 }},
			Dial: func(_ context.Context, url string) (Transport, error) {
				if url == "ws://a/ws" {
					at = append(at, time.Since(begin))
				}
				return nil, away
			},
			Report: func(s Status) {
				if s.Session != nil || !errors.Is(s.Err, away) {
					t.Errorf("got %+v", s)
				}
			}}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
		defer cancel()
		wantErr(t, c.Run(ctx), context.DeadlineExceeded)
		want := "[0s 250ms 750ms 1.75s 3.75s 7.75s 15.75s 31.75s 1m1.75s 1m31.75s]"
		if got := fmt.Sprint(at); got != want {
			t.Errorf("attempts at %s, want %s", got, want)
		}
	})
}

// TestReconnect: a lost connection is followed by another, addresses are tried
// in order, what is known of states stays, and a long life resets the backoff.
func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dialled []string
		var waits []time.Duration
		peers := make(chan *peer, 10)
		sessions := 0
		c := &Client{Addresses: []string{"ws://a/ws", "ws://b/ws"}, Keys: longTerm(),
			Options: Options{Jitter: func() float64 { return 0.5 }},
			Dial: func(_ context.Context, url string) (Transport, error) {
				dialled = append(dialled, url)
				if url == "ws://a/ws" {
					return nil, errors.New("away")
				}
				p := newPeer(t)
				go func() {
					p.open()
					peers <- p
					for m := p.request(); m != nil; m = p.request() {
						p.done(m)
					}
				}()
				return p.link, nil
			},
			Ready: func(ctx context.Context, s *Session) error {
				sessions++
				if sessions == 2 && s.o.States.At(5) != wire.StateRevoked {
					t.Error("what the first connection told is forgotten")
				}
				if sessions == 3 {
					return errors.New("not to the caller's liking")
				}
				if sessions == 4 {
					<-ctx.Done() // ends with the connection
					return ctx.Err()
				}
				return nil
			},
			Report: func(s Status) {
				if s.Session == nil {
					waits = append(waits, s.Retry)
				}
			}}
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		first := <-peers
		first.push(5, wire.StateRevoked)
		time.Sleep(time.Second)
		first.close(1012)
		second := <-peers
		time.Sleep(2 * time.Minute)
		second.close(1008)
		<-peers // the third: Ready fails
		fourth := <-peers
		fourth.close(4001)
		<-peers
		synctest.Wait()
		enough := errors.New("enough")
		cancel(enough)
		wantErr(t, <-done, enough)
		if got, want := fmt.Sprint(waits), "[5s 250ms 500ms 1s]"; got != want {
			t.Errorf("waited %s, want %s", got, want)
		}
		if len(dialled) != 10 || dialled[0] != "ws://a/ws" || dialled[1] != "ws://b/ws" {
			t.Errorf("dialled %v", dialled)
		}
	})
}

// TestForgedRefusal: nothing but a backoff follows from it.
func TestForgedRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutlet(t)
		o.negotiate()
		forge := 3
		c := &Client{Addresses: []string{"ws://a/ws"}, Keys: longTerm(), Options: o.keeper.Attach(Options{}),
			Dial: func(ctx context.Context, url string) (Transport, error) {
				if forge--; forge < 0 {
					return o.dial(ctx, url)
				}
				p := newPeer(t)
				go func() {
					p.greet()
					p.send(wire.OpenFailure())
					p.close(1008)
				}()
				return p.link, nil
			}}
		ctx, cancel := context.WithCancel(t.Context())
		c.Ready = func(ctx context.Context, s *Session) error {
			o.want(1, current)
			if needed, err := o.keeper.Reverify(ctx, s); needed || err != nil {
				t.Errorf("needed %v, %v", needed, err)
			}
			cancel()
			return nil
		}
		wantErr(t, c.Run(ctx), context.Canceled)
		o.want(1, current)
	})
}

func TestDialTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		err := OpenOnce(t.Context(), func(ctx context.Context, _ string) (Transport, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}, "", &wire.Token{}, Options{})
		wantErr(t, err, ErrSilent)
		if took := time.Since(begin); took != dialWait {
			t.Errorf("given up after %v", took)
		}
	})
}

func TestOpenOnce(t *testing.T) {
	for _, role := range []wire.Role{wire.RoleOutlet, wire.RoleOperator} {
		synctest.Test(t, func(t *testing.T) {
			token := &wire.Token{URL: "https://centre.example/hufu", ServerID: testID.ServerID, ClientID: testID.ClientID,
				Role: role, Epoch: testID.Epoch, Secret: testSecret}
			var p *peer
			err := OpenOnce(t.Context(), func(_ context.Context, url string) (Transport, error) {
				if url != "wss://centre.example/hufu/ws" {
					t.Errorf("dialled %s", url)
				}
				p = newPeer(t)
				go obliging(p) // an outlet's
				return p.link, nil
			}, token.Dial(), token, Options{})
			if role == wire.RoleOutlet && err != nil {
				t.Error(err)
			} else if role != wire.RoleOutlet {
				wantCheck(t, err, CheckRole)
			}
			<-p.gone
		})
	}
}

// TestPauseCountsSuspend: what is left of a wait is over when the clock says
// so, though the timer has stood still.
func TestPauseCountsSuspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var suspended atomic.Int64
		clock := func() time.Duration { return time.Since(begin) + time.Duration(suspended.Load()) }
		if !pause(t.Context(), clock, time.Minute) || time.Since(begin) != time.Minute {
			t.Errorf("it took %v", time.Since(begin))
		}
		begin = time.Now()
		time.AfterFunc(10500*time.Millisecond, func() { suspended.Store(int64(time.Hour)) })
		if !pause(t.Context(), clock, time.Minute) || time.Since(begin) != 11*time.Second {
			t.Errorf("after a suspend it took %v", time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		begin = time.Now()
		suspended.Store(0)
		if pause(ctx, clock, time.Minute) || time.Since(begin) != 1500*time.Millisecond {
			t.Errorf("it ended after %v", time.Since(begin))
		}
	})
}

package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// broken is a link on which writing fails, or blocks, once it is told to.
type broken struct {
	*link
	write func(ctx context.Context) error // nil: as the link
	open  bool                            // not yet closed by the client
}

func (b *broken) Write(ctx context.Context, message []byte) error {
	if b.write != nil {
		return b.write(ctx)
	}
	return b.link.Write(ctx, message)
}

func (b *broken) Close() error {
	b.open = false
	return b.link.Close()
}

func openBroken(t *testing.T) (*broken, *Session) {
	t.Helper()
	p := newPeer(t)
	go p.open()
	b := &broken{link: p.link, open: true}
	s, err := Open(t.Context(), b, longTerm(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

var errPipe = errors.New("broken pipe")

// TestCloseBehindFailedWrite: a peer that has closed makes a write fail before
// its close is read. What the session ends with is the close; only if none
// comes within closeWait is it the failed write.
func TestCloseBehindFailedWrite(t *testing.T) {
	for _, c := range []struct {
		name  string
		close time.Duration
		code  int // 0: errPipe
	}{
		{"before the wait is over", closeWait - time.Millisecond, 4001},
		{"too late", closeWait + time.Millisecond, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := openBroken(t)
				defer s.Close()
				b.write = func(context.Context) error {
					time.AfterFunc(c.close, func() { b.down <- &CloseError{Code: 4001} })
					return errPipe
				}
				err := s.Ping(t.Context())
				wantErr(t, err, ErrLost)
				var closed *CloseError
				switch {
				case c.code == 0:
					wantErr(t, err, errPipe)
				case !errors.As(err, &closed) || closed.Code != c.code:
					t.Errorf("ended with %v, want close code %d", err, c.code)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestWriteAtTheEnd: the end of a session does not cut off a write in progress,
// with which the close frame would be lost, but bounds it by closeWait.
func TestWriteAtTheEnd(t *testing.T) {
	for _, c := range []struct {
		name       string
		takes, cut time.Duration // what the write needs from the session's end on; when it returned
	}{
		{"returns in time", closeWait / 2, closeWait / 2},
		{"returns never", time.Hour, closeWait},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := openBroken(t)
				ended := time.Now().Add(time.Second)
				var returned time.Duration
				b.write = func(ctx context.Context) error {
					select {
					case <-time.After(time.Second + c.takes):
					case <-ctx.Done():
					}
					returned = time.Since(ended)
					if !b.open {
						t.Error("the transport was closed while a write was in progress")
					}
					return ctx.Err()
				}
				go s.Ping(t.Context())
				time.Sleep(time.Until(ended))
				s.Close()
				synctest.Wait()
				if returned != c.cut {
					t.Errorf("the write returned %v after the session's end, want %v", returned, c.cut)
				}
				if b.open {
					t.Error("the transport was not closed")
				}
			})
		})
	}
}

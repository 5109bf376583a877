package client

import (
	"context"
	"errors"
	"time"

	"hufu/shared/kex"
)

// The reconnection's times (§8: exponential backoff, full jitter).
const (
	backoffBase = 500 * time.Millisecond
	backoffCap  = 60 * time.Second
	restartWait = 10 * time.Second // at most, after close 1001 or 1012
	hurryWait   = 5 * time.Second  // at most, while it is in doubt which key the server holds for current
	dialWait    = 10 * time.Second
)

// Client keeps a Session open. Any failure, a refused open included, which is
// forgeable, makes it back off and try again; it never wipes or erases anything.
type Client struct {
	Addresses []string // WebSocket addresses, tried in this order at every attempt
	Keys      *kex.LongTerm
	Dial      Dialer // nil: Dial
	Options   Options

	// Ready is called with every connection that opened. Its context ends with
	// the connection. An error closes the connection; after nil it stays open
	// until it ends.
	Ready func(ctx context.Context, s *Session) error

	// Report, if not nil, is told of every connection that opened, and of every
	// failure with the wait before the next attempt.
	Report func(Status)
}

// Status is what Client tells of itself.
type Status struct {
	Session *Session      // open now; nil after a failure
	Address string        // of Session
	Err     error         // why the attempt failed or the connection ended; with Session: why the addresses before its own did
	Retry   time.Duration // until the next attempt
}

// Run connects and reconnects until its context ends, and returns its cause.
func (c *Client) Run(ctx context.Context) error {
	o := c.Options
	o.fill() // once: what States learn is kept over the connections
	tries := 0
	for {
		lasted, err := c.attempt(ctx, o)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if lasted >= backoffCap {
			tries = 0
		}
		u := o.Jitter()
		wait := retryWait(err, tries, u)
		if o.hurry != nil && o.hurry() {
			wait = min(wait, time.Duration(u*float64(hurryWait)))
		}
		tries++
		c.report(Status{Err: err, Retry: wait})
		if !pause(ctx, o.Clock, wait) {
			return context.Cause(ctx)
		}
	}
}

// pause waits for so long by a clock that counts suspend, which timers do not,
// and reports whether the context lives.
func pause(ctx context.Context, clock Clock, wait time.Duration) bool {
	for end := clock() + wait; ; {
		left := end - clock()
		if left <= 0 {
			return ctx.Err() == nil
		}
		select {
		case <-time.After(min(left, time.Second)):
		case <-ctx.Done():
			return false
		}
	}
}

// retryWait is full jitter, u times the step; after the close of a server that
// restarts it spreads the clients over ten seconds instead.
func retryWait(err error, tries int, u float64) time.Duration {
	var closed *CloseError
	if errors.As(err, &closed) && (closed.Code == codeAway || closed.Code == codeRestart) {
		return time.Duration(u * float64(restartWait))
	}
	step := backoffCap
	if tries < 7 {
		step = min(backoffCap, backoffBase<<tries)
	}
	return time.Duration(u * float64(step))
}

// attempt serves one connection, to the first address that opens, and tells
// how long it lasted.
func (c *Client) attempt(ctx context.Context, o Options) (time.Duration, error) {
	var failed error
	for _, address := range c.Addresses {
		s, err := connect(ctx, c.Dial, address, c.Keys, o)
		if err == nil {
			err = c.serve(ctx, s, address, failed)
			return time.Since(s.Opened()), err
		}
		if ctx.Err() != nil {
			return 0, err
		}
		failed = errors.Join(failed, &AddressError{address, err})
	}
	return 0, failed
}

func connect(ctx context.Context, d Dialer, address string, keys *kex.LongTerm, o Options) (*Session, error) {
	if d == nil {
		d = Dial
	}
	dialing, cancel := context.WithTimeoutCause(ctx, dialWait, ErrSilent)
	defer cancel()
	t, err := d(dialing, address)
	if err != nil {
		return nil, err
	}
	return Open(ctx, t, keys, o)
}

func (c *Client) serve(ctx context.Context, s *Session, address string, failed error) error {
	defer s.Close()
	alive, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.alive, func() { cancel(s.Err()) })()
	c.report(Status{Session: s, Address: address, Err: failed})
	if c.Ready != nil {
		if err := c.Ready(alive, s); err != nil && s.Err() == nil {
			return err
		}
	}
	<-alive.Done()
	if err := s.Err(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

func (c *Client) report(s Status) {
	if c.Report != nil {
		c.Report(s)
	}
}

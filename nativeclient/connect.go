package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/settings"
	"hufu/shared/wire"
	"hufu/shm"
)

// connectWithin bounds dialling and opening, at one address.
const connectWithin = 15 * time.Second

// link is a connection to the server, and the segment that its keys go to.
type link struct {
	*client.Session
	keeper *client.Keeper
	writer *shm.Writer
	token  wire.Token    // without its secret
	before uint64        // the key that was current before the server told anything; 0: none
	asked  atomic.Uint64 // the key whose end the person has asked for
}

// withLink opens the segment and a connection, and runs do.
func (e *env) withLink(do func(l *link) error) error {
	t, err := e.loadToken()
	if err != nil {
		return err
	}
	defer t.Secret.Zero()
	d, err := e.dialer(t)
	if err != nil {
		return err
	}
	w, err := e.openWriter()
	if err != nil {
		return err
	}
	l := &link{writer: w, token: wire.Token{URL: t.URL, ServerID: t.ServerID, ClientID: t.ClientID, Role: t.Role, Epoch: t.Epoch}}
	if current, err := w.Current(t.ClientID); err == nil {
		current.Key.Zero()
		l.before = current.SeckeyID
	}
	l.keeper = client.NewKeeper(&segmentHolder{w, t.ClientID, t.ServerID}, client.KeeperOptions{
		Clock: bootClock, Notify: func(c client.Change) { l.notify(e, c) }})
	defer l.keeper.Close()
	l.Session, err = e.connect(d, t, l.keeper.Attach(client.Options{Role: t.Role}))
	if err != nil {
		return errors.Join(unreachable(err), w.Close())
	}
	err = do(l)
	l.Session.Close()
	return errors.Join(segmentError(lost(err)), w.Close())
}

// openWriter opens the segment, which it makes if it is not there.
func (e *env) openWriter() (*shm.Writer, error) {
	w, err := openSegment(e.segment())
	if err != nil {
		return nil, settings.With(settings.ExitSharedMemory, lockedBy(err, e.segment()))
	}
	for _, warning := range w.Warnings() {
		fmt.Fprintln(e.stderr, "hufu: "+warning)
	}
	return w, nil
}

// connect opens a connection under the token's enrolment, at the first address
// that lets it.
func (e *env) connect(d client.Dialer, t *wire.Token, o client.Options) (*client.Session, error) {
	keys := kex.Derive(&t.Secret, kex.Identity{ClientID: t.ClientID, ServerID: t.ServerID, Epoch: t.Epoch})
	defer keys.Zero()
	t.Secret.Zero()
	var s *client.Session
	err := e.first(t, func(ctx context.Context, address string) error {
		transport, err := d(ctx, address)
		if err == nil {
			s, err = client.Open(ctx, transport, keys, o)
		}
		return err
	})
	return s, err
}

// first tries the server's addresses in order until one does.
func (e *env) first(t *wire.Token, try func(ctx context.Context, address string) error) (failed error) {
	for _, address := range e.addresses(t) {
		ctx, cancel := context.WithTimeoutCause(e, connectWithin, client.ErrSilent)
		err := try(ctx, address)
		cancel()
		if err == nil || e.Err() != nil {
			return err
		}
		failed = errors.Join(failed, &client.AddressError{Address: address, Err: err})
	}
	return failed
}

// notify tells a person what happens to the keys meanwhile.
func (l *link) notify(e *env, c client.Change) {
	switch {
	case c.Kind == client.KeyWiped && c.Seckeyid != l.asked.Load():
		fmt.Fprintln(e.stderr, "hufu: "+e.T("told_wiped", c.Seckeyid, e.T("state_"+c.State.String())))
	case c.Kind == client.KeyRetired && !l.holdsNewer(c.Seckeyid):
		fmt.Fprintln(e.stderr, "hufu: "+e.T("told_elsewhere", c.Seckeyid))
	case c.Kind == client.KeeperFailed:
		fmt.Fprintln(e.stderr, "hufu: "+describe(e.Lang, c.Err))
	}
}

// holdsNewer reports whether a key that took another's place is here. If not,
// somebody else has negotiated it with the same token.
func (l *link) holdsNewer(seckeyid uint64) bool {
	newer := false
	for _, entry := range l.writer.Entries(l.token.ClientID) {
		entry.Key.Zero()
		newer = newer || entry.SeckeyID > seckeyid
	}
	return newer
}

// unreachable gives a failure to connect its exit code.
func unreachable(err error) error { return settings.With(settings.ExitUnreachable, err) }

// lost gives the loss of a connection its exit code.
func lost(err error) error {
	var check *client.CheckError
	if errors.Is(err, client.ErrLost) && !errors.As(err, &check) {
		return unreachable(err)
	}
	return err
}

// segmentErrors are those of shared memory.
var segmentErrors = []error{shm.ErrFull, shm.ErrGone, shm.ErrExists, shm.ErrNoSpace, shm.ErrOrder, shm.ErrState}

// segmentError gives a failure of shared memory its exit code.
func segmentError(err error) error {
	if isSegmentError(err) {
		return settings.With(settings.ExitSharedMemory, err)
	}
	return err
}

func isSegmentError(err error) bool {
	return slices.ContainsFunc(segmentErrors, func(e error) bool { return errors.Is(err, e) })
}

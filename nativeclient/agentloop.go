package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// lookEvery is how long anything waits at most before it looks at the boot
// clock again: a timer stands still in a suspend, and the clock does not.
const lookEvery = time.Second

// serve is what the agent does over one connection: what the plan says, until
// the connection ends. It begins with the verification of all keys.
func (a *agent) serve(ctx context.Context, s *client.Session) error {
	a.plan.verifySoon()
	for ctx.Err() == nil {
		a.report.alive()
		keys, err := a.keeper.Keys()
		next, wait := stepWait, lookEvery
		if err == nil {
			next, wait = a.plan.next(bootClock(), keys)
		}
		switch next {
		case stepVerify:
			err = a.verify(ctx, s)
		case stepNegotiate:
			err = a.negotiate(ctx, s)
		}
		switch {
		case ctx.Err() != nil: // told by the client, with the connection's end
		case next == stepWait: // an error is of the segment: the minder says it
		case err != nil:
			a.failed(next, err)
		default:
			a.plan.done()
		}
		if next == stepWait {
			a.wait(ctx, min(wait, lookEvery))
		}
	}
	return nil
}

func (a *agent) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.wakeClient:
	case <-ctx.Done():
	}
}

// verify has every held key proven, on the bytes as applications see them.
func (a *agent) verify(ctx context.Context, s *client.Session) error {
	if _, err := a.keeper.Reverify(ctx, s); err != nil {
		return err
	}
	a.plan.verified(bootClock())
	a.report.succeeded(didVerify, 0)
	return nil
}

func (a *agent) negotiate(ctx context.Context, s *client.Session) error {
	o, err := a.keeper.Negotiate(ctx, s)
	a.metrics.negotiations.WithLabelValues(result(err)).Inc()
	if err != nil {
		return err
	}
	a.report.succeeded(didNegotiate, o.Seckeyid)
	return nil
}

// failed is told of a step that did not succeed while the connection stayed.
func (a *agent) failed(next step, err error) {
	a.failure(err)
	wait := a.plan.failed(bootClock())
	a.log.Warn(map[step]string{stepVerify: "not verified", stepNegotiate: "not negotiated"}[next],
		"error", inEnglish(err), "retry", wait.Round(time.Millisecond))
}

// failure keeps what failed last, for status and metrics.
func (a *agent) failure(err error) {
	cause := causeOf(err)
	a.report.failed(cause, err)
	a.metrics.failures.WithLabelValues(cause).Inc()
	a.nudge()
}

// sayAgain is how often the same cause of not being connected is logged.
const sayAgain = 10 * time.Minute

// reported is told by the client of every connection and of every failure.
func (a *agent) reported(s client.Status) {
	defer a.nudge()
	if s.Session != nil {
		if s.Err != nil {
			a.log.Warn("addresses passed over", "error", inEnglish(s.Err))
		}
		a.metrics.connections.Inc()
		a.metrics.online.Set(1)
		a.report.connected(s.Address)
		a.log.Info("connected", "address", s.Address)
		return
	}
	if errors.Is(s.Err, client.ErrRefused) {
		a.replaced()
	}
	level, message := slog.LevelWarn, "not connected"
	a.metrics.online.Set(0)
	wasConnected := a.report.disconnected()
	if wasConnected {
		message = "the connection ended"
	}
	if errors.Is(s.Err, client.ErrAged) { // as it must, once a day
		level = slog.LevelInfo
	} else {
		a.failure(s.Err)
	}
	if !wasConnected && !a.report.sayFailure(sayAgain) {
		level = slog.LevelDebug
	}
	a.log.Log(a.e, level, message, "error", inEnglish(s.Err), "retry", s.Retry.Round(time.Millisecond))
}

// changed is told by the keeper, which is locked, of everything that happens to
// a key.
func (a *agent) changed(c client.Change) {
	defer a.nudge()
	log := a.log.With("key", c.Seckeyid)
	switch c.Kind {
	case client.KeyEntered:
		e := a.segment.entry(c.Seckeyid)
		log.Info("negotiated", "fingerprint", e.Fingerprint, "until", fromBoot(time.Duration(e.NotAfter)))
	case client.KeyVerified:
		a.metrics.verified.Inc()
		log.Info("verified", "state", c.State)
	case client.KeyCurrent:
		log.Info("current", "fingerprint", a.segment.entry(c.Seckeyid).Fingerprint)
	case client.KeyRetired:
		log.Info("retired", "until", fromBoot(time.Duration(a.segment.entry(c.Seckeyid).NotAfter)))
		if !a.segment.holdsNewer(c.Seckeyid) {
			a.elsewhere(c.Seckeyid)
		}
	case client.KeyWiped:
		a.wiped(c)
	case client.KeeperFailed:
		a.failure(c.Err)
		wait := a.plan.failed(bootClock()) // then a verification of all keys makes up for it
		log.Error("not done", "error", inEnglish(c.Err), "retry", wait.Round(time.Millisecond))
	}
}

// wiped tells why a key's bytes are gone.
func (a *agent) wiped(c client.Change) {
	why := whyWiped(c)
	a.change.gone(c.Seckeyid, why)
	a.metrics.wiped.WithLabelValues(why).Inc()
	level := slog.LevelInfo
	if why != whyEnd && why != whyExpired {
		level = slog.LevelWarn
	}
	a.log.Log(a.e, level, "wiped", "key", c.Seckeyid, "why", why)
	if why == whyMismatch {
		a.metrics.mismatches.Inc()
		a.failure(wire.CodeMismatch)
	}
}

// Why a key was wiped.
const (
	whyEnd      = "end"      // its own end came
	whyExpired  = "expired"  // the centre ended it
	whyRevoked  = "revoked"  // the centre revoked it
	whyMismatch = "mismatch" // the ends held different keys
	whyUnknown  = "unknown"  // the centre does not know it
	whyLost     = "lost"     // it went with the segment
)

func whyWiped(c client.Change) string {
	switch {
	case c.Ended:
		return whyEnd
	case c.State == wire.StateRevoked:
		return whyRevoked
	case c.Code == wire.CodeMismatch:
		return whyMismatch
	case c.Code == wire.CodeNoKey:
		return whyUnknown
	case c.State == 0:
		return whyLost
	}
	return whyExpired
}

// elsewhere says that another process uses the same token, and has the plan
// wait before a key is negotiated in place of the one that was replaced.
func (a *agent) elsewhere(seckeyid uint64) {
	wait := a.plan.rival(bootClock())
	a.report.elsewhere(seckeyid)
	a.metrics.elsewhere.Inc()
	a.log.Warn("replaced by a key that is not here: the token is in use elsewhere too; if that is not yours, have the centre cut the secret",
		"key", seckeyid, "wait", wait.Round(time.Second))
}

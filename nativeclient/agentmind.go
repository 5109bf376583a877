package main

import (
	"context"
	"time"

	"hufu/shared/client"
	"hufu/shm"
)

// minder is what the minder remembers from one look to the next.
type minder struct {
	trouble   error         // of the segment, as said last
	opened    bool          // the warnings about the segment were said
	renews    uint64        // the key whose renewal was said last
	view      keyView       // as it was
	warnAt    time.Duration // when to warn again that the end is near, on the boot clock
	suspended time.Duration // for how long the machine has been, since the start
	started   time.Time
	startedAt time.Duration
}

// mind looks after what no connection must be needed for, every second, at every
// nudge and at every end, until ctx ends. The service counts as started after
// the first look, whatever came of it: a server that is away, or a full
// /dev/shm, are for the agent to sit out, not for systemd.
func (a *agent) mind(ctx context.Context) {
	a.minder.started, a.minder.startedAt = time.Now(), bootClock()
	timer := time.NewTimer(a.look())
	defer timer.Stop()
	a.systemd.send("READY=1")
	for {
		select {
		case <-timer.C:
		case <-a.wakeMinder:
		case <-ctx.Done():
			return
		}
		timer.Reset(a.look())
	}
}

// look makes the segment again if it is gone, applies the ends that have come,
// and tells everyone how things stand. Its own progress, with the keeper's lock
// taken and given back, is what the watchdog is told of. It returns when to look
// again.
func (a *agent) look() time.Duration {
	a.resumed()
	a.mend()
	now := bootClock()
	view := viewKeys(a.segment.entries(), a.token.ServerID, now)
	keys, err := a.keeper.Keys()
	if err != nil {
		keys = nil // the segment's trouble, which is said
	}
	a.sayRenewal(keys)
	a.warn(view, now)
	a.change.look(view)
	_, renewal := a.plan.renewal(keys)
	a.metrics.look(keys, view, renewal, now)
	a.report.look(view, renewal, a.minder.trouble)
	if err := a.report.write(now); err != nil && a.report.newTrouble(err) {
		a.log.Warn("no status file", "error", err)
	}
	a.minder.view = view
	a.systemd.status(a.report.line())
	if a.report.progress() {
		a.systemd.alive(now)
	}
	next := lookEvery
	for _, key := range keys {
		next = min(next, max(0, key.NotAfter-bootClock()))
	}
	return next
}

// mend keeps the segment there and its ends applied, and says once what is in
// the way.
func (a *agent) mend() {
	anew, err := a.segment.mend()
	if err == nil {
		err = a.keeper.Tick()
	}
	if anew {
		a.log.Warn("the segment was made anew", "segment", a.segment.path())
		a.plan.verifySoon() // where the second file alone was lost, no key in the first can be proven
		a.nudge()
	}
	before := a.minder.trouble
	a.minder.trouble = err
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		a.metrics.segmentErrors.Inc()
		a.failure(err)
		a.log.Error("the segment cannot be used", "error", inEnglish(err))
	case err == nil && before != nil:
		a.log.Info("the segment can be used again", "segment", a.segment.path())
	}
	if err == nil && (anew || !a.minder.opened) {
		a.minder.opened = true
		for _, warning := range a.segment.warnings() {
			a.log.Warn(warning)
		}
	}
}

// resumed notices that the machine was suspended: by then the server has given
// the connection up, which a verification of the keys finds at once.
func (a *agent) resumed() {
	slept := (bootClock() - a.minder.startedAt) - time.Since(a.minder.started)
	if slept-a.minder.suspended < 2*time.Second {
		return
	}
	a.log.Info("resumed", "suspended", (slept - a.minder.suspended).Round(time.Second))
	a.minder.suspended = slept
	a.plan.verifySoon()
	a.nudge()
}

func (a *agent) sayRenewal(keys []client.HeldKey) {
	n, at := a.plan.renewal(keys)
	if n != 0 && n != a.minder.renews {
		a.log.Info("renewal", "key", n, "at", fromBoot(at))
	}
	a.minder.renews = n
}

// The waits between two warnings of the same end.
const (
	minWarn = time.Minute
	maxWarn = time.Hour
)

// warn says that the current key ends soon though it should long have been
// followed, again when half of what is left has passed; and that it has ended.
func (a *agent) warn(v keyView, now time.Duration) {
	before := a.minder.view
	switch {
	case v.Freshness == fresh && (before.Freshness == soon || before.Freshness == stale):
		a.log.Info("fresh", "key", v.Seckeyid)
		a.minder.warnAt = 0
	case v.Freshness == soon && now >= a.minder.warnAt:
		left := v.NotAfter - now
		a.log.Warn("the current key ends soon and has no successor", "key", v.Seckeyid, "left", left.Round(time.Second), "until", fromBoot(v.NotAfter))
		a.minder.warnAt = now + max(minWarn, min(maxWarn, left/2))
	case v.Freshness == stale && before.Freshness != stale:
		a.log.Error("stale: no key is current any more", "key", v.Seckeyid)
	}
}

// Freshness of the key to seal with, in the words of the centre's lists.
const (
	none  = "none"  // there has been no key
	fresh = "fresh" // one is current
	soon  = "soon"  // less than a quarter of its life is left, and no newer one is on its way
	stale = "stale" // one was, and none is now
)

// onItsWay is how long an open-only key is taken for the next current one: a
// pending key older than that can no longer be verified (§8).
const onItsWay = time.Minute

// keyView is the key to seal with as applications find it in the segment. Without
// one it is the newest that was. Times are on the boot clock.
type keyView struct {
	Freshness   string        `json:"freshness"`
	Seckeyid    uint64        `json:"seckeyid,omitempty"`
	Fingerprint string        `json:"fingerprint,omitempty"`
	State       string        `json:"state,omitempty"`
	NotBefore   time.Duration `json:"notBefore,omitempty"`
	NotAfter    time.Duration `json:"notAfter,omitempty"`
}

func (v *keyView) isCurrent() bool { return v.Freshness == fresh || v.Freshness == soon }

// viewKeys finds it among the entries of one client.
func viewKeys(entries []shm.Entry, serverID string, now time.Duration) keyView {
	v := keyView{Freshness: none}
	var current *shm.Entry
	var next bool
	for i := range entries {
		e := &entries[i]
		switch {
		case e.ServerID != serverID:
			continue
		case e.Usable && e.State == shm.Active:
			current = e
		case e.Usable && e.State == shm.Pending:
			next = next || now-time.Duration(e.NotBefore) < onItsWay
			continue
		}
		if current == nil || current == e {
			v.Freshness = stale
			v.Seckeyid, v.Fingerprint, v.State = e.SeckeyID, e.Fingerprint.String(), e.State.String()
			v.NotBefore, v.NotAfter = time.Duration(e.NotBefore), time.Duration(e.NotAfter)
		}
	}
	if current == nil {
		return v
	}
	v.Freshness = fresh
	if v.NotAfter-now < (v.NotAfter-v.NotBefore)/4 && !next {
		v.Freshness = soon
	}
	return v
}

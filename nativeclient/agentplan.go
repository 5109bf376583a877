package main

import (
	"math/rand/v2"
	"sync"
	"time"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// step is what a connected agent does next.
type step uint8

const (
	stepWait step = iota
	stepVerify
	stepNegotiate
)

// The plan's times.
const (
	retryBase = time.Second      // after a refusal or a failure of the segment: full jitter, doubled each time,
	retryCap  = 30 * time.Second // and less than any grace, in which a key may hang between both ends,
	retryPart = 4                // and at most this part of what the current key has left
	rivalBase = 30 * time.Second // before the second renegotiation that a rival causes, doubled each time
	rivalCap  = 15 * time.Minute
	rivalCalm = time.Hour // without a rival, and the next one is the first again
)

// plan decides what a connected agent does next. Its times are on the boot
// clock, whose time is handed in. It may be used by several goroutines.
type plan struct {
	every  time.Duration // between verifications of all keys, ± 10 %
	jitter func() float64

	mu       sync.Mutex
	verifyAt time.Duration
	retryAt  time.Duration // nothing before it, after a failure
	failures int           // in a row

	renews  uint64 // the current key, which renewAt and endsAt are of; 0: none
	renewAt time.Duration
	endsAt  time.Duration

	rivals  int           // how often a key of another process has replaced ours
	rivalAt time.Duration // the last time
	freeAt  time.Duration // no key is negotiated in place of a replaced one before
}

func newPlan(every time.Duration) *plan { return &plan{every: every, jitter: rand.Float64} }

// next decides, for these keys, newest first. With stepWait it tells for how
// long at most.
func (p *plan) next(now time.Duration, keys []client.HeldKey) (step, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	current := p.follow(keys)
	switch {
	case now < p.retryAt:
		return stepWait, p.retryAt - now
	case now >= p.verifyAt:
		return stepVerify, 0
	case len(keys) > 0 && keys[0].State == wire.StatePending: // on its way to be current
		return stepWait, p.verifyAt - now
	case current:
		if now >= p.renewAt {
			return stepNegotiate, 0
		}
		return stepWait, min(p.renewAt, p.verifyAt) - now
	case now >= p.freeAt:
		return stepNegotiate, 0
	}
	return stepWait, min(p.freeAt, p.verifyAt) - now
}

// follow sets the renewal of the key that is current, once for each, and
// reports whether one is.
func (p *plan) follow(keys []client.HeldKey) bool {
	for _, key := range keys {
		if key.State != wire.StateActive {
			continue
		}
		if key.Seckeyid != p.renews {
			p.renews = key.Seckeyid
			p.renewAt, p.endsAt = client.Renewal(key.NotBefore, key.NotAfter, p.jitter()), key.NotAfter
		}
		return true
	}
	p.renews = 0
	return false
}

// renewal tells which key is followed by another, and when; 0: none.
func (p *plan) renewal(keys []client.HeldKey) (seckeyid uint64, at time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.follow(keys) {
		return 0, 0
	}
	return p.renews, p.renewAt
}

// verifySoon has all keys verified before anything else is done.
func (p *plan) verifySoon() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verifyAt = 0
}

// verified is told that all keys were verified.
func (p *plan) verified(now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.verifyAt = now + time.Duration(float64(p.every)*(0.9+0.2*p.jitter()))
}

// done is told that a step succeeded.
func (p *plan) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failures, p.retryAt = 0, 0
}

// failed is told that a step did not succeed, and returns how long nothing is
// done. Afterwards all keys are verified first: one may hang between both ends.
func (p *plan) failed(now time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait := retryCap
	if p.failures < 5 {
		wait = retryBase << p.failures
	}
	p.failures++
	if left := p.endsAt - now; p.renews != 0 && left > 0 {
		wait = min(wait, max(retryBase, left/retryPart))
	}
	wait = time.Duration(p.jitter() * float64(wait))
	p.retryAt, p.verifyAt = now+wait, 0
	return wait
}

// rival is told that a key which is not here has replaced the current one: the
// token is in use elsewhere. The first time a new key is negotiated at once; if
// that is answered in kind, only after a wait that grows, so that two do not
// fight. Renewals of a key that is current stay as they are.
func (p *plan) rival(now time.Duration) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rivals > 0 && now-p.rivalAt > rivalCalm {
		p.rivals = 0
	}
	if p.rivals > 0 {
		wait = rivalCap
		if p.rivals < 6 {
			wait = min(rivalCap, rivalBase<<(p.rivals-1))
		}
		wait = time.Duration(float64(wait) * (0.75 + 0.5*p.jitter()))
	}
	p.rivals++
	p.rivalAt, p.freeAt = now, now+wait
	return wait
}

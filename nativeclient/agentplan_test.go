package main

import (
	"testing"
	"time"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// planned is a plan without chance, every key verified at 0.
func planned() *plan {
	p := newPlan(15 * time.Minute)
	p.jitter = func() float64 { return 0.5 }
	p.verified(0)
	return p
}

func held(n uint64, state wire.State, from, life time.Duration) client.HeldKey {
	return client.HeldKey{Seckeyid: n, State: state, NotBefore: from, NotAfter: from + life}
}

func wantStep(t *testing.T, p *plan, now time.Duration, keys []client.HeldKey, want step, wait time.Duration) {
	t.Helper()
	if got, d := p.next(now, keys); got != want || d != wait {
		t.Errorf("at %v: step %d, wait %v; want step %d, wait %v", now, got, d, want, wait)
	}
}

func TestPlanRenewal(t *testing.T) {
	p, day := planned(), 24*time.Hour
	first := []client.HeldKey{held(1, wire.StateActive, 0, day)}
	wantStep(t, p, 0, nil, stepNegotiate, 0)
	wantStep(t, p, time.Minute, first, stepWait, 14*time.Minute) // the next verification
	p.verified(12*time.Hour - time.Minute)
	wantStep(t, p, 12*time.Hour-time.Second, first, stepWait, time.Second)
	wantStep(t, p, 12*time.Hour, first, stepNegotiate, 0)
	if n, at := p.renewal(first); n != 1 || at != 12*time.Hour {
		t.Errorf("%d at %v", n, at)
	}
	// The older one, shortened by the verify of the newer, is waited out.
	onTheWay := []client.HeldKey{held(2, wire.StatePending, 12*time.Hour, day), held(1, wire.StateActive, 0, 13*time.Hour)}
	wantStep(t, p, 12*time.Hour, onTheWay, stepWait, 14*time.Minute)
	second := []client.HeldKey{held(2, wire.StateActive, 12*time.Hour, day), held(1, wire.StateRetired, 0, 13*time.Hour)}
	wantStep(t, p, 12*time.Hour, second, stepWait, 14*time.Minute)
	if n, at := p.renewal(second); n != 2 || at != day {
		t.Errorf("%d at %v", n, at)
	}
	if n, at := p.renewal(second[1:]); n != 0 || at != 0 {
		t.Errorf("%d at %v", n, at)
	}
}

// TestPlanRenewalIsSpread: half the lifetime ± 10 %, drawn once for each key.
func TestPlanRenewalIsSpread(t *testing.T) {
	p, least, most := newPlan(time.Hour), time.Hour, time.Duration(0)
	for n := range uint64(1000) {
		keys := []client.HeldKey{held(n+1, wire.StateActive, 0, time.Hour)}
		_, at := p.renewal(keys)
		if _, again := p.renewal(keys); again != at {
			t.Fatalf("drawn again: %v, %v", at, again)
		}
		least, most = min(least, at), max(most, at)
	}
	if least < 24*time.Minute || least > 25*time.Minute || most > 36*time.Minute || most < 35*time.Minute {
		t.Errorf("from %v to %v", least, most)
	}
}

func TestPlanVerifies(t *testing.T) {
	p := planned()
	keys := []client.HeldKey{held(1, wire.StateActive, 0, 24*time.Hour)}
	wantStep(t, p, 15*time.Minute-1, keys, stepWait, 1)
	wantStep(t, p, 15*time.Minute, keys, stepVerify, 0)
	p.verified(15 * time.Minute)
	p.jitter = func() float64 { return 0 }
	p.verified(0)
	wantStep(t, p, 13*time.Minute, keys, stepWait, 30*time.Second) // ± 10 %
	p.verifySoon()
	wantStep(t, p, time.Minute, keys, stepVerify, 0)
}

// TestPlanFails: nothing before the wait is over, then verification comes first;
// the wait doubles up to half a minute and starts again after a success.
func TestPlanFails(t *testing.T) {
	p := planned()
	now := time.Duration(0)
	for i, want := range []time.Duration{500, 1000, 2000, 4000, 8000, 15000, 15000} {
		wait := p.failed(now)
		if wait != want*time.Millisecond {
			t.Errorf("failure %d: wait %v", i, wait)
		}
		wantStep(t, p, now+wait-1, nil, stepWait, 1)
		now += wait
		wantStep(t, p, now, nil, stepVerify, 0)
	}
	p.done()
	if wait := p.failed(now); wait != 500*time.Millisecond {
		t.Errorf("after a success: %v", wait)
	}
}

// TestPlanHurries: the nearer the end of the current key, the shorter the wait.
func TestPlanHurries(t *testing.T) {
	p := planned()
	p.next(0, []client.HeldKey{held(1, wire.StateActive, 0, time.Minute)})
	for range 6 {
		p.failed(0)
	}
	for _, c := range []struct{ now, wait time.Duration }{
		{0, 15 * time.Second / 2}, {40 * time.Second, 5 * time.Second / 2}, {58 * time.Second, time.Second / 2}, {time.Minute, 15 * time.Second},
	} {
		if wait := p.failed(c.now); wait != c.wait {
			t.Errorf("at %v: wait %v, want %v", c.now, wait, c.wait)
		}
	}
	p.next(time.Minute, nil)
	if wait := p.failed(30 * time.Second); wait != 15*time.Second {
		t.Errorf("without a current key: wait %v", wait)
	}
}

// TestPlanRivals: two processes with one token do not fight, and a renewal is
// not put off.
func TestPlanRivals(t *testing.T) {
	p, now := planned(), time.Hour
	for i, want := range []time.Duration{0, 30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		p.verified(now)
		if wait := p.rival(now); wait != want {
			t.Errorf("rival %d: wait %v, want %v", i, wait, want)
		}
		replaced := []client.HeldKey{held(1, wire.StateRetired, 0, 24*time.Hour)}
		if want > 0 {
			wantStep(t, p, now+want-1, replaced, stepWait, 1)
		}
		p.verified(now + want)
		wantStep(t, p, now+want, replaced, stepNegotiate, 0)
		own := []client.HeldKey{held(3, wire.StateActive, 0, time.Hour)}
		wantStep(t, p, now, own, stepNegotiate, 0)
	}
	if wait := p.rival(now + rivalCalm + 1); wait != 0 {
		t.Errorf("after an hour's calm: %v", wait)
	}
}

package integration

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// day is a run of both ends on a time of their own.
type day struct {
	lifetime, grace, length time.Duration
	lags                    []time.Duration // of publishers elsewhere
	mishaps                 []mishap
	seed                    uint64

	// Weaknesses: each has to be found.
	noGrace     bool          // a retired key opens no more, at both ends
	noOpenOnly  bool          // the outlet's applications find a key only once it is current
	switchDelay time.Duration // 0: 5 s
}

var allLags = []time.Duration{0, time.Second, 2500 * time.Millisecond, 4 * time.Second}

// TestNoWindow: at every moment of a rotation both ends can open what the
// other seals (§8), whatever happens on the way.
func TestNoWindow(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]day{
		"a day":              {lifetime: time.Hour, grace: time.Minute, length: 24 * time.Hour, lags: allLags, mishaps: mishaps, seed: 1},
		"short keys":         {lifetime: 5 * time.Minute, grace: time.Minute, length: time.Hour, lags: allLags, mishaps: mishaps, seed: 2},
		"outage upon outage": {lifetime: 30 * time.Minute, grace: time.Minute, length: 3 * time.Hour, lags: allLags, mishaps: outages, seed: 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := d.run(t)
			t.Log(r.summary())
			if len(r.windows) > 0 || name == "a day" {
				t.Log(r)
			}
			if len(r.windows) > 0 {
				t.Errorf("%d windows, the first: %s", len(r.windows), r.windows[0])
			}
			if r.mute > 0 {
				t.Errorf("the outlet had no key to seal with at %d ticks", r.mute)
			}
			if rotations := int(d.length/d.lifetime) * 3 / 2; len(r.rotations) < rotations {
				t.Errorf("%d keys, want %d", len(r.rotations), rotations)
			}
		})
	}
}

// TestWindowsAreFound: without any one of what keeps windows shut, the same
// test finds them.
func TestWindowsAreFound(t *testing.T) {
	t.Parallel()
	fair := day{lifetime: 5 * time.Minute, grace: time.Minute, length: 8 * time.Minute, lags: allLags, seed: 3}
	for name, row := range map[string]struct {
		weaken func(*day)
		up     bool // what the outlet seals, or else what the centre seals, cannot be opened
	}{
		"no grace":                       {func(d *day) { d.noGrace = true }, true},
		"no open-only keys":              {func(d *day) { d.noOpenOnly = true }, false},
		"neither":                        {func(d *day) { d.noGrace, d.noOpenOnly = true, true }, true},
		"no delay of the switch":         {func(d *day) { d.switchDelay = time.Millisecond }, true},
		"a publisher 6 s late":           {func(d *day) { d.lags = []time.Duration{6 * time.Second} }, true},
		"away for longer than the grace": {func(d *day) { d.mishaps = []mishap{{"", loseForLong}} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := fair
			row.weaken(&d)
			r := d.run(t)
			found := 0
			for _, w := range r.windows {
				if w.up == row.up {
					found++
				}
			}
			t.Logf("%d windows of %d messages", len(r.windows), r.messages)
			if found == 0 {
				t.Errorf("no window of %d was found: the test sees nothing", len(r.windows))
			}
		})
	}
}

// loseForLong is more than grace covers: the outlet does not know that its key
// was retired until that has ended.
func loseForLong(w *weather) {
	w.came[wire.CmdVerify] = func() bool {
		w.outlet.centre.away(2 * time.Minute)
		return true
	}
}

// run is the day. At every tick both ends seal, and open what the other does.
func (d *day) run(t *testing.T) (r *record) {
	synctest.Test(t, func(t *testing.T) {
		r = &record{begin: time.Now()}
		c := newDayCentre(t, keyservice.Config{Lifetime: d.lifetime, Grace: d.grace}, d.store, d.lags)
		defer c.close()
		token := c.enrolDay()
		o := newDayOutlet(t, c, token, *d)
		defer o.close()
		r.watch(d, c, o)
		r.tell(c, o)
	})
	return r
}

// The time between two ticks: while keys are exchanged, and else.
const (
	fineTick   = 200 * time.Millisecond
	coarseTick = time.Second
)

// watch ticks from the first key on.
func (r *record) watch(d *day, c *dayCentre, o *dayOutlet) {
	for {
		synctest.Wait()
		if n, _ := o.sealing(); n != 0 {
			break
		}
		time.Sleep(fineTick)
	}
	first := time.Now()
	for time.Since(r.begin) < d.length {
		views := c.views
		if time.Since(first) < 5*time.Second {
			views = views[:1] // there was no key before the first: it is current at once, and those elsewhere follow
		}
		r.tick(o, views)
		if o.near(2*fineTick, d.grace+15*time.Second) {
			time.Sleep(fineTick)
		} else {
			time.Sleep(coarseTick)
		}
		synctest.Wait()
	}
}

// tick seals at both ends and opens at the other.
func (r *record) tick(o *dayOutlet, views []view) {
	r.ticks++
	n, key := o.sealing()
	if n == 0 {
		r.mute++
	}
	for _, v := range views {
		if n != 0 {
			r.check(true, v, n, key, v.key(n))
		}
		if m, k := v.current(); m != 0 {
			r.check(false, v, m, k, o.opening(m))
		}
	}
}

// check seals with one end's key and opens with the other's.
func (r *record) check(up bool, v view, n uint64, sealing, opening *kex.Key) {
	r.messages++
	message := []byte("of this very moment")
	if opening != nil {
		got, err := opener(opening).Open(nil, nonce(n), opener(sealing).Seal(nil, nonce(n), message, nil), nil)
		if err == nil && bytes.Equal(got, message) {
			return
		}
	}
	r.windows = append(r.windows, window{time.Now(), up, n, v.String()})
}

func opener(k *kex.Key) cipher.AEAD {
	block, err := aes.NewCipher(k.Bytes()[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func nonce(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), n) }

// record is what a day has shown.
type record struct {
	begin                 time.Time
	ticks, messages, mute int
	windows               []window
	rotations             []string
	struck                []struck
}

// window is a moment at which one end could not open what the other sealed.
type window struct {
	at   time.Time
	up   bool // the outlet sealed
	key  uint64
	view string
}

func (w window) String() string {
	who := "the centre's"
	if w.up {
		who = "the outlet's"
	}
	return fmt.Sprintf("%s: %s message under key %d is not opened (publisher: %s)", w.at.Format(time.TimeOnly), who, w.key, w.view)
}

// tell takes the rotation log from the centre's history.
func (r *record) tell(c *dayCentre, o *dayOutlet) {
	o.weather.mu.Lock()
	r.struck = o.log
	o.weather.mu.Unlock()
	rows, err := c.store.Keys(context.Background(), keyservice.KeyQuery{Outlet: dayID, ByNumber: true, Limit: 100000})
	must(c.t, err)
	o.mu.Lock()
	defer o.mu.Unlock()
	since := func(at time.Time) string {
		if at.IsZero() {
			return "-"
		}
		return at.Sub(r.begin).Round(time.Millisecond).String()
	}
	for i := len(rows) - 1; i >= 0; i-- {
		k := rows[i]
		r.rotations = append(r.rotations, fmt.Sprintf("%4d  %-14s %-14s %-14s %-14s %-14s", k.Seckeyid,
			since(k.Negotiated), since(k.Verified), since(o.current[k.Seckeyid]), since(k.Retired), since(k.Ended)))
	}
}

func (r *record) summary() string {
	return fmt.Sprintf("%d ticks, %d messages sealed and opened, %d windows, %d ticks without a key, %d keys",
		r.ticks, r.messages, len(r.windows), r.mute, len(r.rotations))
}

// String is the rotation log.
func (r *record) String() string {
	var b strings.Builder
	b.WriteString("the rotation log, times since the outlet was enrolled\n")
	seen := map[string]int{}
	for _, w := range r.windows {
		if k := w.String()[8:]; seen[k] < 2 {
			seen[k]++
			fmt.Fprintln(&b, w)
		}
	}
	for _, m := range r.struck {
		fmt.Fprintf(&b, "%14v  %s\n", m.at.Sub(r.begin).Round(time.Millisecond), m.name)
	}
	fmt.Fprintf(&b, " key  %-14s %-14s %-14s %-14s %-14s\n", "negotiated", "verified", "current", "retired", "gone")
	for _, line := range r.rotations {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// store gives the centre its weaknesses.
func (d *day) store(s keyservice.Store) keyservice.Store {
	if d.noGrace {
		return gracelessStore{s}
	}
	return s
}

// gracelessStore ends retired keys at once.
type gracelessStore struct{ keyservice.Store }

func (s gracelessStore) Apply(ctx context.Context, changes []*keyservice.Change) error {
	for _, c := range changes {
		decide := c.Decide
		c.Decide = func(l *keyservice.Ledger) error {
			err := decide(l)
			for i, m := range l.Writes.Moves {
				if m.State == wire.StateRetired {
					l.Writes.Moves[i].EndsAt = m.At
				}
			}
			return err
		}
	}
	return s.Store.Apply(ctx, changes)
}

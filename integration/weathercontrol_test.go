package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
	"hufu/shm"
)

// TestWitness: both witnesses find each of the things that they are there for.
func TestWitness(t *testing.T) {
	for _, c := range []struct {
		name, says string
		do         func(t *testing.T, o *outlet, w *shm.Writer, both *witness)
	}{
		{"torn", "a torn key", func(_ *testing.T, o *outlet, _ *shm.Writer, _ *witness) { o.damage() }},
		{"foreign", "a foreign key", func(t *testing.T, o *outlet, w *shm.Writer, _ *witness) {
			e := made(o, 2)
			e.ServerID = "OTHER"
			must(t, w.Put(e, new([shm.ConfirmSize]byte)))
		}},
		{"raised", "after its end", func(t *testing.T, o *outlet, w *shm.Writer, both *witness) {
			must(t, w.Wipe(o.id, 1, shm.Revoked))
			eventually(t, "both see that it has ended", func() bool {
				seen, err := both.sightings()
				return err == nil && seen[1].ended
			})
			must(t, w.Close())
			must(t, shm.Destroy(shm.Options{Name: o.segment}))
			o.put(t, 1)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &outlet{t: t, id: "T-1", segment: fmt.Sprint(prefix, serial.Add(1)), token: &wire.Token{ServerID: "HQ"}}
			t.Cleanup(func() {
				for _, suffix := range []string{"", ".confirm"} {
					os.Remove(o.path() + suffix)
				}
			})
			both := o.watch(t)
			c.do(t, o, o.put(t, 1), both)
			eventually(t, "the one in Go finds it", func() bool {
				both.mu.Lock()
				defer both.mu.Unlock()
				return both.bad != nil && strings.Contains(both.bad.Error(), c.says)
			})
			both.stop()
			for both.answers.Scan() && !strings.HasPrefix(both.answers.Text(), "bad: ") {
			}
			if got := both.answers.Text(); !strings.Contains(got, c.says) {
				t.Errorf("the one in C says %q", got)
			}
			if both.end() == nil {
				t.Error("the one in C ends well")
			}
		})
	}
}

// TestWitnessAgainstHistory: a key that the centre does not have, one seen
// beyond its end and one beyond the second are found.
func TestWitnessAgainstHistory(t *testing.T) {
	now := shm.Now()
	fp := shm.Fingerprint{1}
	rows := []keyservice.KeyRow{
		{Seckeyid: 1, FP: fp, State: wire.StateRevoked, Expires: time.Now().Add(time.Hour)},
		{Seckeyid: 3, FP: fp, State: wire.StateExpired, Expires: time.Now().Add(-time.Second)},
	}
	w := &witness{revoked: map[uint64]shm.BootTime{1: now}}
	for name, c := range map[string]struct {
		seen map[uint64]sight
		says string
	}{
		"in time":         {map[uint64]sight{1: {fp: fp, first: now, last: now.Add(beyond)}}, ""},
		"beyond":          {map[uint64]sight{1: {fp: fp, first: now, last: now.Add(beyond + time.Millisecond)}}, "after it was revoked"},
		"unknown":         {map[uint64]sight{2: {fp: fp, first: now, last: now}}, "the centre has"},
		"beyond its end":  {map[uint64]sight{3: {fp: fp, first: now, last: now}}, "has ended"},
		"of another name": {map[uint64]sight{1: {first: now, last: now}}, "the centre has"},
	} {
		err := w.against(c.seen, rows)
		if got := fmt.Sprint(err); (err != nil) != (c.says != "") || !strings.Contains(got, c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// put makes a segment with one current key.
func (o *outlet) put(t testing.TB, seckeyid uint64) *shm.Writer {
	t.Helper()
	options := shm.Options{Name: o.segment, Capacity: 8}
	must(t, shm.Create(options))
	w, err := shm.OpenWriter(options)
	must(t, err)
	t.Cleanup(func() { w.Close() })
	must(t, w.Put(made(o, seckeyid), new([shm.ConfirmSize]byte)))
	must(t, w.MakeCurrent(o.id, seckeyid))
	return w
}

// made is an entry of the outlet.
func made(o *outlet, seckeyid uint64) shm.Entry {
	e := shm.Entry{ClientID: o.id, ServerID: o.token.ServerID, SeckeyID: seckeyid, State: shm.Pending, Key: shm.Key{7, byte(seckeyid)},
		NotBefore: shm.Now(), NotAfter: shm.Now().Add(time.Hour)}
	e.Fingerprint = fingerprint(e.Key)
	return e
}

//go:build amd64 || arm64

package shm

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"
)

// TestBatch: in one lock the same happens as one by one.
func TestBatch(t *testing.T) {
	o := mustCreate(t, segment(t, 32))
	w, r := mustWriter(t, o), mustReader(t, o)
	end := Now().Add(time.Minute)
	must(t, w.Batch(func(b Batch) error {
		must(t, b.Put(entry("outlet1", 1, Active)))
		must(t, b.Put(entry("outlet1", 2, Active))) // retires 1
		must(t, b.Put(entry("outlet2", 1, Pending)))
		must(t, b.Put(entry("outlet3", 1, Active)))
		must(t, b.MakeCurrent("outlet2", 1))
		must(t, b.Retire("outlet1", 1, end))
		must(t, b.Shorten("outlet2", 1, end))
		must(t, b.Wipe("outlet3", 1, Revoked))
		wantErr(t, b.Put(entry("outlet1", 2, Active)), ErrExists)
		wantErr(t, b.Put(entry("", 2, Active)), ErrClientID)
		wantErr(t, b.Wipe("outlet1", 2, Active), ErrState)
		wantErr(t, b.Retire("outlet9", 2, end), ErrNotFound)
		if list := b.Entries("outlet1"); len(list) != 2 || list[0].State != Retired || list[0].NotAfter != end || list[1].State != Active {
			t.Errorf("outlet1: %v", list)
		}
		return nil
	}))
	if e, err := r.Current("outlet2"); err != nil || e.NotAfter != end {
		t.Errorf("outlet2: %v, %v", e, err)
	}
	if e, err := r.Key("outlet3", 1); !errors.Is(err, ErrNotUsable) || e.State != Revoked {
		t.Errorf("outlet3: %v, %v", e, err)
	}
	if got := w.Clients(); !slices.Equal(got, []string{"outlet1", "outlet2"}) {
		t.Errorf("clients with a key: %q", got)
	}
	wrong := errors.New("wrong")
	wantErr(t, w.Batch(func(Batch) error { return wrong }), wrong)
	must(t, os.Remove(o.Dir+"/"+o.Name))
	wantErr(t, w.Batch(func(Batch) error { return nil }), ErrGone)
}

// TestForget: another key takes the number of a wrong one, usable or ended.
func TestForget(t *testing.T) {
	o := mustCreate(t, segment(t, 8))
	w, r := mustWriter(t, o), mustReader(t, o)
	must(t, w.Put(entry("outlet1", 1, Retired), nil))
	must(t, w.Put(entry("outlet1", 2, Active), nil))
	must(t, w.Wipe("outlet1", 1, Expired))
	for n, state := range map[uint64]State{1: Retired, 2: Active} {
		other := entry("outlet1", n, state)
		other.Key = keyOf("outlet1", 100+n)
		must(t, w.Batch(func(b Batch) error {
			must(t, b.Forget("outlet1", n))
			wantErr(t, b.Forget("outlet1", n), ErrNotFound)
			return b.Put(other)
		}))
		if e, err := r.Key("outlet1", n); err != nil || e.State != state || !e.Key.Equal(&other.Key) {
			t.Errorf("key %d: %v, %v", n, e, err)
		}
	}
	if used := w.Info().Used; used != 2 {
		t.Errorf("%d entries in use", used)
	}
}

// TestAbandon: what lost its name is wiped under those who still read it, who follow at once.
func TestAbandon(t *testing.T) {
	o := mustCreate(t, segment(t, 8))
	w, r := mustWriter(t, o), mustReader(t, o)
	must(t, w.Put(entry("outlet1", 1, Active), nil))
	old := r.m.Load()
	must(t, os.Remove(o.Dir+"/"+o.Name))
	wantErr(t, w.WipeAll(), ErrGone)
	must(t, Create(o))
	must(t, w.Abandon())
	for i := range old.slots {
		if s := &old.slots[i]; s.live() || s.seckey[0].Load() != 0 {
			t.Errorf("entry %d of the old segment is not wiped", i)
		}
	}
	if _, err := r.Key("outlet1", 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("the reader has not followed: %v", err)
	}

	// Without its second file only: the keys stay.
	w = mustWriter(t, o)
	must(t, w.Put(entry("outlet1", 2, Active), nil))
	must(t, os.Remove(o.Dir+"/"+o.Name+confirmSuffix))
	wantErr(t, w.WipeAll(), ErrGone)
	must(t, w.Abandon())
	must(t, Create(o))
	mustWriter(t, o)
	if e, err := r.Current("outlet1"); err != nil || e.SeckeyID != 2 {
		t.Errorf("the segment that kept its name: %v, %v", e, err)
	}
}

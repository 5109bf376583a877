//go:build amd64 || arm64

package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestEnds lets keys end with nobody there to wipe them.
func TestEnds(t *testing.T) {
	o := mustCreate(t, segment(t, 8))
	w, r := mustWriter(t, o), mustReader(t, o)
	long, short, early := entry("outlet1", 1, Active), entry("outlet1", 2, Pending), entry("outlet1", 3, Pending)
	must(t, w.Put(long, nil))
	must(t, w.Put(short, nil))
	must(t, w.MakeCurrent("outlet1", 2))
	if n, err := w.WipeEnded(); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	short.NotAfter = Now().Add(time.Millisecond)
	must(t, w.Shorten("outlet1", 2, short.NotAfter))
	time.Sleep(2 * time.Millisecond)
	e, err := r.Key("outlet1", 2)
	wantErr(t, err, ErrNotUsable)
	if e.State != Expired || e.Usable || e.Key != (Key{}) {
		t.Errorf("ended: %v", e)
	}
	_, err = r.Current("outlet1")
	wantErr(t, err, ErrNoCurrent)
	wantErr(t, w.MakeCurrent("outlet1", 2), ErrNotUsable)
	wantErr(t, w.Retire("outlet1", 2, Now().Add(time.Hour)), ErrNotUsable)
	wantErr(t, w.Put(short, nil), ErrNotUsable)
	if n, err := w.WipeEnded(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if s := &w.m.slots[w.m.find(toIdent("outlet1"), 2)]; s.seckey[0].Load() != 0 || s.status.Load() != 0 {
		t.Error("not wiped")
	}

	// A key is not current before it begins.
	early.NotBefore, early.NotAfter = Now().Add(time.Hour), Now().Add(2*time.Hour)
	must(t, w.Put(early, nil))
	must(t, w.MakeCurrent("outlet1", 3))
	_, err = r.Current("outlet1")
	wantErr(t, err, ErrNoCurrent)
	_, err = r.Key("outlet1", 3)
	must(t, err)
	begins := entry("outlet1", 4, Pending)
	begins.NotBefore = Now().Add(time.Millisecond)
	must(t, w.Put(begins, nil))
	must(t, w.MakeCurrent("outlet1", 4))
	time.Sleep(2 * time.Millisecond)
	_, err = r.Current("outlet1")
	must(t, err)
	must(t, w.Wipe("outlet1", 3, Expired))

	// Ends are only brought forward; the next writer wipes first of all.
	must(t, w.Shorten("outlet1", 4, Now().Add(24*time.Hour)))
	if e, _ := w.Key("outlet1", 4); e.NotAfter != begins.NotAfter || e.State != Active {
		t.Errorf("%v ends at %d", e, e.NotAfter)
	}
	must(t, w.Retire("outlet1", 4, Now().Add(time.Millisecond)))
	must(t, w.Close())
	time.Sleep(2 * time.Millisecond)
	w = mustWriter(t, o)
	if w.Info().Used != 1 {
		t.Errorf("%v", w.Entries(""))
	}
	must(t, w.WipeAll())
	if e, err := r.Key("outlet1", 1); !errors.Is(err, ErrNotUsable) || w.Info().Used != 0 {
		t.Errorf("%v, %v", e, err)
	}
}

func TestWipe(t *testing.T) {
	o := mustCreate(t, segment(t, 4))
	w := mustWriter(t, o)
	must(t, w.Put(entry("outlet1", 1, Active), nil))
	wantErr(t, w.Wipe("outlet1", 1, Retired), ErrState)
	wantErr(t, w.Wipe("outlet1", 2, Revoked), ErrNotFound)
	wantErr(t, w.Wipe("outlet2", 1, Revoked), ErrNotFound)
	for _, c := range []struct{ to, want State }{{Expired, Expired}, {Revoked, Revoked}, {Expired, Revoked}} {
		must(t, w.Wipe("outlet1", 1, c.to))
		if e, err := w.Key("outlet1", 1); e.State != c.want || !errors.Is(err, ErrNotUsable) {
			t.Errorf("to %v: %v, %v", c.to, e, err)
		}
	}
	_, err := w.Confirm("outlet1", 1)
	wantErr(t, err, ErrNotUsable)
	must(t, w.Put(entry("outlet1", 2, Active), nil))
	_, err = w.Confirm("outlet1", 2)
	wantErr(t, err, ErrNotFound)
}

// TestAgainstModel makes random changes to tables of several sizes and compares with a map after each. Ended
// keys may be forgotten, usable ones never.
func TestAgainstModel(t *testing.T) {
	for _, size := range []struct{ capacity, clients, steps int }{
		{1, 2, 500}, {3, 2, 1000}, {16, 4, 4000}, {64, 20, 4000}, {300, 60, 3000},
	} {
		rng := rand.New(rand.NewPCG(uint64(size.capacity), 1))
		o := mustCreate(t, segment(t, size.capacity))
		w, r := mustWriter(t, o), mustReader(t, o)
		type id struct {
			client string
			number uint64
		}
		model := map[id]State{}
		retire := func(client string) {
			for k, state := range model {
				if k.client == client && state == Active {
					model[k] = Retired
				}
			}
		}
		var number uint64
		full := 0
		for step := range size.steps {
			c := fmt.Sprintf("c%d", rng.IntN(size.clients))
			pick := id{c, 0}
			for k := range model {
				if k.client == c && k.number > pick.number && rng.IntN(2) == 0 {
					pick = k
				}
			}
			switch op := rng.IntN(10); {
			case op < 5:
				number++
				state := State(1 + rng.IntN(3))
				err := w.Put(entry(c, number, state), nil)
				if errors.Is(err, ErrFull) {
					full++
					if len(model) < size.capacity {
						t.Fatalf("step %d: full with %d of %d", step, len(model), size.capacity)
					}
					break
				}
				must(t, err)
				if state == Active {
					retire(c)
				}
				model[id{c, number}] = state
			case pick.number == 0:
			case op < 7:
				if model[pick] == Pending {
					err := w.MakeCurrent(c, pick.number)
					if errors.Is(err, ErrOrder) {
						break
					}
					must(t, err)
					retire(c)
					model[pick] = Active
				}
			case op < 8:
				must(t, w.Retire(c, pick.number, Now().Add(time.Hour)))
				model[pick] = Retired
			default:
				must(t, w.Wipe(c, pick.number, Revoked))
				delete(model, pick)
			}
			if step%500 == 499 {
				must(t, w.Close())
				w = mustWriter(t, o)
			}
			var current uint64
			for k, state := range model {
				if k.client != c && step%20 != 0 {
					continue
				}
				e, err := r.Key(k.client, k.number)
				if err != nil || e.State != state || e.Key != keyOf(k.client, k.number) {
					t.Fatalf("capacity %d, step %d: %v is %v, %v, want %v", size.capacity, step, k, e, err, state)
				}
				if k.client == c && state == Active {
					current = k.number
				}
			}
			if e, err := r.Current(c); e.SeckeyID != current || (err == nil) != (current != 0) {
				t.Fatalf("capacity %d, step %d: current of %s is %v, %v, want %d", size.capacity, step, c, e, err, current)
			}
			if used := int(w.m.useNum.Load()); used != len(model) {
				t.Fatalf("%d in use, want %d", used, len(model))
			}
			checkChains(t, w)
		}
		t.Logf("capacity %d: %d keys at the end, full %d times", size.capacity, len(model), full)
	}
}

// checkChains holds what look-ups rely on: no free entry between an entry and its home, none further away than
// maxProbe says, and inUse as it is.
func checkChains(t *testing.T, w *Writer) {
	t.Helper()
	total := w.m.total0()
	inUse := 0
	for i := range total {
		s := &w.m.slots[i]
		if s.free() {
			continue
		}
		inUse++
		d := s.client()
		if d == (ident{}) {
			continue
		}
		distance := uint32(0)
		for j := d.home(total); j != i; {
			if w.m.slots[j].free() {
				t.Fatalf("entry %d is cut off from its home", i)
			}
			distance++
			if j++; j == total {
				j = 0
			}
		}
		if distance >= w.m.maxProbe.Load() {
			t.Fatalf("entry %d is %d from its home, maxProbe is %d", i, distance, w.m.maxProbe.Load())
		}
	}
	if inUse != w.inUse {
		t.Fatalf("%d entries not free, counted %d", inUse, w.inUse)
	}
}

// TestRotation gives many clients key after key, as at the centre, and checks that look-ups stay short and that
// the newest ended keys stay visible.
func TestRotation(t *testing.T) {
	const clients, rounds = 2000, 12
	o := mustCreate(t, segment(t, 4*clients*2))
	w, r := mustWriter(t, o), mustReader(t, o)
	name := func(c int) string { return fmt.Sprintf("outlet%d", c) }
	for n := uint64(1); n <= rounds; n++ {
		for c := range clients {
			must(t, w.Put(entry(name(c), n, Active), nil))
			if n > 2 {
				must(t, w.Wipe(name(c), n-2, Expired))
			}
		}
	}
	for c := range clients {
		if e, err := r.Current(name(c)); err != nil || e.SeckeyID != rounds {
			t.Fatalf("%v, %v", e, err)
		}
		if e, err := r.Key(name(c), rounds-2); !errors.Is(err, ErrNotUsable) || e.State != Expired {
			t.Fatalf("the newest ended key: %v, %v", e, err)
		}
	}
	info := w.Info()
	t.Logf("%d of %d hold keys, %d not free, furthest from home %d", info.Used, info.Total, w.inUse, w.m.maxProbe.Load())
	if info.Used != 2*clients || w.inUse > info.Total*3/4 || w.m.maxProbe.Load() > 200 {
		t.Error("ended keys crowd the table")
	}
}

func TestNothingPrintsAKey(t *testing.T) {
	e := entry("outlet1", 1, Active)
	for i := range e.Key {
		e.Key[i] = 0xab
	}
	e.Usable = true
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "entry", e, "key", e.Key, "pointer", &e.Key)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "entry", e, "key", e.Key, "inside", struct{ K Key }{e.Key})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%d", "%q"} {
		fmt.Fprintf(&b, verb+verb+verb, e, e.Key, &e)
	}
	if s := strings.ToLower(b.String()); strings.Contains(s, "abab") || strings.Contains(s, "171") {
		t.Errorf("key bytes in %s", b.String())
	}
	if !strings.Contains(b.String(), e.Fingerprint.String()) {
		t.Error("no fingerprint")
	}
	f := e.Key
	if !f.Equal(&e.Key) {
		t.Error("equal keys differ")
	}
	if f.Zero(); f != (Key{}) || f.Equal(&e.Key) {
		t.Error("not zeroed")
	}
}

func TestIdent(t *testing.T) {
	for n := range 14 {
		id := "0123456789abcd"[:n]
		var b [12]byte
		copy(b[:MaxID], id)
		want := ident{binary.LittleEndian.Uint32(b[0:]), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])}
		if d := toIdent(id); d != want || d.String() != id[:min(n, MaxID)] {
			t.Errorf("%q is %x, want %x; back %q", id, d, want, d.String())
		}
	}
}

func TestClock(t *testing.T) {
	for range 1000 {
		// fastNow may be ahead by what passed while it learned the offset, never behind.
		if before, fast := Now(), fastNow(); fast < before {
			t.Fatalf("%d is before %d", fast, before)
		}
	}
}

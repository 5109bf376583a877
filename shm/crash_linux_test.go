//go:build amd64 || arm64

package shm

import (
	"os/exec"
	"strings"
	"testing"
)

// TestWriterKilled kills writers in the middle of a change. Readers lose nothing and wait for nothing; the next
// writer repairs.
func TestWriterKilled(t *testing.T) {
	reader := build(t, "reader")
	python := pythonReader(t)
	for _, c := range []struct {
		point   string // where the writer of childStopAt stops
		current uint64 // what readers find meanwhile and afterwards
		odd     bool
	}{
		{"write", 1, true},    // key 2 is half written
		{"current", 2, false}, // key 2 is current, key 1 not yet retired
	} {
		t.Run(c.point, func(t *testing.T) {
			o := mustCreate(t, segment(t, 4))
			w := mustWriter(t, o)
			must(t, w.Put(entry("outlet1", 1, Active), &[ConfirmSize]byte{1}))
			must(t, w.Close())
			r := mustReader(t, o)
			writer, _, _ := startChild(t, "stop-at", o, c.point)
			look := func() {
				t.Helper()
				e, err := r.Current("outlet1")
				must(t, err)
				if e.SeckeyID != c.current || e.Key != keyOf("outlet1", c.current) {
					t.Errorf("current: %v", e)
				}
				_, err = r.Key("outlet1", 1)
				must(t, err)
				if c.current == 1 {
					_, err = r.Key("outlet1", 2)
					wantErr(t, err, ErrNotFound)
				}
				programs := [][]string{{reader}, {"python3", python}}
				for _, p := range programs {
					out, code := run(t, exec.Command(p[0], append(p[1:], path(o), "outlet1")...))
					if code != 0 || !strings.Contains(out, "status 1") {
						t.Errorf("%v: exit code %d\n%s", p, code, out)
					}
				}
			}
			look()
			must(t, writer.Process.Kill())
			writer.Wait()
			look()
			if odd := oddEntries(r); odd != c.odd {
				t.Fatalf("an entry is being written for ever: %v, want %v", odd, c.odd)
			}

			w = mustWriter(t, o)
			look()
			if oddEntries(r) {
				t.Error("not repaired")
			}
			if n := w.Info().Used; n != int(c.current) {
				t.Errorf("%d in use", n)
			}
			for i := range w.confirms.slots {
				if s := &w.m.slots[i]; s.live() != (w.confirms.slots[i].used == 1) {
					t.Error("confirmation keys and keys do not agree")
				}
			}
			active := 0
			for _, e := range w.Entries("outlet1") {
				if e.State == Active {
					active++
				}
			}
			if active != 1 {
				t.Errorf("%d active keys: %v", active, w.Entries(""))
			}
			must(t, w.Put(entry("outlet1", 3, Active), nil))
		})
	}
}

func oddEntries(r *Reader) bool {
	for i, m := 0, r.m.Load(); i < len(m.slots); i++ {
		if m.slots[i].seq.Load()&1 != 0 {
			return true
		}
	}
	return false
}

// TestHalfWiped leaves entries as a writer does that is killed between the stores of a wipe.
func TestHalfWiped(t *testing.T) {
	o := mustCreate(t, segment(t, 8))
	w, r := mustWriter(t, o), mustReader(t, o)
	for n := range uint64(3) {
		must(t, w.Put(entry("outlet1", n+1, Retired), &[ConfirmSize]byte{1}))
	}
	slot := func(n uint64) *slot { return &w.m.slots[w.m.find(toIdent("outlet1"), n)] }
	slot(1).state.Store(uint32(Revoked))
	slot(2).state.Store(uint32(Revoked))
	slot(2).status.Store(0)
	must(t, w.Close())
	check := func() {
		t.Helper()
		for n := uint64(1); n < 3; n++ {
			e, err := r.Key("outlet1", n)
			wantErr(t, err, ErrNotUsable)
			if e.State != Revoked || e.Key != (Key{}) {
				t.Errorf("%v", e)
			}
		}
	}
	check()
	w = mustWriter(t, o)
	check()
	for n := uint64(1); n < 3; n++ {
		if slot(n).seckey[0].Load() != 0 || w.confirms.slots[w.m.find(toIdent("outlet1"), n)].used != 0 {
			t.Error("bytes are left")
		}
	}
	if n := w.Info().Used; n != 1 {
		t.Errorf("%d in use", n)
	}
}

// TestOtherBoot gives the segment the boot id of another boot.
func TestOtherBoot(t *testing.T) {
	o := mustCreate(t, segment(t, 4))
	w := mustWriter(t, o)
	must(t, w.Put(entry("outlet1", 1, Active), nil))
	w.m.bootID[1].Add(1)
	must(t, w.Close())
	r := mustReader(t, o)
	_, err := r.Current("outlet1")
	wantErr(t, err, ErrNoCurrent)
	e, err := r.Key("outlet1", 1)
	wantErr(t, err, ErrNotUsable)
	if e.State != Expired || e.Key != (Key{}) || r.Info().BootMatch || r.Info().WriterAlive {
		t.Errorf("%v, %+v", e, r.Info())
	}
	out, code := run(t, exec.Command(build(t, "reader"), path(o), "outlet1", "1"))
	if code != 1 || !strings.Contains(out, "status 0") {
		t.Errorf("C: exit code %d\n%s", code, out)
	}
	if out, code := run(t, exec.Command("python3", pythonReader(t), path(o), "outlet1", "1")); code != 1 {
		t.Errorf("Python: exit code %d\n%s", code, out)
	}
	w = mustWriter(t, o)
	if !r.Info().BootMatch || len(w.Entries("")) != 0 {
		t.Errorf("taken over with %v", w.Entries(""))
	}
	for i := range w.m.slots {
		if !w.m.slots[i].empty() {
			t.Error("bytes of the other boot are left")
		}
	}
	must(t, w.Put(entry("outlet1", 2, Active), nil))
	_, err = r.Current("outlet1")
	must(t, err)
}

package client

import (
	"slices"
	"testing"
)

// TestResumption: whatever the order in which events come and wherever the
// connection breaks, each event is told once, and none is left out.
func TestResumption(t *testing.T) {
	if _, known := (&Resumption{}).Since(); known {
		t.Error("it asks for something before the first watch")
	}
	var r Resumption
	r.Watching(10)
	told := func(n uint64, settled ...uint64) bool {
		if len(settled) == 0 {
			return r.Told(n, nil)
		}
		return r.Told(n, &settled[0])
	}
	since := func(want uint64) {
		t.Helper()
		if got, known := r.Since(); got != want || !known {
			t.Errorf("since %d, want %d", got, want)
		}
	}
	since(10)
	if !told(11) {
		t.Error("11 is not new")
	}
	since(11)
	if !told(14, 11) || !told(13, 11) { // 12 is not there yet
		t.Error("14 or 13 is not new")
	}
	since(11)
	r.Watching(14) // of a new connection: it changes nothing
	since(11)
	for _, again := range []uint64{13, 14} {
		if told(again, 11) {
			t.Errorf("%d is told again", again)
		}
	}
	if !told(12, 14) {
		t.Error("12 is not new")
	}
	since(14)
	if told(12, 14) || told(11) || told(14) {
		t.Error("what is settled is told again")
	}
	if len(r.told) != 0 {
		t.Errorf("%d are remembered", len(r.told))
	}
	r.Lost(5) // the store was restored
	since(5)
	if !told(6) {
		t.Error("6 is not new after the loss")
	}
	r = ResumeAt(0)
	since(0)
	for n := range uint64(2 * maxTold) { // a transaction hangs
		if !told(n+2, 0) {
			t.Fatal(n + 2)
		}
	}
	if since(0); len(r.told) > maxTold {
		t.Errorf("%d are remembered", len(r.told))
	}
}

// TestResumptionModel has a server tell numbers in any order, cut the connection
// anywhere, and send again what lies above since.
func TestResumptionModel(t *testing.T) {
	order := []uint64{3, 1, 2, 6, 4, 5, 9, 7, 8, 10}
	for cut := range order {
		for again := cut; again < len(order); again++ {
			r := ResumeAt(0)
			var got []uint64
			send := func(until int) {
				since, _ := r.Since()
				for i, n := range order[:until] {
					if n <= since {
						continue
					}
					seen := slices.Sorted(slices.Values(order[:i+1]))
					settled := uint64(0)
					for settled < uint64(len(seen)) && seen[settled] == settled+1 {
						settled++
					}
					if r.Told(n, &settled) {
						got = append(got, n)
					}
				}
			}
			send(cut)
			send(again)
			send(len(order))
			slices.Sort(got)
			if !slices.Equal(got, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
				t.Fatalf("cut after %d and %d: told %v", cut, again, got)
			}
		}
	}
}

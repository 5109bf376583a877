//go:build amd64 || arm64

package shm

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchSegment holds four keys of each client, two of them ended and one retired, in a table that is half full.
func benchSegment(b *testing.B, clients int) (*Reader, []string) {
	o := mustCreate(b, segment(b, 8*clients))
	w, r := mustWriter(b, o), mustReader(b, o)
	names := make([]string, clients)
	for c := range names {
		names[c] = fmt.Sprintf("outlet%d", c)
	}
	for n := uint64(1); n <= 4; n++ {
		for _, c := range names {
			must(b, w.Put(entry(c, n, Active), nil))
			if n > 2 {
				must(b, w.Wipe(c, n-2, Expired))
			}
		}
	}
	rand.Shuffle(clients, func(i, j int) { names[i], names[j] = names[j], names[i] })
	return r, names
}

// BenchmarkReader measures look-ups of one client, whose entries are in the processor's cache, and of 100,000 in
// random order, where each is a walk to main memory.
func BenchmarkReader(b *testing.B) {
	for _, clients := range []int{1, 100_000} {
		r, names := benchSegment(b, clients)
		b.Run(fmt.Sprintf("Key/clients=%d", clients), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := r.Key(names[i%clients], 4); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("Current/clients=%d", clients), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := r.Current(names[i%clients]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("Absent/clients=%d", clients), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := r.Key(names[i%clients], 9); err != ErrNotFound {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWriter(b *testing.B) {
	o := mustCreate(b, segment(b, 64))
	w := mustWriter(b, o)
	confirm := [ConfirmSize]byte{1}
	b.Run("Put and Wipe", func(b *testing.B) {
		for n := uint64(1); b.Loop(); n++ {
			must(b, w.Put(entry("outlet1", n, Active), &confirm))
			must(b, w.Wipe("outlet1", n, Expired))
		}
	})
}

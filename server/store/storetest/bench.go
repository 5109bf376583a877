package storetest

import (
	"fmt"
	"testing"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// benchBatch is how many changes a busy server commits at once.
const benchBatch = 64

// Bench measures Apply with full batches, in which every outlet negotiates a
// key, verifies it with the older one retired, and has that one expire. It
// counts changes.
func Bench(b *testing.B, s keyservice.Store) {
	ids := make([]string, benchBatch)
	batch := make([]*keyservice.Change, benchBatch)
	apply := func(record func(id string, b book)) {
		for i, id := range ids {
			batch[i] = change(id, 0, func(b book) { record(id, b) })
		}
		if err := s.Apply(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		for _, c := range batch {
			if c.Err != nil {
				b.Fatal(c.Err)
			}
		}
	}
	for i := range ids {
		ids[i] = fmt.Sprint("bench", i)
	}
	apply(func(id string, b book) { b.enrol(id, wire.RoleOutlet, epoch) })
	for n := 0; b.Loop(); n++ {
		apply(func(id string, b book) {
			switch n % 3 {
			case 0:
				b.negotiate(at(n))
			case 1:
				for _, k := range b.Living {
					if k.State == wire.StateActive {
						b.move(k.Seckeyid, wire.StateRetired, at(n), wire.ReasonSuperseded, "")
					}
				}
				b.move(b.Outlet.LastNumber, wire.StateActive, at(n), 0, id)
			case 2:
				for _, k := range b.Living {
					if k.State == wire.StateRetired {
						b.move(k.Seckeyid, wire.StateExpired, at(n), wire.ReasonRoutine, "")
					}
				}
			}
		})
	}
	b.ReportMetric(float64(b.N*benchBatch)/b.Elapsed().Seconds(), "changes/s")
}

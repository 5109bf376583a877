package publish_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// BenchmarkFill measures how long a segment takes to be right for 100,000
// outlets with a current key and a retired one each: from nothing, and when it
// stands there as after a restart. Beside them the floor, which is reading the
// same rows and nothing else. BENCH=short takes a hundredth of them. Run: make bench
func BenchmarkFill(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchFill(b, onSQLite(b)) })
	b.Run("postgres", func(b *testing.B) { benchFill(b, onPostgres(b, pgtest.Database(b))) })
}

func benchFill(b *testing.B, s *site) {
	benchOutlets := 100_000
	if os.Getenv("BENCH") == "short" {
		benchOutlets = 1000
	}
	store := s.open(b)
	defer func() { must(b, store.Close()) }()
	populate(b, store, s, benchOutlets)
	var read, fill, refill, cpu time.Duration
	var peak uint64
	for b.Loop() {
		read += took(func() {
			q := keyservice.UsableQuery{Limit: 2000}
			for {
				rows, err := store.Usable(b.Context(), q)
				must(b, err)
				if len(rows) < q.Limit {
					return
				}
				q.After = keyservice.KeyRef{Outlet: rows[q.Limit-1].Outlet, Seckeyid: rows[q.Limit-1].Seckeyid}
			}
		})
		segment := newSegment(b, 4*benchOutlets)
		for _, d := range []*time.Duration{&fill, &refill} {
			var p *place
			before := processor(b)
			*d += took(func() {
				peak = max(peak, heapPeak(func() {
					p = s.start(b, how{follows: true, segment: &segment})
					p.filled(b)
				}))
			})
			if used := p.publisher.Stats().Used; used != 2*benchOutlets {
				b.Fatalf("%d keys stand there", used)
			}
			p.stop()
			if d == &fill {
				cpu += processor(b) - before
			}
		}
	}
	each := func(d time.Duration) float64 { return d.Seconds() / float64(b.N) }
	b.ReportMetric(each(fill), "s/fill")
	b.ReportMetric(each(cpu), "cpu-s/fill")
	b.ReportMetric(each(refill), "s/refill")
	b.ReportMetric(each(read), "s/read")
	b.ReportMetric(float64(peak), "heap-B")
	b.ReportMetric(float64(4*benchOutlets*(256+96)), "segment-B")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFollow measures how long after an answer another process at the
// centre has the outlet's new key as the current one.
func BenchmarkFollow(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchFollow(b, onSQLite(b)) })
	b.Run("postgres", func(b *testing.B) { benchFollow(b, onPostgres(b, pgtest.Database(b))) })
}

func benchFollow(b *testing.B, s *site) {
	server, elsewhere := s.start(b, how{}), s.start(b, how{follows: true})
	a, r := server.enrol(b, "a", wire.RoleOutlet), elsewhere.reader(b)
	elsewhere.filled(b)
	var all []time.Duration
	for b.Loop() {
		n := a.active()
		began := time.Now()
		for e, _ := r.Current("a"); e.SeckeyID != n; e, _ = r.Current("a") {
			time.Sleep(100 * time.Microsecond)
		}
		all = append(all, time.Since(began))
		if n > 1 {
			a.revoke(n - 1)
		}
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

func took(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

// processor is the time that this process has had of the processors; PostgreSQL's own is not in it.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// heapPeak is the most that the heap had while do ran, beyond what it had before.
func heapPeak(do func()) (peak uint64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapInuse
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
			time.Sleep(20 * time.Millisecond)
		}
	})
	do()
	stop()
	wg.Wait()
	return peak - min(peak, before)
}

// populate has so many outlets agree on two keys each, of which the older is retired.
func populate(b testing.TB, store keyservice.Store, s *site, outlets int) {
	b.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	for round := range 2 {
		var changes []*keyservice.Change
		for i := range outlets {
			changes = append(changes, &keyservice.Change{Outlet: fmt.Sprintf("B-%06d", i), Decide: func(l *keyservice.Ledger) error {
				return agree(l, s, fmt.Sprintf("B-%06d", i), round, now)
			}})
			if len(changes) == 500 || i == outlets-1 {
				must(b, store.Apply(b.Context(), changes))
				for _, c := range changes {
					must(b, c.Err)
				}
				changes = nil
			}
		}
	}
}

func agree(l *keyservice.Ledger, s *site, id string, round int, now time.Time) error {
	number := uint64(round + 1)
	if round == 0 {
		l.Outlet = &keyservice.Outlet{ID: id, Role: wire.RoleOutlet, EnrolledAt: now, LastEpoch: 1, LastNumber: number}
		l.Writes.NewOutlet = l.Outlet
	} else {
		l.Outlet.LastNumber, l.Writes.SetOutlet = number, true
		l.Writes.Moves = append(l.Writes.Moves, keyservice.Move{Seckeyid: 1, EndsAt: now.Add(time.Hour),
			StateRow: keyservice.StateRow{State: wire.StateRetired, At: now, Reason: wire.ReasonSuperseded}})
	}
	var bytes [kex.HeldSize]byte
	rand.Read(bytes[:])
	held, err := kex.ParseHeld(bytes[:])
	if err != nil {
		return err
	}
	k := keyservice.LivingKey{Seckeyid: number, State: wire.StatePending, Created: now, Expires: now.Add(24 * time.Hour),
		EndsAt: now.Add(time.Minute), FP: held.Key.Fingerprint()}
	k.Sealed, err = s.ring.Seal(bytes[:], wire.NewE("hufu1 row key").Text(serverID).Text(id).Uint(number).
		Uint(uint64(now.UnixMilli())).Uint(24*60*60).Sum())
	if err != nil {
		return err
	}
	l.Writes.NewKeys = []keyservice.LivingKey{k}
	l.Writes.Moves = append(l.Writes.Moves, keyservice.Move{Seckeyid: number, EndsAt: k.Expires,
		StateRow: keyservice.StateRow{State: wire.StateActive, At: now, By: id}})
	return nil
}

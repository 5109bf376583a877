package postgres_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/shared/wire"
)

// watch has the store watch and returns how often it was woken, and how it ended.
func watch(t *testing.T, s *postgres.Store) (woken *atomic.Int64, ended chan error) {
	t.Helper()
	woken, ended = new(atomic.Int64), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ended <- s.Watch(ctx, func() { woken.Add(1) })
	}()
	t.Cleanup(func() { cancel(); <-done })
	until(t, "it listens", func() bool { return woken.Load() > 0 })
	return woken, ended
}

// until polls until ok.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen: " + what)
		}
	}
}

// notes commits one change by the store.
func notes(t *testing.T, s *postgres.Store, id string) {
	t.Helper()
	c := &keyservice.Change{Outlet: id, Decide: func(l *keyservice.Ledger) error {
		l.Writes.Changes = []keyservice.ChangeRow{{At: time.Now().UTC(), Kind: keyservice.KindOpened, Outlet: id}}
		return nil
	}}
	if err := s.Apply(t.Context(), []*keyservice.Change{c}); err != nil || c.Err != nil {
		t.Fatal(err, c.Err)
	}
}

// TestNotified: the notification comes with the commit that adds a change, and
// with no other.
func TestNotified(t *testing.T) {
	url := pgtest.Database(t)
	s := open(t, url)
	woken, _ := watch(t, s)
	conn := connect(t, url)
	tx := begin(t, conn)
	if _, err := tx.Exec(t.Context(), `SELECT pg_notify('hufu_change', '')`); err != nil {
		t.Fatal(err)
	}
	before := woken.Load()
	quiet := &keyservice.Change{Outlet: "a", Decide: func(*keyservice.Ledger) error { return nil }}
	if err := s.Apply(t.Context(), []*keyservice.Change{quiet}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	notes(t, s, "a")
	until(t, "it is woken", func() bool { return woken.Load() > before })
	notes(t, s, "b")
	until(t, "it is woken again", func() bool { return woken.Load() > before+1 })
	if n := woken.Load(); n != before+2 {
		t.Errorf("woken %d times for two commits that add changes", n-before)
	}
}

// kill ends the session that listens, as a database's restart does.
func kill(t *testing.T, url string) {
	t.Helper()
	var killed int
	if err := connect(t, url).QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND query LIKE 'LISTEN %'`).Scan(&killed); err != nil {
		t.Fatal(err)
	}
	if killed != 1 {
		t.Fatalf("%d sessions listened", killed)
	}
}

func TestListenerKilled(t *testing.T) {
	url := pgtest.Database(t)
	_, ended := watch(t, open(t, url))
	kill(t, url)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Watch goes on without its connection")
	}
}

// told is what the rules over a store tell everybody.
type told struct {
	mu      sync.Mutex
	outlets []string
}

func (l *told) tell(c keyservice.ChangeRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outlets = append(l.outlets, c.Outlet)
}

func (l *told) has(outlet string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.outlets, outlet)
}

// plain seals nothing: what follows a change table has nothing to seal.
type plain struct{}

func (plain) Seal(b, _ []byte) ([]byte, error) { return b, nil }
func (plain) Open(b, _ []byte) ([]byte, error) { return b, nil }
func (plain) Stale([]byte) bool                { return false }

// TestFollowerLosesNothing: a transaction takes its number first and commits
// last, and the session that listens is killed again and again, so that
// notifications are lost; all the same every change is told.
func TestFollowerLosesNothing(t *testing.T) {
	url := pgtest.Database(t)
	s := open(t, url)
	service, err := keyservice.New(keyservice.Config{ServerID: "HQ"}, s, plain{})
	if err != nil {
		t.Fatal(err)
	}
	var heard told
	defer service.ListenAll(heard.tell)()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { service.RunFollower(ctx) })
	defer running.Wait()
	defer cancel()
	if _, err := service.Lookup(t.Context(), "nobody", 1); err != nil { // it follows from here
		t.Fatal(err)
	}
	early, late := connect(t, url), connect(t, url)
	for i := range 3 {
		ids := []string{"early" + string(rune('0'+i)), "late" + string(rune('0'+i))}
		tx := begin(t, early)
		first := note(t, tx, ids[0]) // by plain SQL: nobody is notified
		if second := note(t, late, ids[1]); second < first {
			t.Fatalf("numbers %d, %d: this test shows nothing", first, second)
		}
		until(t, "the later number is told", func() bool { return heard.has(ids[1]) })
		if heard.has(ids[0]) {
			t.Fatal("told before it was committed")
		}
		commit(t, tx)
		until(t, "the earlier number is told", func() bool { return heard.has(ids[0]) })
		until(t, "somebody listens", func() bool {
			var n int
			err := late.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND query LIKE 'LISTEN %'`).Scan(&n)
			return err == nil && n == 1
		})
		kill(t, url)
	}
	notes(t, s, "by-us")
	until(t, "what the store commits is told", func() bool { return heard.has("by-us") })
}

// BenchmarkNotification measures from before a commit to when another
// process's watcher is woken.
func BenchmarkNotification(b *testing.B) {
	c, err := pgtest.Start(b.Context(), pgtest.FSync())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Stop()
	url := c.URL("postgres")
	if err := postgres.Migrate(b.Context(), url); err != nil {
		b.Fatal(err)
	}
	var stores [2]*postgres.Store
	for i := range stores {
		if stores[i], err = postgres.Open(b.Context(), url, postgres.Options{}); err != nil {
			b.Fatal(err)
		}
		defer stores[i].Close()
	}
	woken := make(chan time.Time, 16)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- stores[0].Watch(ctx, func() { woken <- time.Now() }) }()
	<-woken
	enrolment := &keyservice.Change{Outlet: "a", Decide: func(l *keyservice.Ledger) error {
		l.Writes.NewOutlet = &keyservice.Outlet{ID: "a", Role: wire.RoleOutlet, EnrolledAt: time.Now().UTC(), LastEpoch: 1}
		return nil
	}}
	if err := stores[1].Apply(b.Context(), []*keyservice.Change{enrolment}); err != nil {
		b.Fatal(err)
	}
	var all []time.Duration
	for b.Loop() {
		c := &keyservice.Change{Outlet: "a", Decide: func(l *keyservice.Ledger) error {
			l.Writes.Changes = []keyservice.ChangeRow{{At: time.Now().UTC(), Kind: keyservice.KindOpened, Outlet: "a"}}
			return nil
		}}
		began := time.Now()
		if err := stores[1].Apply(b.Context(), []*keyservice.Change{c}); err != nil || c.Err != nil {
			b.Fatal(err, c.Err)
		}
		all = append(all, (<-woken).Sub(began))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	cancel()
	<-ended
}

package publish_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/publish"
	"hufu/server/seal"
	"hufu/server/store/postgres"
	"hufu/server/store/sqlite"
	"hufu/shared/kex"
	"hufu/shared/wire"
	"hufu/shm"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childVariable); spec != "" {
		var c child
		err := json.Unmarshal([]byte(spec), &c)
		if err == nil {
			err = c.run()
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(pgtest.Main(m, postgres.Migrate))
}

const (
	serverID = "centre"
	lifetime = time.Hour
	grace    = 10 * time.Minute
	patience = 30 * time.Second
)

// site is the data of one installation.
type site struct {
	ring *seal.Ring
	open func(t testing.TB) keyservice.Store
}

// onBoth runs a test on each store.
func onBoth(t *testing.T, test func(t *testing.T, s *site)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, onSQLite(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, onPostgres(t, pgtest.Database(t)))
	})
}

func onSQLite(t testing.TB) *site {
	path := filepath.Join(t.TempDir(), "hufu.db")
	must(t, sqlite.Migrate(t.Context(), path))
	return &site{newRing(t), func(t testing.TB) keyservice.Store {
		store, err := sqlite.Open(t.Context(), path)
		must(t, err)
		return store
	}}
}

func onPostgres(t testing.TB, url string) *site {
	return &site{newRing(t), func(t testing.TB) keyservice.Store {
		store, err := postgres.Open(t.Context(), url, postgres.Options{})
		must(t, err)
		return store
	}}
}

func newRing(t testing.TB) *seal.Ring {
	ring, err := seal.Create(filepath.Join(t.TempDir(), "ring.json"), serverID)
	must(t, err)
	return ring
}

// place is one process at the centre, with a segment of its own.
type place struct {
	*keyservice.Service
	store     *faulty
	publisher *publish.Publisher
	segment   shm.Options
	log       *record
	stop      func()
}

// how says what is special about a place. The zero value is a server.
type how struct {
	follows bool // it only follows: another process at the centre
	segment *shm.Options
	ring    *seal.Ring
	clock   func() time.Time
}

// start opens the store, as one process would, and works until stop or the test's end.
func (s *site) start(t testing.TB, h how) *place {
	t.Helper()
	p := &place{store: &faulty{Store: s.open(t)}, log: &record{}}
	if p.segment = newSegment(t, 64); h.segment != nil {
		p.segment = *h.segment
	}
	if h.ring == nil {
		h.ring = s.ring
	}
	log := slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := keyservice.Config{ServerID: serverID, URL: "http://127.0.0.1:8470", Lifetime: lifetime, Grace: grace, Now: h.clock, Log: log}
	if !h.follows {
		cfg.Publish = func(ctx context.Context, outlet string) error { return p.publisher.Publish(ctx, outlet) }
	}
	var err error
	p.Service, err = keyservice.New(cfg, p.store, h.ring)
	must(t, err)
	p.publisher, err = publish.Open(t.Context(), p.Service, p.segment, log)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	if h.follows {
		wg.Go(func() { p.RunFollower(ctx) })
	} else {
		wg.Go(func() { p.Run(ctx) })
	}
	wg.Go(func() { p.publisher.Run(ctx) })
	p.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		must(t, p.store.Close())
	})
	t.Cleanup(p.stop)
	return p
}

// service is the rules over the store, of which nothing runs.
func (s *site) service(t testing.TB) *keyservice.Service {
	store := s.open(t)
	t.Cleanup(func() { must(t, store.Close()) })
	service, err := keyservice.New(keyservice.Config{ServerID: serverID}, store, s.ring)
	must(t, err)
	return service
}

// newSegment names a segment of the test's own.
func newSegment(t testing.TB, capacity int) shm.Options {
	dir, err := os.MkdirTemp("/dev/shm", "hufu-test-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return shm.Options{Dir: dir, Name: "centre", Capacity: capacity}
}

// faulty is the real store, which can be away.
type faulty struct {
	keyservice.Store
	mu   sync.RWMutex // held while it is read
	away bool
}

var errAway = errors.New("the store is away")

// setAway returns when nobody reads any more what was there before.
func (f *faulty) setAway(away bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.away = away
}

func (f *faulty) Usable(ctx context.Context, q keyservice.UsableQuery) ([]keyservice.UsableRow, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.away {
		return nil, errAway
	}
	return f.Store.Usable(ctx, q)
}

func (f *faulty) Changes(ctx context.Context, after keyservice.Position, limit int) ([]keyservice.ChangeRow, keyservice.Position, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.away {
		return nil, after, errAway
	}
	return f.Store.Changes(ctx, after, limit)
}

// record keeps what is logged.
type record struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.Write(p)
}

func (r *record) has(words string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.b.String(), words)
}

// client is an outlet, or a person, connected to a place.
type client struct {
	t     testing.TB
	place *place
	peer  keyservice.Peer
	keys  *kex.Conn
	q     uint64
	held  map[uint64]*kex.Agreed
}

func (p *place) enrol(t testing.TB, id string, role wire.Role) *client {
	t.Helper()
	token, err := p.Enrol(t.Context(), id, role)
	must(t, err)
	keys := kex.Derive(&token.Secret, kex.Identity{ClientID: id, ServerID: serverID, Epoch: token.Epoch})
	var ns, nc [wire.SizeNonce]byte
	rand.Read(ns[:])
	rand.Read(nc[:])
	return &client{t: t, place: p, keys: keys.Connect(&ns, &nc), held: make(map[uint64]*kex.Agreed),
		peer: keyservice.Peer{ClientID: id, Role: role, Keys: keys.Connect(&ns, &nc), Conn: "c1"}}
}

func (c *client) head() wire.RequestHead {
	c.q++
	return wire.RequestHead{Q: c.q, ClientID: c.peer.ClientID, ServerID: serverID}
}

// negotiate agrees on a key, which is pending.
func (c *client) negotiate() uint64 {
	c.t.Helper()
	i, err := kex.NewInitiator(rand.Reader)
	must(c.t, err)
	m := &wire.Negotiate{RequestHead: c.head()}
	i.Offer(m)
	ok, err := c.place.Negotiate(c.t.Context(), &c.peer, m)
	must(c.t, err)
	c.held[ok.Seckeyid], err = i.Accept(c.keys, m.Q, ok)
	must(c.t, err)
	return ok.Seckeyid
}

func (c *client) verify(n uint64) {
	c.t.Helper()
	m := &wire.Verify{RequestHead: c.head(), Seckeyid: n}
	m.Confirm = c.held[n].ProveClient(c.keys, m.Q, n)
	_, err := c.place.Verify(c.t.Context(), &c.peer, m)
	must(c.t, err)
}

// active agrees on a key and verifies it.
func (c *client) active() uint64 {
	c.t.Helper()
	n := c.negotiate()
	c.verify(n)
	return n
}

func (c *client) revoke(n uint64) {
	c.t.Helper()
	must(c.t, c.place.Revoke(c.t.Context(), &c.peer, &wire.Revoke{RequestHead: c.head(), Seckeyid: n, Reason: 1}))
}

// reader reads a place's segment as an application does.
func (p *place) reader(t testing.TB) *shm.Reader {
	t.Helper()
	r, err := shm.OpenReader(p.segment)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// has tells what is wrong with a key of the client in a segment; empty: it
// stands there in this state with the client's own bytes, or without any where
// the state is an end.
func (c *client) has(r *shm.Reader, n uint64, want shm.State) string {
	e, err := r.Key(c.peer.ClientID, n)
	if err != nil && !errors.Is(err, shm.ErrNotUsable) {
		return err.Error()
	}
	held := shm.Key(*c.held[n].Key.Bytes())
	switch {
	case e.State != want:
		return "key " + e.String() + " is not " + want.String()
	case e.Usable != (want <= shm.Retired):
		return e.String()
	case e.Usable && !e.Key.Equal(&held):
		return e.String() + ": other bytes"
	case e.Fingerprint != shm.Fingerprint(c.held[n].Key.Fingerprint()), e.ServerID != serverID:
		return e.String() + ": another fingerprint or server"
	}
	if current, err := r.Current(c.peer.ClientID); want == shm.Active && (err != nil || current.SeckeyID != n) {
		return "it is not current: " + current.String()
	}
	return ""
}

// answeredEarly tells whether an answer did not wait for the segment any longer.
func (p *place) answeredEarly() bool { return p.log.has("answered before it was published") }

// wants checks a key of the client in a segment now; once its server could not
// wait for a segment, which the machine may have kept from following: soon.
func (c *client) wants(r *shm.Reader, n uint64, want shm.State) {
	c.t.Helper()
	if c.place.answeredEarly() {
		c.awaits(r, n, want)
		return
	}
	if wrong := c.has(r, n, want); wrong != "" {
		c.t.Errorf("%s, key %d: %s", c.peer.ClientID, n, wrong)
	}
}

// awaits is wants as soon as it is so.
func (c *client) awaits(r *shm.Reader, n uint64, want shm.State) {
	c.t.Helper()
	wrong := ""
	eventually(c.t, func() bool { wrong = c.has(r, n, want); return wrong == "" }, func() string {
		return c.peer.ClientID + ": " + wrong
	})
}

func eventually(t testing.TB, ok func() bool, what func() string) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not happen within %s: %s", patience, what())
		}
	}
}

// filled waits until all is held against the store once, or again.
func (p *place) filled(t testing.TB) {
	t.Helper()
	eventually(t, func() bool { return p.log.has("the segment is filled") }, func() string { return "the segment is filled" })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

package keyservice_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/server/store/sqlite"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	serverID = "centre"
	lifetime = time.Hour
	grace    = 10 * time.Minute
)

// clock is the time by which a service under test goes.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// centre is a service over the embedded store. What it logs is kept.
type centre struct {
	*keyservice.Service
	*clock
	path  string
	store *faulty
	ring  *seal.Ring
	log   *record
}

// faulty is the real store with failures injected.
type faulty struct {
	keyservice.Store
	mu      sync.Mutex
	apply   error // what Apply fails with
	changes error // what Changes and Head fail with
	reads   error // what Outlet, Keys, Unreceipted, Beat and Tell fail with
	batches [][]string
	before  func() // called before every Apply
}

func (f *faulty) set(apply, changes, reads error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.apply, f.changes, f.reads = apply, changes, reads
}

func (f *faulty) get() (apply, changes, reads error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.apply, f.changes, f.reads
}

func (f *faulty) Apply(ctx context.Context, changes []*keyservice.Change) error {
	f.mu.Lock()
	before, err := f.before, f.apply
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.Outlet
	}
	f.batches = append(f.batches, ids)
	f.mu.Unlock()
	if before != nil {
		before()
	}
	if err != nil {
		return err
	}
	return f.Store.Apply(ctx, changes)
}

func (f *faulty) Changes(ctx context.Context, after keyservice.Position, limit int) ([]keyservice.ChangeRow, keyservice.Position, error) {
	if _, err, _ := f.get(); err != nil {
		return nil, after, err
	}
	return f.Store.Changes(ctx, after, limit)
}

func (f *faulty) Head(ctx context.Context) (keyservice.Position, error) {
	if _, err, _ := f.get(); err != nil {
		return keyservice.Position{}, err
	}
	return f.Store.Head(ctx)
}

func (f *faulty) Beat(ctx context.Context, p keyservice.Process, term time.Duration) (bool, error) {
	if _, _, err := f.get(); err != nil {
		return false, err
	}
	return f.Store.Beat(ctx, p, term)
}

func (f *faulty) Tell(ctx context.Context, process string, seen []keyservice.Sight) (bool, error) {
	if _, _, err := f.get(); err != nil {
		return false, err
	}
	return f.Store.Tell(ctx, process, seen)
}

func (f *faulty) Outlet(ctx context.Context, id string) (keyservice.Outlet, []keyservice.Secret, error) {
	if _, _, err := f.get(); err != nil {
		return keyservice.Outlet{}, nil, err
	}
	return f.Store.Outlet(ctx, id)
}

func (f *faulty) Keys(ctx context.Context, q keyservice.KeyQuery) ([]keyservice.KeyRow, error) {
	if _, _, err := f.get(); err != nil {
		return nil, err
	}
	return f.Store.Keys(ctx, q)
}

func (f *faulty) Unreceipted(ctx context.Context, outlet string, limit int) ([]keyservice.Revoked, error) {
	if _, _, err := f.get(); err != nil {
		return nil, err
	}
	return f.Store.Unreceipted(ctx, outlet, limit)
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

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.b.String()
}

func migrated(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "hufu.db")
	if err := sqlite.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

// openCentre makes a service over the file, as one process would. Nothing runs.
func openCentre(t *testing.T, path string, ring *seal.Ring) *centre {
	t.Helper()
	return openCentreAt(t, path, ring, "here")
}

// openCentreAt is openCentre for a process that serves at a place.
func openCentreAt(t *testing.T, path string, ring *seal.Ring, place string) *centre {
	t.Helper()
	real, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := real.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	c := &centre{clock: &clock{}, path: path, store: &faulty{Store: real}, ring: ring, log: &record{}}
	c.ms.Store(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC).UnixMilli())
	c.Service, err = keyservice.New(keyservice.Config{
		ServerID: serverID, URL: "http://127.0.0.1:8470", Lifetime: lifetime, Grace: grace, Now: c.now, Place: place,
		Log: slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, c.store, ring)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newCentre makes a service of which only the writer runs: no sweeper, no follower.
func newCentre(t *testing.T) *centre {
	t.Helper()
	c := openCentre(t, migrated(t), newRing(t))
	c.start(t, c.RunWriter)
	return c
}

// run has all of it work until the test ends.
func (c *centre) run(t *testing.T) {
	t.Helper()
	c.start(t, c.Run)
	must(c.Lookup(t.Context(), "nobody", 1))(t) // answers once the follower knows from where it tells
}

// start has run work until the test or stop ends it.
func (c *centre) start(t *testing.T, run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

func newRing(t *testing.T) *seal.Ring {
	t.Helper()
	ring, err := seal.Create(filepath.Join(t.TempDir(), "ring.json"), serverID)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// client is both ends of an authenticated connection: the peer that the
// service sees, and the client's own keys.
type client struct {
	*testing.T
	*centre
	peer  *keyservice.Peer
	keys  *kex.Conn
	token *wire.Token
	q     uint64
	held  map[uint64]*kex.Agreed
}

// enrol enrols a client and connects it.
func (c *centre) enrol(t *testing.T, id string, role wire.Role) *client {
	t.Helper()
	token, err := c.Enrol(t.Context(), id, role)
	if err != nil {
		t.Fatalf("enrol %s: %v", id, err)
	}
	return c.connect(t, token)
}

func (c *centre) connect(t *testing.T, token *wire.Token) *client {
	lt := kex.Derive(&token.Secret, kex.Identity{ClientID: token.ClientID, ServerID: token.ServerID, Epoch: token.Epoch})
	var ns, nc [wire.SizeNonce]byte
	rand.Read(ns[:])
	rand.Read(nc[:])
	return &client{T: t, centre: c, keys: lt.Connect(&ns, &nc), token: token, held: make(map[uint64]*kex.Agreed),
		peer: &keyservice.Peer{ClientID: token.ClientID, Role: token.Role, Epoch: token.Epoch, Keys: lt.Connect(&ns, &nc), Conn: "c1"}}
}

func (c *client) head() wire.RequestHead {
	c.q++
	return wire.RequestHead{Q: c.q, ClientID: c.peer.ClientID, ServerID: serverID}
}

// negotiate agrees on a key and checks the server's proof.
func (c *client) negotiate() uint64 {
	c.Helper()
	n, err := c.tryNegotiate()
	if err != nil {
		c.Fatalf("negotiate: %v", err)
	}
	return n
}

func (c *client) tryNegotiate() (uint64, error) {
	i, err := kex.NewInitiator(rand.Reader)
	if err != nil {
		return 0, err
	}
	m := &wire.Negotiate{RequestHead: c.head()}
	i.Offer(m)
	ok, err := c.Negotiate(c.Context(), c.peer, m)
	if err != nil {
		return 0, err
	}
	agreed, err := i.Accept(c.keys, m.Q, ok)
	if err != nil {
		return 0, fmt.Errorf("the server's half: %w", err)
	}
	if ok.Lifetime != uint64(lifetime/time.Second) {
		return 0, fmt.Errorf("lifetime %d", ok.Lifetime)
	}
	c.held[ok.Seckeyid] = agreed
	return ok.Seckeyid, nil
}

// verify proves the key, or, if not match, fails to. It checks the server's
// proof in turn.
func (c *client) verify(n uint64, match bool) (wire.State, error) {
	c.Helper()
	m := &wire.Verify{RequestHead: c.head(), Seckeyid: n}
	if held := c.held[n]; held != nil {
		m.Confirm = held.ProveClient(c.keys, m.Q, n)
	}
	if !match {
		m.Confirm[31] ^= 1
	}
	ok, err := c.Verify(c.Context(), c.peer, m)
	if err != nil {
		return 0, err
	}
	if !c.held[n].CheckServer(c.keys, m.Q, n, m.Confirm, ok.Confirm) {
		c.Errorf("verify %d: the server's proof is wrong", n)
	}
	return ok.State, nil
}

// active agrees on a key and verifies it.
func (c *client) active() uint64 {
	c.Helper()
	n := c.negotiate()
	if state, err := c.verify(n, true); err != nil || state != wire.StateActive {
		c.Fatalf("verify %d: %v, %v", n, state, err)
	}
	return n
}

func (c *client) revoke(n uint64, why wire.Reason) error {
	return c.Revoke(c.Context(), c.peer, &wire.Revoke{RequestHead: c.head(), Seckeyid: n, Reason: why})
}

func (c *client) receipt(n uint64, s wire.State) error {
	return c.Receipt(c.Context(), c.peer, &wire.Receipt{RequestHead: c.head(), Seckeyid: n, State: s})
}

// key returns the history's row of one key, ends applied by nobody.
func (c *client) key(n uint64) keyservice.KeyRow {
	c.Helper()
	rows, err := c.store.Store.Keys(c.Context(), keyservice.KeyQuery{Outlet: c.peer.ClientID, ByNumber: true, BeforeKey: n + 1, Limit: 1})
	if err != nil {
		c.Fatal(err)
	}
	if len(rows) == 0 || rows[0].Seckeyid != n {
		return keyservice.KeyRow{}
	}
	return rows[0]
}

// ledger is what a change of this client would see.
func (c *client) ledger(n uint64) (seen keyservice.Ledger) {
	c.Helper()
	change := &keyservice.Change{Outlet: c.peer.ClientID, Seckeyid: n, Decide: func(l *keyservice.Ledger) error {
		seen = *l
		return nil
	}}
	if err := c.store.Store.Apply(c.Context(), []*keyservice.Change{change}); err != nil || change.Err != nil {
		c.Fatal(err, change.Err)
	}
	return seen
}

// hasMaterial tells whether the key's sealed bytes are in the store.
func (c *client) hasMaterial(n uint64) bool {
	c.Helper()
	return slices.ContainsFunc(c.ledger(n).Living, func(k keyservice.LivingKey) bool { return k.Seckeyid == n })
}

// changes lists what the change table says about this client after a change
// number, oldest first.
func (c *client) changes(after uint64) []keyservice.ChangeRow {
	c.Helper()
	rows, err := c.store.Store.Events(c.Context(), keyservice.EventQuery{Outlet: c.peer.ClientID, Limit: 500})
	if err != nil {
		c.Fatal(err)
	}
	slices.Reverse(rows)
	return slices.DeleteFunc(rows, func(r keyservice.ChangeRow) bool { return r.N <= after })
}

// last is the newest change number of this client.
func (c *client) last() uint64 {
	c.Helper()
	rows := c.changes(0)
	return rows[len(rows)-1].N
}

// brief is changes in a form that is easily compared: kind, key and reason.
func brief(rows []keyservice.ChangeRow) (all []string) {
	for _, r := range rows {
		s := fmt.Sprintf("%s %d", r.Kind, r.Seckeyid)
		if r.State >= wire.StateRetired {
			s += fmt.Sprintf(" reason %d", r.Reason)
		}
		all = append(all, s)
	}
	return all
}

// code is the code that an operation was answered with.
func code(t *testing.T, err error) wire.Code {
	t.Helper()
	var c wire.Code
	if err != nil && !errors.As(err, &c) {
		t.Fatalf("not a code: %v", err)
	}
	return c
}

var errStore = errors.New("the store has failed")

func newInitiator() (*kex.Initiator, error) { return kex.NewInitiator(rand.Reader) }

// must returns v, or fails the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

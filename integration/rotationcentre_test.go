package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/server/publish"
	"hufu/server/seal"
	"hufu/server/session"
	"hufu/server/store/sqlite"
	"hufu/server/web"
	"hufu/shared/kex"
	"hufu/shared/wire"
	"hufu/shm"
)

// dayCentre is the centre on a test's own time: the embedded store, the rules,
// the sessions and HTTP in memory, and what its applications see.
type dayCentre struct {
	t     *testing.T
	quiet *quiet
	store keyservice.Store // quiet, weakened or not
	ring  *seal.Ring
	cfg   keyservice.Config
	own   shm.Options // the segment of the server's process
	views []view      // that segment, and those of publishers elsewhere

	mu      sync.Mutex
	network *pipes // nil: the server is away
	halt    func()
	killed  bool // at the next commit that is to be published
	outages sync.WaitGroup
	close   func()
}

// dayOutlet's identifier.
const dayID = "BRANCH-01"

// newDayCentre starts a centre with a publisher elsewhere, and with one for
// each lag: what that learns from the change table, it publishes so much later.
func newDayCentre(t *testing.T, cfg keyservice.Config, change func(keyservice.Store) keyservice.Store, lags []time.Duration) *dayCentre {
	t.Helper()
	path := filepath.Join(inMemory(t), "hufu.db") // a day has as many commits as no disk takes in a minute
	must(t, sqlite.Migrate(t.Context(), path))
	store, err := sqlite.Open(t.Context(), path)
	must(t, err)
	c := &dayCentre{t: t, cfg: cfg}
	c.quiet = &quiet{Store: store, woken: make(chan struct{}), empty: map[string]emptiness{}}
	c.store = change(c.quiet)
	c.ring, err = seal.Create(filepath.Join(t.TempDir(), "ring.json"), "centre")
	must(t, err)
	c.cfg.ServerID, c.cfg.URL, c.cfg.Log = "centre", "http://centre", slog.New(slog.DiscardHandler)
	c.own = daySegment(t)
	elsewhere := daySegment(t)
	stop := c.follow(elsewhere, lags)
	must(t, c.start())
	c.views = append([]view{c.reader("the server's own", c.own), c.reader("one elsewhere", elsewhere)}, c.views...)
	c.close = func() {
		c.spare()
		c.outages.Wait()
		c.stop()
		stop()
		must(t, store.Close())
	}
	return c
}

// enrolDay enrols the outlet.
func (c *dayCentre) enrolDay() *wire.Token {
	rules, err := keyservice.New(c.cfg, c.store, c.ring)
	must(c.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { rules.RunWriter(ctx) })
	token, err := rules.Enrol(c.t.Context(), dayID, wire.RoleOutlet)
	must(c.t, err)
	return token
}

// start starts the server's process.
func (c *dayCentre) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	cfg := c.cfg
	var own *publish.Publisher
	cfg.Publish = func(ctx context.Context, outlet string) error {
		if c.isKilled() {
			return errors.New("killed")
		}
		return own.Publish(ctx, outlet)
	}
	rules, err := keyservice.New(cfg, c.store, c.ring)
	if err != nil {
		return err
	}
	if own, err = publish.Open(context.Background(), rules, c.own, cfg.Log); err != nil {
		return err
	}
	sessions := session.New(rules, session.Limits{}, cfg.Log)
	server := &http.Server{Handler: web.New(web.Config{Log: cfg.Log}, rules, sessions)}
	network := newPipes()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { rules.Run(ctx) })
	running.Go(func() { own.Run(ctx) })
	running.Go(func() { server.Serve(network) })
	c.network = network
	c.halt = func() {
		server.Close()
		within, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		sessions.Shutdown(within)
		cancel()
		running.Wait()
	}
	return nil
}

// stop ends the server's process; its connections are cut off. It does not
// hold the lock, which what it waits for may want.
func (c *dayCentre) stop() {
	c.mu.Lock()
	network, halt := c.network, c.halt
	c.network = nil
	c.mu.Unlock()
	if network == nil {
		return
	}
	network.cut()
	halt()
}

// after has something happen later.
func (c *dayCentre) after(d time.Duration, happen func()) {
	c.outages.Go(func() {
		time.Sleep(d)
		happen()
	})
}

// cut ends every connection.
func (c *dayCentre) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.network != nil {
		c.network.cut()
	}
}

// away has the server away for a while.
func (c *dayCentre) away(d time.Duration) {
	c.outages.Go(func() {
		c.stop()
		time.Sleep(d)
		if err := c.start(); err != nil {
			c.t.Error(err)
		}
	})
}

// kill has the server's process end at the next commit that moves a key on,
// before anything is published or answered, and come back after outage.
func (c *dayCentre) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
}

// spare takes it back.
func (c *dayCentre) spare() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = false
}

// outage is how long a server is away that was killed, or a store that broke down.
const outage = 20 * time.Second

func (c *dayCentre) isKilled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	killed := c.killed
	if c.killed = false; killed && c.network != nil {
		c.network.cut()
		c.away(outage)
	}
	return killed
}

// follow is the publishers elsewhere: a process that only reads.
func (c *dayCentre) follow(segment shm.Options, lags []time.Duration) (stop func()) {
	rules, err := keyservice.New(c.cfg, c.store, c.ring)
	must(c.t, err)
	publisher, err := publish.Open(context.Background(), rules, segment, c.cfg.Log)
	must(c.t, err)
	var late []*lateView
	for _, lag := range lags {
		v := &lateView{lag: lag}
		late, c.views = append(late, v), append(c.views, v)
	}
	dirty := make(chan string, 1024)
	stopListening := rules.ListenAll(func(r keyservice.ChangeRow) { dirty <- r.Outlet })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { rules.RunFollower(ctx) })
	running.Go(func() { publisher.Run(ctx) })
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case outlet := <-dirty:
				for _, v := range late {
					if err := v.sample(ctx, rules, outlet); err != nil && ctx.Err() == nil {
						c.t.Error(err)
					}
				}
			}
		}
	})
	return func() {
		stopListening()
		cancel()
		running.Wait()
	}
}

// dial connects to the server, if it is there.
func (c *dayCentre) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c.mu.Lock()
	network := c.network
	c.mu.Unlock()
	if network == nil {
		return nil, errors.New("the server is away")
	}
	return network.dial(ctx)
}

// view is what applications at the centre see of the outlet's keys.
type view interface {
	fmt.Stringer
	key(seckeyid uint64) *kex.Key           // nil: none that opens
	current() (seckeyid uint64, k *kex.Key) // 0: none to seal with
}

// segmentView is a segment, as a publisher keeps it.
type segmentView struct {
	name   string
	reader *shm.Reader
}

func daySegment(t *testing.T) shm.Options {
	t.Helper()
	return shm.Options{Dir: inMemory(t), Name: "centre", Capacity: 64}
}

// inMemory is a folder of the test's own.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", prefix+"day-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (c *dayCentre) reader(name string, o shm.Options) *segmentView {
	c.t.Helper()
	r, err := shm.OpenReader(o)
	must(c.t, err)
	c.t.Cleanup(func() { r.Close() })
	return &segmentView{name, r}
}

func (v *segmentView) String() string { return v.name }

func (v *segmentView) key(seckeyid uint64) *kex.Key {
	e, err := v.reader.Key(dayID, seckeyid)
	if err != nil {
		return nil
	}
	k := kex.NewKey((*[shm.KeySize]byte)(&e.Key))
	return &k
}

func (v *segmentView) current() (uint64, *kex.Key) {
	e, err := v.reader.Current(dayID)
	if err != nil {
		return 0, nil
	}
	k := kex.NewKey((*[shm.KeySize]byte)(&e.Key))
	return e.SeckeyID, &k
}

// lateView is what the store had some time ago.
type lateView struct {
	lag time.Duration

	mu      sync.Mutex
	coming  []sample
	showing []keyservice.UsableKey
}

func (v *lateView) String() string { return fmt.Sprintf("one elsewhere, %v late", v.lag) }

type sample struct {
	at   time.Time
	keys []keyservice.UsableKey
}

// sample publishes what the store has now when the lag is over.
func (v *lateView) sample(ctx context.Context, rules *keyservice.Service, outlet string) error {
	page, _, err := rules.UsablePage(ctx, keyservice.UsableQuery{Outlets: []string{outlet}})
	if err != nil {
		return err
	}
	for _, k := range page {
		if k.Err != nil {
			return k.Err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.coming = append(v.coming, sample{time.Now().Add(v.lag), page})
	return nil
}

// keys are those that have been published and have not ended.
func (v *lateView) keys() (usable []keyservice.UsableKey) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	for len(v.coming) > 0 && !v.coming[0].at.After(now) {
		v.showing, v.coming = v.coming[0].keys, v.coming[1:]
	}
	for _, k := range v.showing {
		if k.EndsAt.After(now) {
			usable = append(usable, k)
		}
	}
	return usable
}

// key is the one of that number.
func (v *lateView) key(seckeyid uint64) *kex.Key {
	for _, k := range v.keys() {
		if k.Seckeyid == seckeyid {
			return &k.Key
		}
	}
	return nil
}

// current is the one to seal with; 0: none.
func (v *lateView) current() (uint64, *kex.Key) {
	for _, k := range v.keys() {
		if k.State == wire.StateActive {
			return k.Seckeyid, &k.Key
		}
	}
	return 0, nil
}

// pipes is a network in memory: a listener, and the way to it.
type pipes struct {
	waiting chan net.Conn
	gone    chan struct{}
	once    sync.Once

	mu   sync.Mutex
	ends []net.Conn // of the server
}

func newPipes() *pipes { return &pipes{waiting: make(chan net.Conn), gone: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	p.mu.Lock()
	p.ends = append(p.ends, there)
	p.mu.Unlock()
	select {
	case p.waiting <- addressed{there}:
		return here, nil
	case <-p.gone:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.waiting:
		return conn, nil
	case <-p.gone:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.gone) })
	return nil
}

// cut ends every connection at once.
func (p *pipes) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, end := range p.ends {
		end.Close()
	}
	p.ends = nil
}

var nowhere = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}

func (p *pipes) Addr() net.Addr { return nowhere }

// addressed is a pipe's end that comes from somewhere.
type addressed struct{ net.Conn }

func (addressed) RemoteAddr() net.Addr { return nowhere }

// quiet is the store without the queries of a day that would find nothing: the
// change table is read when somebody has written, as on PostgreSQL. It can break down.
type quiet struct {
	keyservice.Store

	mu     sync.Mutex
	writes int
	woken  chan struct{} // closed by the next write
	empty  map[string]emptiness

	doubtful bool
	away     time.Time // until then
}

// emptiness is that a query finds nothing: as long as nothing is written, and
// up to a time.
type emptiness struct {
	writes int
	until  time.Time
}

// horizon is how far ahead the store is asked what will end.
const horizon = 30 * time.Second

func (q *quiet) Apply(ctx context.Context, changes []*keyservice.Change) error {
	q.mu.Lock()
	away := time.Now().Before(q.away)
	q.mu.Unlock()
	if away {
		return fmt.Errorf("rotation: %w", keyservice.ErrBusy)
	}
	activates := false
	for _, c := range changes {
		decide := c.Decide
		c.Decide = func(l *keyservice.Ledger) error {
			err := decide(l)
			activates = activates || slices.ContainsFunc(l.Writes.Moves, func(m keyservice.Move) bool { return m.State == wire.StateActive })
			return err
		}
	}
	err := q.Store.Apply(ctx, changes)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writes++
	close(q.woken)
	q.woken = make(chan struct{})
	if err == nil && activates && q.doubtful {
		q.doubtful, q.away = false, time.Now().Add(outage)
		return fmt.Errorf("rotation: %w", keyservice.ErrInDoubt)
	}
	return err
}

// breakDown has the store be lost by the next commit that makes a key active:
// it was done, and nobody is told. For a while it cannot be written then.
func (q *quiet) breakDown() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.doubtful = true
}

// cease has the store not be written for a while.
func (q *quiet) cease() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.away = time.Now().Add(outage)
}

func (q *quiet) Watch(ctx context.Context, wake func()) error {
	for {
		q.mu.Lock()
		woken := q.woken
		q.mu.Unlock()
		wake()
		select {
		case <-woken:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// isEmpty reports whether a query is known to find nothing at that time; if
// not, the writes that it may not know of.
func (q *quiet) isEmpty(query string, at time.Time) (writes int, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e, known := q.empty[query]
	return q.writes, known && e.writes == q.writes && at.Before(e.until)
}

func (q *quiet) found(query string, nothing bool, writes int, until time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if nothing {
		q.empty[query] = emptiness{writes, until}
	}
}

func (q *quiet) Changes(ctx context.Context, after keyservice.Position, limit int) ([]keyservice.ChangeRow, keyservice.Position, error) {
	query, now := fmt.Sprint("changes", after), time.Now()
	writes, empty := q.isEmpty(query, now)
	if empty {
		return nil, after, nil
	}
	rows, next, err := q.Store.Changes(ctx, after, limit)
	q.found(query, err == nil && len(rows) == 0 && next == after, writes, now.Add(24*time.Hour))
	return rows, next, err
}

func (q *quiet) Due(ctx context.Context, now time.Time, limit int) ([]string, error) {
	return q.ahead("due", now, func(at time.Time) ([]string, error) { return q.Store.Due(ctx, at, limit) })
}

func (q *quiet) Unused(ctx context.Context, before time.Time, limit int) ([]string, error) {
	return q.ahead("unused", before, func(at time.Time) ([]string, error) { return q.Store.Unused(ctx, at, limit) })
}

// ahead asks what there will be, and only if there is something, what there is.
func (q *quiet) ahead(query string, at time.Time, ask func(time.Time) ([]string, error)) ([]string, error) {
	writes, empty := q.isEmpty(query, at)
	if empty {
		return nil, nil
	}
	coming, err := ask(at.Add(horizon))
	if err != nil {
		return nil, err
	}
	q.found(query, len(coming) == 0, writes, at.Add(horizon))
	if len(coming) == 0 {
		return nil, nil
	}
	return ask(at)
}

package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// full asks for the crashes in their full number: make crash.
var full = os.Getenv("CRASH") == "full"

// shortOr is how often something is done.
func shortOr(short, long int) int {
	if full {
		return long
	}
	return short
}

// TestDatabaseKilled kills PostgreSQL, which syncs every commit, while clients
// negotiate, verify and revoke through a server that runs on. Nothing that was
// acknowledged may be lost.
func TestDatabaseKilled(t *testing.T) {
	const clients = 80
	kills := shortOr(3, 20)
	cluster, err := pgtest.Start(t.Context(), pgtest.FSync())
	must(t, err)
	t.Cleanup(func() { must(t, cluster.Stop()) })
	must(t, cluster.CreateDatabase(t.Context(), "hufu", ""))
	must(t, postgres.Migrate(t.Context(), cluster.URL("hufu")))
	s := siteOn(t, cluster.URL("hufu"), "--max-rate", "10000", "--max-burst", "10000")

	ctx, stop := context.WithCancel(t.Context())
	var load load
	var wg sync.WaitGroup
	for range clients {
		token := s.token(t)
		wg.Go(func() { load.client(ctx, token) })
	}
	inFlight := int64(0)
	for kill := range kills {
		before := load.acknowledged.Load()
		eventually(t, fmt.Sprintf("clients get on before kill %d", kill), func() bool {
			return load.acknowledged.Load() >= before+clients && load.inFlight.Load() >= clients*3/4
		})
		inFlight += load.inFlight.Load()
		must(t, cluster.Kill())
		must(t, cluster.Restart(t.Context()))
	}
	stop()
	wg.Wait()

	lost := load.lost(t, s.rules)
	t.Logf("%d kills with %d operations in flight: acknowledged %d, refused %d, in doubt %d, lost %d",
		kills, inFlight, load.acknowledged.Load(), load.refused.Load(), load.inDoubt.Load(), lost)
	if lost > 0 {
		t.Errorf("%d acknowledged operations are lost", lost)
	}
	if full && inFlight < 1000 {
		t.Errorf("only %d operations were in flight", inFlight)
	}
}

// load is what many clients do at once, and what they were told.
type load struct {
	inFlight, acknowledged, refused, inDoubt atomic.Int64

	mu   sync.Mutex
	told []told
}

// told is an operation that was answered: the key has at least that state, or,
// if its verification was refused, cannot have been verified.
type told struct {
	client  string
	number  uint64
	fp      wire.Fingerprint
	state   wire.State
	refused bool
}

// client connects and works until ctx ends, and again after every failure.
func (l *load) client(ctx context.Context, token *wire.Token) {
	for ctx.Err() == nil {
		s, err := connect(ctx, token, client.Options{})
		if err != nil {
			time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
			continue
		}
		for ctx.Err() == nil && s.Err() == nil {
			l.round(s, token.ClientID)
		}
		s.Close()
	}
}

// round is one key's negotiation and verification, and of every third its
// revocation.
func (l *load) round(s *client.Session, id string) {
	var fresh *client.Fresh
	if l.do(func(ctx context.Context) (err error) {
		fresh, err = s.Negotiate(ctx, 0)
		return err
	}) != nil {
		return
	}
	defer fresh.Held.Zero()
	key := told{client: id, number: fresh.Seckeyid, fp: fresh.Held.Key.Fingerprint(), state: wire.StatePending}
	l.tell(key)
	err := l.do(func(ctx context.Context) error {
		_, err := s.Verify(ctx, key.number, fresh.Held)
		return err
	})
	switch {
	case err == nil:
		key.state = wire.StateActive
		l.tell(key)
	case errors.Is(err, wire.CodeBusy):
		key.refused = true
		l.tell(key)
		return
	}
	if key.number%3 == 0 && l.do(func(ctx context.Context) error { return s.Revoke(ctx, key.number, wire.ReasonRoutine) }) == nil {
		key.state = wire.StateRevoked
		l.tell(key)
	}
}

// do makes one request and counts how it ended. Error 6 says that it was not
// done; any other failure leaves it in doubt.
func (l *load) do(request func(context.Context) error) error {
	l.inFlight.Add(1)
	err := request(context.Background())
	l.inFlight.Add(-1)
	switch {
	case err == nil:
		l.acknowledged.Add(1)
		return nil
	case errors.Is(err, wire.CodeBusy):
		l.refused.Add(1)
	default:
		l.inDoubt.Add(1)
	}
	time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
	return err
}

func (l *load) tell(t told) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, t)
}

// lost counts what was acknowledged and does not stand in the history.
func (l *load) lost(t *testing.T, rules *keyservice.Service) (n int) {
	t.Helper()
	type id struct {
		client string
		number uint64
	}
	rows := make(map[id]keyservice.KeyRow)
	q := keyservice.KeyQuery{Limit: 1000}
	for {
		page, err := rules.Keys(t.Context(), q)
		must(t, err)
		for _, row := range page {
			rows[id{row.Outlet, row.Seckeyid}] = row
		}
		if len(page) < q.Limit {
			break
		}
		q.BeforeN = page[len(page)-1].N
	}
	for _, told := range l.told {
		row, there := rows[id{told.client, told.number}]
		unverified := told.state == wire.StateActive && row.Verified.IsZero()
		undone := told.refused && !row.Verified.IsZero()
		if !there || wire.Fingerprint(row.FP) != told.fp || row.State < told.state || unverified || undone {
			t.Errorf("%s was told %v of key %d, the history has %+v", told.client, told.state, told.number, row)
			n++
		}
	}
	return n
}

// connect opens a session with a token, as hufu does.
func connect(ctx context.Context, token *wire.Token, o client.Options) (*client.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	transport, err := client.Dial(ctx, token.Dial())
	if err != nil {
		return nil, err
	}
	keys := kex.Derive(&token.Secret, kex.Identity{ClientID: token.ClientID, ServerID: token.ServerID, Epoch: token.Epoch})
	defer keys.Zero()
	return client.Open(ctx, transport, keys, o)
}

// TestServerKilledBeforeReply kills hufu-server between the commit and the
// reply. The client's next connection settles what became of the key (§8).
func TestServerKilledBeforeReply(t *testing.T) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, store, "--max-rate", "1000", "--max-burst", "1000")
			for range shortOr(1, 10) {
				for _, cmd := range []wire.Cmd{wire.CmdNegotiate, wire.CmdVerify, wire.CmdRevoke} {
					s.killedBeforeReply(t, cmd)
				}
			}
			s.killedAtRandom(t, shortOr(5, 50))
		})
	}
}

// killedBeforeReply loses the reply to one request with the server.
func (s *site) killedBeforeReply(t *testing.T, cmd wire.Cmd) {
	t.Helper()
	o := s.holder(t)
	killed := make(chan struct{})
	url := s.middle(t, untouched, func(_ int, m message) []message {
		if f, err := wire.Parse(m.data); err == nil && f.Cmd == cmd {
			s.kill(t) // the reply shows that the change is committed
			close(killed)
			return []message{hangUp}
		}
		return []message{m}
	})
	err := o.work(url, cmd == wire.CmdRevoke)
	if !errors.Is(err, client.ErrLost) {
		t.Fatalf("%v: the reply was to be lost: %v", cmd, err)
	}
	<-killed
	s.start()
	o.settled(map[wire.Cmd]string{
		wire.CmdNegotiate: "2 active, 1 expired", // the client never had it; the next one takes its place
		wire.CmdVerify:    "1 active",
		wire.CmdRevoke:    "2 active, 1 revoked",
	}[cmd])
}

// killedAtRandom kills the server at any moment of a client's work.
func (s *site) killedAtRandom(t *testing.T, times int) {
	t.Helper()
	for range times {
		o := s.holder(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = o.work(s.url, true) // how far it comes is the point
		}()
		time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond)
		s.kill(t)
		<-done
		s.start()
		o.settled("")
	}
}

// kill ends the server by SIGKILL.
func (s *site) kill(t testing.TB) {
	if err := s.server.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	<-s.server.done
}

// holder is a client with its keys in the memory of this process.
type holder struct {
	t      *testing.T
	site   *site
	token  *wire.Token
	keys   *client.MemoryHolder
	keeper *client.Keeper
}

func (s *site) holder(t *testing.T) *holder {
	t.Helper()
	h := &holder{t: t, site: s, token: s.token(t), keys: client.NewMemoryHolder(client.ElapsedClock())}
	h.keeper = client.NewKeeper(h.keys, client.KeeperOptions{SwitchDelay: time.Millisecond})
	t.Cleanup(h.keeper.Close)
	return h
}

// token enrols a client.
func (s *site) token(t testing.TB) *wire.Token {
	t.Helper()
	token := s.enrol(t, fmt.Sprintf("T-%d", serial.Add(1)), wire.RoleOutlet)
	token.URL = s.url
	return token
}

// work negotiates and verifies through an address, and revokes if asked.
func (h *holder) work(url string, revoke bool) error {
	token := *h.token
	token.URL = url
	session, err := connect(h.t.Context(), &token, h.keeper.Attach(client.Options{}))
	if err != nil {
		return err
	}
	defer session.Close()
	outcome, err := h.keeper.Negotiate(h.t.Context(), session)
	if err == nil && revoke {
		err = h.keeper.Revoke(h.t.Context(), session, outcome.Seckeyid, wire.ReasonRoutine)
	}
	return err
}

// settled connects anew, as hufu does, and checks that both ends then hold the
// same current key. want, if not empty, is the history.
func (h *holder) settled(want string) {
	h.t.Helper()
	session, err := connect(h.t.Context(), h.token, h.keeper.Attach(client.Options{}))
	must(h.t, err)
	defer session.Close()
	needed, err := h.keeper.Reverify(h.t.Context(), session)
	must(h.t, err)
	if needed {
		_, err := h.keeper.Negotiate(h.t.Context(), session)
		must(h.t, err)
	}
	must(h.t, h.keeper.Settle(h.t.Context()))
	number, held, err := h.keys.Current()
	must(h.t, err)
	defer held.Zero()
	rows, err := h.site.rules.Keys(h.t.Context(), keyservice.KeyQuery{Outlet: h.token.ClientID, ByNumber: true, Limit: 10})
	must(h.t, err)
	if len(rows) == 0 || rows[0].Seckeyid != number || rows[0].State != wire.StateActive || wire.Fingerprint(rows[0].FP) != held.Key.Fingerprint() {
		h.t.Errorf("the client's current key is %d, %s; the centre has %+v", number, held.Key.Fingerprint(), rows)
	}
	if got := keysOf(rows); want != "" && got != want {
		h.t.Errorf("history %q, want %q", got, want)
	}
}

// keysOf tells of keys as "2 active, 1 retired".
func keysOf(rows []keyservice.KeyRow) string {
	words := make([]string, len(rows))
	for i, row := range rows {
		words[i] = fmt.Sprintf("%d %s", row.Seckeyid, row.State)
	}
	return strings.Join(words, ", ")
}

// TestClientKilledBeforePublication kills hufu between the reply and what it
// would have published. Shared memory never shows a key that the centre has
// not committed, and the next run mends the rest.
func TestClientKilledBeforePublication(t *testing.T) {
	s := newSite(t, "sqlite")
	for i := range shortOr(6, 60) {
		o := s.enrolled(t)
		reply := []wire.Cmd{wire.CmdNegotiate, wire.CmdVerify}[i%2]
		seen := make(chan struct{})
		o.via(s.middle(t, untouched, func(_ int, m message) []message {
			if f, err := wire.Parse(m.data); err == nil && f.Cmd == reply {
				close(seen)
			}
			return []message{m}
		}))
		p := start(t, o.command("negotiate"))
		<-seen
		time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
		_ = p.cmd.Process.Kill() // it may have ended by itself
		<-p.done
		o.keep(o.token)
		o.published()
		if o.hufu("verify").code != 0 { // there is no key that both ends hold
			o.must("negotiate")
		}
		o.must("verify")
		o.published()
	}
}

// command is hufu, to be started.
func (o *outlet) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "hufu"), args...)
	cmd.Env = o.env
	return cmd
}

// published checks the segment against the history.
func (o *outlet) published() {
	o.t.Helper()
	r := o.hufu("show", "--json")
	if r.code != 0 {
		return // not made yet
	}
	rows, err := o.rules.Keys(o.t.Context(), keyservice.KeyQuery{Outlet: o.id, ByNumber: true, Limit: 1000})
	must(o.t, err)
	centre := make(map[uint64]keyservice.KeyRow)
	for _, row := range rows {
		centre[row.Seckeyid] = row
	}
	for _, e := range entries(o.t, r.out) {
		row, committed := centre[e.Seckeyid]
		if !committed || wire.Fingerprint(row.FP).String() != e.Fingerprint {
			o.t.Errorf("shared memory has key %d, %s; the centre has %+v", e.Seckeyid, e.Fingerprint, row)
		}
		if e.Current && row.State != wire.StateActive {
			o.t.Errorf("key %d is current in shared memory and %v at the centre", e.Seckeyid, row.State)
		}
	}
}

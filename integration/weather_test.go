package integration

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/shared/wire"
	"hufu/shm"
)

// In bad weather an outlet's agent and the server are real processes. Beside
// each outlet two applications look its keys up all the time: witness.

const (
	lifetime = time.Minute      // the least
	found    = 40 * time.Second // within it a dead link is found: idle/3 + 15 s (§1)
	slack    = 30 * time.Second // for a machine that does much else
)

var short = []string{"--lifetime", "60s", "--grace", "60s"}

// TestWeather is the weather between outlets and one server that runs on.
func TestWeather(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", short...)
	for name, weather := range map[string]func(*testing.T, *site){
		"fair":                          fair,
		"a push is lost":                pushLost,
		"a reply is lost":               replyLost,
		"pushes come a minute late":     pushesLate,
		"all comes five seconds late":   allLate,
		"one message every 74 seconds":  drip,
		"two agents on one host":        twoAgents,
		"two agents on two hosts":       twoHosts,
		"the segment is deleted":        segmentDeleted,
		"the agent is killed":           agentKilled,
		"the server is away for longer": away,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			weather(t, s)
		})
	}
}

// unattended starts an agent, which is stopped at the end of the test.
func (o *outlet) unattended(t testing.TB) *process {
	t.Helper()
	p := start(t, o.command("agent"))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", o.segment, strings.Join(p.log.since(0), "\n"))
		}
		select {
		case <-p.done: // killed
		default:
			if code := p.stop(t, syscall.SIGTERM); code != 0 {
				t.Errorf("the agent ended with %d", code)
			}
		}
	})
	return p
}

// within polls until ok, for longer than eventually does.
func within(t testing.TB, d time.Duration, what string, ok func() bool) (took time.Duration) {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if took = time.Since(begin); took > d {
			t.Fatalf("it did not happen within %s: %s", d, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begin)
}

// agreed waits until both ends have the same current key, with a greater
// number than above, and returns its number.
func (o *outlet) agreed(t testing.TB, above uint64, d time.Duration) (seckeyid uint64) {
	t.Helper()
	within(t, d, fmt.Sprintf("%s: both ends agree on a key above %d", o.segment, above), func() bool {
		r, err := shm.OpenReader(shm.Options{Name: o.segment})
		if err != nil {
			return false
		}
		defer r.Close()
		e, err := r.Current(o.id)
		e.Key.Zero()
		if err != nil || e.SeckeyID <= above {
			return false
		}
		rows, err := o.rules.Keys(t.Context(), keyservice.KeyQuery{Outlet: o.id, ByNumber: true, Limit: 1})
		seckeyid = e.SeckeyID
		return err == nil && len(rows) == 1 && rows[0].Seckeyid == seckeyid && rows[0].State == wire.StateActive && wire.Fingerprint(rows[0].FP).String() == e.Fingerprint.String()
	})
	return seckeyid
}

// usable reports whether a number is found in the segment.
func (o *outlet) usable(seckeyid uint64) bool {
	r, err := shm.OpenReader(shm.Options{Name: o.segment})
	if err != nil {
		return false
	}
	defer r.Close()
	e, err := r.Key(o.id, seckeyid)
	e.Key.Zero()
	return err == nil
}

// under starts an agent in weather, with a witness, and waits for its first key.
func under(t *testing.T, s *site) (o *outlet, w *witness, k *sky, seckeyid uint64) {
	t.Helper()
	o, k = s.enrolled(t), s.sky(t)
	o.via(k.url)
	w = o.witness(t)
	o.unattended(t)
	return o, w, k, o.agreed(t, 0, patience)
}

// fair: keys follow each other without a moment in which there is none, and
// what another process revokes is gone within the second.
func fair(t *testing.T, s *site) {
	o, w, _, n := under(t, s)
	n = o.agreed(t, n, lifetime)
	w.always()
	if r := s.admin(t, "key", "revoke", o.id, fmt.Sprint(n)); r.code != 0 {
		t.Fatal(r.err)
	}
	w.told(n, shm.Now())
	o.agreed(t, n, patience)
}

// pushLost: a push that is the last message for long is missed at the next
// one, and what it said is learned by the next connection before all else.
func pushLost(t *testing.T, s *site) {
	o, w, k, n := under(t, s)
	lost := make(chan struct{})
	k.turn(nil, atFirst(wire.CmdPush, func(context.Context, *websocket.Conn, message) error {
		close(lost)
		return nil
	}))
	o.revokeAtCentre(n)
	<-lost
	took := within(t, found+slack, "the connection is found dead", func() bool { return k.opened.Load() > 1 })
	w.told(n, shm.Now())
	t.Logf("found after %v", took.Round(time.Second/10))
	o.agreed(t, n, patience)
	o.receipted(t, n)
}

// replyLost: a reply that does not come ends the connection.
func replyLost(t *testing.T, s *site) {
	o, w, k, n := under(t, s)
	lost := make(chan struct{})
	k.turn(nil, atFirst(wire.CmdPing, func(context.Context, *websocket.Conn, message) error {
		close(lost)
		return nil
	}))
	begin := time.Now()
	<-lost
	t.Logf("the first ping came after %v", time.Since(begin).Round(time.Second/10))
	took := within(t, 15*time.Second+slack, "the connection is found dead", func() bool { return k.opened.Load() > 1 })
	t.Logf("found %v later", took.Round(time.Second/10))
	o.agreed(t, n, lifetime)
	w.always()
}

// pushesLate: who holds pushes back while replies pass is found out by the
// next reply. Where every connection is treated so, the key lives until its
// own end and not beyond, and what comes late raises nothing from the dead.
func pushesLate(t *testing.T, s *site) {
	o, _, k, n := under(t, s)
	k.turn(nil, k.late(time.Minute))
	o.revokeAtCentre(n)
	took := within(t, found+slack, "the connection is found dead", func() bool { return k.opened.Load() > 1 })
	t.Logf("found after %v", took.Round(time.Second/10))
	within(t, lifetime+slack, "the key ends", func() bool { return !o.usable(n) })
	k.turn(nil, clearSky)
	o.agreed(t, n, 2*lifetime)
	o.receipted(t, n)
}

// allLate: what comes late, but before the connection is given up, counts as
// if it had come in time.
func allLate(t *testing.T, s *site) {
	const by = 5 * time.Second // of the 15 after which a reply is given up
	o, w, k, n := under(t, s)
	k.turn(nil, k.lagging(by))
	o.revokeAtCentre(n)
	w.told(n, shm.Now().Add(by))
	o.agreed(t, n, 4*by+slack)
	if got := k.opened.Load(); got != 1 {
		t.Errorf("%d connections", got)
	}
	o.receipted(t, n)
}

// drip: one message every 74 s, where the server waits for 75. The link is
// found dead, nothing is opened over it, and keys end at their ends.
func drip(t *testing.T, s *site) {
	o, _, k, n := under(t, s)
	k.turn(dripping(74*time.Second), dripping(74*time.Second))
	took := within(t, found+slack, "the link is found dead", func() bool { return k.opened.Load() > 1 })
	t.Logf("found after %v", took.Round(time.Second/10))
	within(t, lifetime+slack, "the key ends", func() bool { return !o.usable(n) })
	k.turn(clearSky, clearSky)
	o.agreed(t, n, 2*lifetime)
}

// away: as drip, with no server at all.
func away(t *testing.T, s *site) {
	o, _, k, n := under(t, s)
	gone := errors.New("the server is away")
	no := func(context.Context, *websocket.Conn, message) error { return gone }
	k.turn(no, no)
	within(t, lifetime+slack, "the key ends", func() bool { return !o.usable(n) })
	within(t, slack, "its bytes are wiped", func() bool { return o.wiped(t, n) })
	o.stands("the key is stale", func(s standing) bool { return s.code == 8 && s.Freshness == "stale" })
	k.turn(clearSky, clearSky)
	o.agreed(t, n, 2*lifetime)
	o.stands("all is well", func(s standing) bool { return s.code == 0 })
}

// wiped reports whether an entry's bytes are overwritten.
func (o *outlet) wiped(t testing.TB, seckeyid uint64) bool {
	t.Helper()
	const head, size, number, key = 256, 256, 8, 64
	b, err := os.ReadFile(o.path())
	must(t, err)
	for at := head; at < len(b); at += size {
		if uint64(b[at+number]) == seckeyid && [32]byte(b[at+key:]) != ([32]byte{}) {
			return false
		}
	}
	return true
}

// receipted waits until the centre knows that a key was wiped.
func (o *outlet) receipted(t testing.TB, seckeyid uint64) {
	t.Helper()
	eventually(t, "the receipt has come", func() bool {
		rows, err := o.rules.Keys(t.Context(), keyservice.KeyQuery{Outlet: o.id, ByNumber: true, Limit: 100})
		must(t, err)
		for _, row := range rows {
			if row.Seckeyid == seckeyid {
				return !row.Receipt.IsZero()
			}
		}
		return false
	})
}

// twoAgents: the second on one host is refused, and the first goes on.
func twoAgents(t *testing.T, s *site) {
	o := s.enrolled(t)
	w := o.witness(t)
	agent := o.unattended(t)
	n := o.agreed(t, 0, patience)
	second := o.hufu("agent")
	if second.code != 6 || !strings.Contains(second.err, fmt.Sprint(agent.cmd.Process.Pid)) {
		t.Errorf("the second: exit code %d: %s", second.code, second.err)
	}
	t.Logf("the second is told: %s", strings.TrimSpace(second.err))
	o.agreed(t, n, lifetime)
	w.always()
}

// onAnotherHost is the same outlet on another host: its token, with a home and a
// segment of its own.
func (o *outlet) onAnotherHost(t testing.TB) *outlet {
	t.Helper()
	other := *o
	other.t, other.home, other.segment = t, t.TempDir(), fmt.Sprint(prefix, serial.Add(1))
	other.env = append(environment(other.home), "HUFU_HOME="+filepath.Join(other.home, "hufu"), "HUFU_SEGMENT="+other.segment, "HUFU_CAPACITY=64")
	other.keep(o.token)
	t.Cleanup(func() {
		for _, suffix := range []string{"", ".confirm"} {
			os.Remove(other.path() + suffix)
		}
	})
	return &other
}

// twoHosts: both are told that the token is used elsewhere, and they do not
// drive each other round.
func twoHosts(t *testing.T, s *site) {
	a := s.enrolled(t)
	b := a.onAnotherHost(t)
	var agents []*process
	for _, o := range []*outlet{a, b} {
		o.witness(t)
		agents = append(agents, o.unattended(t))
	}
	for i, agent := range agents {
		within(t, lifetime+slack, "both are told", func() bool {
			line := agent.log.find(0, func(line string) bool { return strings.Contains(line, "elsewhere") })
			if line != "" {
				t.Logf("%d is told: %s", i, line)
			}
			return line != ""
		})
	}
	time.Sleep(lifetime / 2) // how many keys that takes is the point
	rows, err := s.rules.Keys(t.Context(), keyservice.KeyQuery{Outlet: a.id, ByNumber: true, Limit: 1000})
	must(t, err)
	if len(rows) > 20 {
		t.Errorf("%d keys were negotiated", len(rows))
	}
	t.Logf("%d keys were negotiated", len(rows))
}

// segmentDeleted: the agent makes another, and readers follow.
func segmentDeleted(t *testing.T, s *site) {
	o := s.enrolled(t)
	w := o.witness(t)
	agent := o.unattended(t)
	n := o.agreed(t, 0, patience)
	for _, remove := range []func(){func() { must(t, os.Remove(o.path())) }, func() { o.loses(agent) }} {
		remove()
		n = o.agreed(t, n, patience)
		eventually(t, "both readers follow", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.seen[n] != nil
		})
	}
	eventually(t, "the reader in C follows", func() bool {
		seen, err := w.sightings()
		must(t, err)
		return seen[n].inC
	})
}

// agentKilled: at the next start the two ends agree, whatever it was that the
// agent did not come to publish.
func agentKilled(t *testing.T, s *site) {
	o, k := s.enrolled(t), s.sky(t)
	o.via(k.url)
	w := o.witness(t)
	n := uint64(0)
	for round := range shortOr(3, 30) {
		for _, reply := range []wire.Cmd{wire.CmdNegotiate, wire.CmdVerify, wire.CmdPush} {
			if reply == wire.CmdPush && n == 0 {
				continue
			}
			came := make(chan struct{})
			k.turn(nil, atFirst(reply, func(ctx context.Context, to *websocket.Conn, m message) error {
				defer close(came)
				return clearSky(ctx, to, m)
			}))
			agent := o.unattended(t)
			if reply == wire.CmdPush {
				o.revokeAtCentre(n)
			} else if n != 0 {
				o.revokeAtCentre(n) // so that it negotiates at once
			}
			<-came
			time.Sleep(time.Duration(rand.IntN(1500)) * time.Microsecond)
			must(t, agent.cmd.Process.Kill())
			<-agent.done
			k.turn(nil, clearSky)
			agent = o.unattended(t)
			next := o.agreed(t, 0, 2*patience)
			if n != 0 {
				w.told(n, shm.Now())
			}
			n = next
			o.published()
			if code := agent.stop(t, syscall.SIGTERM); code != 0 {
				t.Errorf("round %d, %v: the agent ended with %d", round, reply, code)
			}
		}
	}
}

// TestWeatherServerKilled kills hufu-server between a commit and its reply to
// an agent, which settles with the next server what became of it.
func TestWeatherServerKilled(t *testing.T) {
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, store, short...)
			for _, cmd := range []wire.Cmd{wire.CmdNegotiate, wire.CmdVerify, wire.CmdReceipt} {
				o, k := s.enrolled(t), s.sky(t)
				o.via(k.url)
				w := o.witness(t)
				killed := make(chan struct{})
				k.turn(nil, atFirst(cmd, func(context.Context, *websocket.Conn, message) error {
					defer close(killed)
					s.kill(t) // the reply shows that the change is committed
					return context.Canceled
				}))
				o.unattended(t)
				revoked := uint64(0)
				if cmd == wire.CmdReceipt {
					revoked = o.agreed(t, 0, patience)
					o.revokeAtCentre(revoked)
					w.told(revoked, shm.Now())
				}
				<-killed
				s.start()
				o.agreed(t, revoked, 2*patience)
				if cmd == wire.CmdReceipt {
					o.receipted(t, revoked)
				}
				t.Logf("%v: %s", cmd, o.history())
			}
		})
	}
}

// TestWeatherDatabase restarts PostgreSQL under a server: keys stay, and are
// renewed when it is back.
func TestWeatherDatabase(t *testing.T) {
	t.Parallel()
	cluster, err := pgtest.Start(t.Context(), pgtest.FSync())
	must(t, err)
	t.Cleanup(func() { must(t, cluster.Stop()) })
	must(t, cluster.CreateDatabase(t.Context(), "hufu", ""))
	must(t, postgres.Migrate(t.Context(), cluster.URL("hufu")))
	s := siteOn(t, cluster.URL("hufu"), "--lifetime", "120s", "--grace", "60s")
	o := s.enrolled(t)
	w := o.witness(t)
	o.unattended(t)
	n := o.agreed(t, 0, patience)
	must(t, cluster.Kill())
	time.Sleep(2*lifetime*6/10 + 2*time.Second) // beyond the moment of its renewal
	must(t, cluster.Restart(t.Context()))
	n = o.agreed(t, n, lifetime)
	w.always()
	eventually(t, "it is revoked", func() bool {
		return s.rules.RevokeKey(t.Context(), o.id, n, wire.ReasonKeyCompromised, "") == nil
	})
	w.told(n, shm.Now())
	o.agreed(t, n, patience)
}

// TestWeatherClock sets the clock of a running server back by a day, and those
// of two agents: ends, renewals and revocations are on a clock that nobody sets.
func TestWeatherClock(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 || runtime.GOARCH != "amd64" {
		t.Skip("needs root, on amd64")
	}
	s := newSite(t, "sqlite", short...)
	o, cut, k := s.enrolled(t), s.enrolled(t), s.sky(t)
	cut.via(k.url)
	w := o.witness(t)
	cut.witness(t)
	agents := []*process{o.unattended(t), cut.unattended(t)}
	n, last := o.agreed(t, 0, patience), cut.agreed(t, 0, patience)
	for _, p := range append(agents, s.server) {
		p.setBack(t)
	}
	gone := errors.New("the server is away")
	no := func(context.Context, *websocket.Conn, message) error { return gone }
	k.turn(no, no)

	n = o.agreed(t, n, lifetime)
	w.always()
	for _, p := range append(agents, s.server) {
		eventually(t, p.name+" believes that it is yesterday", func() bool {
			return p.log.find(0, func(line string) bool {
				at := loggedAt(line)
				return !at.IsZero() && time.Since(at) > 23*time.Hour
			}) != ""
		})
	}
	if r := s.admin(t, "key", "revoke", o.id, fmt.Sprint(n)); r.code != 0 {
		t.Fatal(r.err)
	}
	w.told(n, shm.Now())
	o.agreed(t, n, patience)

	within(t, lifetime+slack, "the key of the one that was cut off ends", func() bool { return !cut.usable(last) })
	within(t, slack, "its bytes are wiped", func() bool { return cut.wiped(t, last) })
}

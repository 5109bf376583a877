package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/server/keyservice"
	"hufu/server/session"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// operate asks for an operation and decodes its result.
func operate[R any, P interface {
	*R
	wire.Result
}](p *peer, o wire.Operation) *R {
	p.Helper()
	doc, code := p.administer(must(wire.EncodeOperation(o))(p.T))
	if code != wire.CodeOK {
		p.Fatalf("%s: %v", o.Op(), code)
	}
	var r R
	if err := wire.DecodeResult(doc, P(&r)); err != nil {
		p.Fatalf("%s: %v", o.Op(), err)
	}
	return &r
}

// refused asks for an operation that must be refused.
func (p *peer) refused(o wire.Operation, want wire.Code) {
	p.Helper()
	if _, code := p.administer(must(wire.EncodeOperation(o))(p.T)); code != want {
		p.Errorf("%s: %v, want %v", o.Op(), code, want)
	}
}

func (p *peer) administer(doc []byte) ([]byte, wire.Code) {
	p.Helper()
	reply, _ := p.ask(&wire.Administer{Doc: doc})
	if ok, is := reply.(*wire.AdministerOK); is {
		return ok.Doc, wire.CodeOK
	}
	return nil, reply.Head().Code
}

// event takes the next message, which must be an event.
func (p *peer) event() wire.EventRow {
	p.Helper()
	m, err := p.next()
	e, is := m.(*wire.Event)
	if err != nil || !is {
		p.Fatalf("%v, %v; want an event", m, err)
	}
	var row wire.EventRow
	if err := wire.DecodeResult(e.Doc, &row); err != nil {
		p.Fatal(err)
	}
	return row
}

// TestSealedToken: a new token travels under the key that was negotiated and
// verified on this connection, for one reply of it, and for nothing else.
func TestSealedToken(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	token := c.enrol(t, "op", wire.RoleOperator)
	p := c.connect(t, token)
	before := c.history(t)
	p.refused(&wire.Enrol{ID: "new", Role: wire.RoleOutlet}, wire.CodeNoSealKey)
	n := p.negotiate()
	p.refused(&wire.Enrol{ID: "new", Role: wire.RoleOutlet}, wire.CodeNoSealKey) // not verified
	if _, _, err := c.store.Store.Outlet(t.Context(), "new"); !errors.Is(err, keyservice.ErrNoOutlet) || c.history(t) != before+1 {
		t.Errorf("without a key to seal under something was done: %v", err)
	}
	if reply, _ := p.ask(p.verifyMessage(n)); reply.Head().Refused {
		t.Fatal(reply.Head())
	}
	got := operate[wire.EnrolledOK](p, &wire.Enrol{ID: "new", Role: wire.RoleOutlet})
	if got.ID != "new" || got.Role != wire.RoleOutlet || got.Epoch != 1 || got.Seckeyid != n {
		t.Errorf("%+v", got)
	}
	number, request, seal := p.p-1, p.asked[p.q], &p.held[n].Seal
	ascii, err := seal.OpenToken(p.keys, got.Sealed, number, request)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := wire.DecodeToken(string(ascii))
	if err != nil || fresh.ClientID != "new" || fresh.Epoch != 1 {
		t.Fatal(fresh, err)
	}
	c.connect(t, fresh).active()

	// It opens nowhere else.
	other := c.connect(t, token)
	m := other.active() // which retires the first connection's key
	for what, open := range map[string]func() ([]byte, error){
		"another p":          func() ([]byte, error) { return seal.OpenToken(p.keys, got.Sealed, number+1, request) },
		"another request":    func() ([]byte, error) { return seal.OpenToken(p.keys, got.Sealed, number, p.asked[p.q-1]) },
		"another connection": func() ([]byte, error) { return seal.OpenToken(other.keys, got.Sealed, number, request) },
		"another key":        func() ([]byte, error) { return other.held[m].Seal.OpenToken(p.keys, got.Sealed, number, request) },
		"a changed byte": func() ([]byte, error) {
			changed := slices.Clone(got.Sealed)
			changed[len(changed)/2] ^= 1
			return seal.OpenToken(p.keys, changed, number, request)
		},
	} {
		if _, err := open(); !errors.Is(err, kex.ErrSealed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if bytes.Contains(got.Sealed, ascii) || bytes.Contains([]byte(c.log.String()), ascii) {
		t.Error("the token stands in the reply or in the log")
	}
	// The key was retired from elsewhere: nothing is sealed under it, and the
	// key of another connection is not this one's.
	if push := p.pushed(); push.Seckeyid != n || push.State != wire.StateRetired {
		t.Errorf("%v", push)
	}
	p.refused(&wire.NewSecret{ID: "new"}, wire.CodeNoSealKey)
	again := operate[wire.EnrolledOK](other, &wire.NewSecret{ID: "new", Cut: true, Epoch: 1})
	if again.Epoch != 2 || again.Seckeyid != m {
		t.Errorf("%+v", again)
	}
	// Tokens of one connection have each their place.
	twice := operate[wire.EnrolledOK](other, &wire.NewSecret{ID: "new"})
	if _, err := other.held[m].Seal.OpenToken(other.keys, again.Sealed, other.p-1, other.asked[other.q]); !errors.Is(err, kex.ErrSealed) {
		t.Errorf("an earlier token in a later reply's place: %v", err)
	}
	if _, err := other.held[m].Seal.OpenToken(other.keys, twice.Sealed, other.p-1, other.asked[other.q]); err != nil {
		t.Error(err)
	}
}

// TestSealedUnderTheChosen: the key is chosen before anything is done, and used
// even if it ends before the commit.
func TestSealedUnderTheChosen(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	p := c.connect(t, c.enrol(t, "op", wire.RoleOperator))
	n := p.active()
	beside := must(keyservice.New(keyservice.Config{ServerID: serverID}, c.store.Store, c.ring))(t)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { beside.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	var once sync.Once
	c.store.set(nil, 0, func() { // right before the enrolment is written
		once.Do(func() {
			if err := beside.RevokeKey(ctx, "op", n, wire.ReasonKeyCompromised, ""); err != nil {
				t.Error(err)
			}
		})
	})
	got := operate[wire.EnrolledOK](p, &wire.Enrol{ID: "new", Role: wire.RoleOutlet})
	if _, err := p.held[n].Seal.OpenToken(p.keys, got.Sealed, p.p-1, p.asked[p.q]); err != nil || got.Seckeyid != n {
		t.Errorf("%v, under %d, want %d", err, got.Seckeyid, n)
	}
	if push := p.pushed(); push.Seckeyid != n || push.State != wire.StateRevoked {
		t.Errorf("%v", push)
	}
	p.refused(&wire.NewSecret{ID: "new"}, wire.CodeNoSealKey)
}

// TestNotPermitted: what a role may not do is refused before its document is
// read or right after its name is, done by nobody, and recorded.
func TestNotPermitted(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	operator, auditor, outlet := c.connect(t, c.enrol(t, "op", wire.RoleOperator)), c.connect(t, c.enrol(t, "au", wire.RoleAuditor)), c.connect(t, c.enrol(t, "o", wire.RoleOutlet))
	n := outlet.active()
	auditor.active()
	acts := []wire.Operation{&wire.Enrol{ID: "x", Role: wire.RoleOperator}, &wire.NewSecret{ID: "o", Cut: true}, &wire.Enable{ID: "o"},
		&wire.Disable{ID: "o"}, &wire.RevokeOf{Outlet: "o", Seckeyid: n}, &wire.RevokeOf{Outlet: "au", Seckeyid: 1}}
	reads := []wire.Operation{&wire.Events{Limit: 5}, &wire.KeyOf{Outlet: "o", Seckeyid: n}, &wire.Watch{}, &wire.Unwatch{},
		&wire.Overview{}, &wire.Outlets{Limit: 5}, &wire.OutletOf{ID: "o"}}
	var want []string
	for _, o := range slices.Concat(acts, reads) {
		outlet.refused(o, wire.CodeNotPermitted)
		want = append(want, "o administer")
	}
	for _, doc := range [][]byte{nil, []byte("x"), []byte("\x81\xa2op\xa5enrol")} {
		if _, code := outlet.administer(doc); code != wire.CodeNotPermitted {
			t.Errorf("an outlet's %q: %v", doc, code)
		}
		want = append(want, "o administer")
	}
	for _, o := range acts {
		auditor.refused(o, wire.CodeNotPermitted)
		want = append(want, "au "+string(o.Op()))
	}
	// By its name alone, whatever else is in it.
	if _, code := auditor.administer([]byte("\x82\xa2op\xa5enrol\xa1x\x01")); code != wire.CodeNotPermitted {
		t.Errorf("an auditor's broken enrol: %v", code)
	}
	want = append(want, "au enrol")
	for _, o := range reads {
		auditor.refused(o, wire.CodeOK)
	}
	for _, p := range []*peer{auditor, operator} {
		for _, doc := range []string{"", "\x80", "\x81\xa2op\xa4boom", "\x81\xa2op\x01", "\x82\xa2op\xa5watch\xa1x\x01", "\x81\xa2op\xa7outlets",
			"\x82\xa2op\xa5watch\xa2op\xa5watch", "\x82\xa2op\xa7outlets\xa5limit\x00"} {
			if _, code := p.administer([]byte(doc)); code != wire.CodeBadBody {
				t.Errorf("%s's %q: %v", p.token.ClientID, doc, code)
			}
		}
	}
	var got []string
	for _, r := range slices.Backward(must(c.store.Events(t.Context(), keyservice.EventQuery{Kinds: []keyservice.Kind{keyservice.KindRefused}, Limit: 100}))(t)) {
		got = append(got, r.Outlet+" "+r.Note)
		if r.By != r.Outlet {
			t.Errorf("recorded as by %q", r.By)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("recorded\n%q, want\n%q", got, want)
	}
	if o, _, err := c.store.Store.Outlet(t.Context(), "o"); err != nil || o.Disabled || o.LastEpoch != 1 {
		t.Errorf("something was done: %+v, %v", o, err)
	}
}

// TestActs: what an operator does is done, under its name, and its answers tell
// whether anything changed.
func TestActs(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	p, outlet := c.connect(t, c.enrol(t, "op", wire.RoleOperator)), c.connect(t, c.enrol(t, "o", wire.RoleOutlet))
	n, own := outlet.active(), p.active()
	since := c.history(t)
	changed := func(o wire.Operation, want bool) {
		t.Helper()
		if got := operate[wire.ChangedOK](p, o); got.Changed != want {
			t.Errorf("%s: changed %v", o.Op(), got.Changed)
		}
	}
	changed(&wire.RevokeOf{Outlet: "o", Seckeyid: n, Reason: 200, Note: "found in a drawer"}, true)
	changed(&wire.RevokeOf{Outlet: "o", Seckeyid: n, Reason: 2}, false)
	if push := outlet.pushed(); push.Seckeyid != n || push.State != wire.StateRevoked || push.Reason != 200 {
		t.Errorf("%v", push)
	}
	p.refused(&wire.RevokeOf{Outlet: "o", Seckeyid: n + 1}, wire.CodeNoKey)
	p.refused(&wire.RevokeOf{Outlet: "nobody", Seckeyid: 1}, wire.CodeNoKey)
	key := operate[wire.KeyOK](p, &wire.KeyOf{Outlet: "o", Seckeyid: n})
	last := key.Steps[len(key.Steps)-1]
	if len(key.Steps) != 3 || last.State != wire.StateRevoked || last.By != "op" || last.Note != "found in a drawer" || last.Reason != 200 || key.Row.By != "op" {
		t.Errorf("%+v", key)
	}
	p.refused(&wire.KeyOf{Outlet: "o", Seckeyid: n + 1}, wire.CodeNoKey)
	changed(&wire.Disable{ID: "o"}, true)
	outlet.closes(websocket.StatusPolicyViolation)
	changed(&wire.Disable{ID: "o"}, false)
	changed(&wire.Enable{ID: "o"}, true)
	changed(&wire.Enable{ID: "o"}, false)
	p.refused(&wire.Disable{ID: "op"}, wire.CodeBadBody) // it could not undo it
	p.refused(&wire.Disable{ID: "nobody"}, wire.CodeNoKey)
	p.refused(&wire.Enable{ID: "nobody"}, wire.CodeNoKey)
	p.refused(&wire.Enrol{ID: "o", Role: wire.RoleOutlet}, wire.CodeBadBody)
	p.refused(&wire.NewSecret{ID: "nobody"}, wire.CodeNoKey)

	// A stale view does nothing.
	if got := operate[wire.EnrolledOK](p, &wire.NewSecret{ID: "o", Epoch: 1}); got.Epoch != 2 || got.Sealed == nil || got.Seckeyid != own {
		t.Errorf("%+v", got)
	}
	if got := operate[wire.EnrolledOK](p, &wire.NewSecret{ID: "o", Epoch: 1, Cut: true}); got.Epoch != 2 || got.Sealed != nil || got.Seckeyid != 0 || got.Role != wire.RoleOutlet {
		t.Errorf("stale: %+v", got)
	}
	if got := operate[wire.EnrolledOK](p, &wire.NewSecret{ID: "o", Epoch: 2, Cut: true}); got.Epoch != 3 {
		t.Errorf("%+v", got)
	}
	rows := must(c.store.Events(t.Context(), keyservice.EventQuery{Limit: 100}))(t)
	var did []string
	for _, r := range slices.Backward(rows[:len(rows)-since]) {
		if r.By == "op" {
			did = append(did, fmt.Sprint(r.Kind, " ", r.Outlet))
		}
	}
	if want := []string{"revoked o", "disabled o", "enabled o", "new-secret o", "cut o"}; !slices.Equal(did, want) {
		t.Errorf("recorded as the operator's: %q, want %q", did, want)
	}
}

// TestWatch: events come after the reply, in the order in which they become
// visible, from any number on, until unwatch.
func TestWatch(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{})
	p := c.connect(t, c.enrol(t, "op", wire.RoleOperator))
	from := operate[wire.WatchOK](p, &wire.Watch{}).N
	if newest := must(c.store.Events(t.Context(), keyservice.EventQuery{Limit: 1}))(t)[0].N; from != newest {
		t.Errorf("watching from %d, the newest is %d", from, newest)
	}
	for i := range 3 {
		must(c.Enrol(t.Context(), fmt.Sprint("o", i), wire.RoleOutlet))(t)
	}
	for i := range 3 {
		e := p.event()
		if e.Kind != "enrolled" || e.Outlet != fmt.Sprint("o", i) || e.N != from+uint64(i)+1 || e.Settled != nil && *e.Settled > e.N {
			t.Errorf("%+v", e)
		}
	}
	// What was before comes first when it is asked for.
	since := from + 1
	again := c.connect(t, p.token)
	if n := operate[wire.WatchOK](again, &wire.Watch{Since: &since}).N; n != from+3 {
		t.Errorf("watching from %d, want %d", n, from+3)
	}
	must(c.Enrol(t.Context(), "o3", wire.RoleOutlet))(t)
	for i := 1; i < 4; i++ {
		if e := again.event(); e.Outlet != fmt.Sprint("o", i) {
			t.Errorf("%+v, want o%d", e, i)
		}
	}
	p.event()
	operate[wire.UnwatchOK](p, &wire.Unwatch{})
	must(c.Enrol(t.Context(), "o4", wire.RoleOutlet))(t)
	if e := again.event(); e.Outlet != "o4" {
		t.Errorf("%+v", e)
	}
	p.alive() // fails on an event
	// Nothing to make up for: a number that has not been given out, or one too far back.
	beyond := from + 1000
	operate[wire.WatchOK](again, &wire.Watch{Since: &beyond})
	if e := again.event(); e.Kind != wire.EventLost || e.N != from+5 {
		t.Errorf("%+v, want lost", e)
	}
	must(c.Enrol(t.Context(), "o5", wire.RoleOutlet))(t)
	if e := again.event(); e.Outlet != "o5" {
		t.Errorf("after lost: %+v", e)
	}
	// Those who are shut out hear no more.
	if err := c.SetDisabled(t.Context(), "op", true); err != nil {
		t.Fatal(err)
	}
	p.closes(websocket.StatusPolicyViolation)
	for {
		if _, err := again.next(); err != nil {
			break
		}
	}
	if code := websocket.CloseStatus(errOf(again)); code != -1 && code != websocket.StatusPolicyViolation {
		t.Errorf("closed with %d", code)
	}
}

func errOf(p *peer) error {
	_, err := p.next()
	return err
}

// TestWatcherTooSlow: a watcher that does not read holds up neither the
// follower, nor the others, and is told that events are lost.
func TestWatcherTooSlow(t *testing.T) {
	c := newCentre(t, session.Limits{}, session.Tuning{Write: 5 * time.Minute, Idle: 5 * time.Minute})
	slow, err := c.tryDial(t, c.enrol(t, "slow", wire.RoleAuditor), &websocket.DialOptions{HTTPClient: narrow()})
	if err != nil {
		t.Fatal(err)
	}
	slow.open()
	quick := c.connect(t, c.enrol(t, "quick", wire.RoleOperator))
	operate[wire.WatchOK](slow, &wire.Watch{})
	operate[wire.WatchOK](quick, &wire.Watch{})
	const each, rounds = 500, 12
	for i := range rounds {
		change := &keyservice.Change{Outlet: "o", Decide: func(l *keyservice.Ledger) error {
			for range each {
				l.Writes.Changes = append(l.Writes.Changes, keyservice.ChangeRow{At: time.Now().UTC().Truncate(time.Millisecond),
					Kind: keyservice.KindRefused, Outlet: "o", Note: fmt.Sprintf("%0150d", i)})
			}
			return nil
		}}
		if err := c.store.Apply(t.Context(), []*keyservice.Change{change}); err != nil || change.Err != nil {
			t.Fatal(err, change.Err)
		}
		for range each {
			if e := quick.event(); e.Kind == wire.EventLost {
				t.Fatal("the one that reads has lost events")
			}
		}
	}
	lost := false
	var last uint64
	for newest := c.newest(t); last < newest && !lost; {
		e := slow.event()
		lost = e.Kind == wire.EventLost
		last = e.N
	}
	if !lost {
		t.Error("the one that did not read was not told that it lost events")
	}
	slow.alive()
}

func (c *centre) newest(t *testing.T) uint64 {
	return must(c.store.Events(t.Context(), keyservice.EventQuery{Limit: 1}))(t)[0].N
}

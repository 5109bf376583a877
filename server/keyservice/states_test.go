package keyservice_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hufu/shared/wire"
)

// TestStateTable is the table of §8: every state, and what verify and revoke
// answer and do in it.
func TestStateTable(t *testing.T) {
	c := newCentre(t)
	other := c.enrol(t, "other", wire.RoleOutlet)
	for range 9 {
		other.active()
	}
	const match, mismatch, revoke = "match", "mismatch", "revoke"
	type want struct {
		code    wire.Code
		state   wire.State // afterwards; 0: no such key of this client
		kept    bool       // the material
		changes []string   // %d is the key
	}
	var (
		gone    = func(code wire.Code, state wire.State) want { return want{code: code, state: state} }
		revoked = want{state: wire.StateRevoked, changes: []string{"revoked %d reason 3"}}
	)
	outlets := 0
	for _, row := range []struct {
		name    string
		prepare func(o *client) uint64
		want    map[string]want
	}{
		{"pending", (*client).negotiate, map[string]want{
			match:    {wire.CodeOK, wire.StateActive, true, []string{"verified %d"}},
			mismatch: {wire.CodeMismatch, wire.StateExpired, false, []string{"mismatch %d", "expired %d reason 1"}},
			revoke:   revoked,
		}},
		{"pending 59.999 s", func(o *client) uint64 {
			n := o.negotiate()
			o.advance(59999 * time.Millisecond)
			return n
		}, map[string]want{
			match:    {wire.CodeOK, wire.StateActive, true, []string{"verified %d"}},
			mismatch: {wire.CodeMismatch, wire.StateExpired, false, []string{"mismatch %d", "expired %d reason 1"}},
			revoke:   revoked,
		}},
		{"pending 60 s", func(o *client) uint64 {
			n := o.negotiate()
			o.advance(60 * time.Second)
			return n
		}, map[string]want{
			match:    {code: wire.CodeExpired, state: wire.StateExpired, changes: []string{"expired %d reason 1"}},
			mismatch: {code: wire.CodeExpired, state: wire.StateExpired, changes: []string{"expired %d reason 1"}},
			revoke:   {code: wire.CodeExpired, state: wire.StateExpired, changes: []string{"expired %d reason 1"}},
		}},
		{"active", (*client).active, map[string]want{
			match:    {code: wire.CodeOK, state: wire.StateActive, kept: true},
			mismatch: {wire.CodeMismatch, wire.StateActive, true, []string{"mismatch %d"}},
			revoke:   revoked,
		}},
		{"retired", func(o *client) uint64 {
			n := o.active()
			o.active()
			return n
		}, map[string]want{
			match:    {code: wire.CodeOK, state: wire.StateRetired, kept: true},
			mismatch: {wire.CodeMismatch, wire.StateRetired, true, []string{"mismatch %d"}},
			revoke:   revoked,
		}},
		{"expired", func(o *client) uint64 {
			n := o.negotiate()
			o.verify(n, false)
			return n
		}, map[string]want{
			match:    gone(wire.CodeExpired, wire.StateExpired),
			mismatch: gone(wire.CodeExpired, wire.StateExpired),
			revoke:   gone(wire.CodeExpired, wire.StateExpired),
		}},
		{"revoked", func(o *client) uint64 {
			n := o.active()
			if err := o.revoke(n, wire.ReasonKeyCompromised); err != nil {
				o.Fatal(err)
			}
			return n
		}, map[string]want{
			match:    gone(wire.CodeRevoked, wire.StateRevoked),
			mismatch: gone(wire.CodeRevoked, wire.StateRevoked),
			revoke:   gone(wire.CodeOK, wire.StateRevoked), // no event, and the first reason stays
		}},
		{"absent", func(*client) uint64 { return 99 }, map[string]want{
			match: gone(wire.CodeNoKey, 0), mismatch: gone(wire.CodeNoKey, 0), revoke: gone(wire.CodeNoKey, 0),
		}},
		{"another's", func(o *client) uint64 {
			o.held[9] = other.held[9] // even who holds the very key
			return 9
		}, map[string]want{
			match: gone(wire.CodeNoKey, 0), mismatch: gone(wire.CodeNoKey, 0), revoke: gone(wire.CodeNoKey, 0),
		}},
	} {
		for _, op := range []string{match, mismatch, revoke} {
			t.Run(row.name+"/"+op, func(t *testing.T) {
				outlets++
				o := c.enrol(t, fmt.Sprintf("outlet-%d", outlets), wire.RoleOutlet)
				n := row.prepare(o)
				before, reason := o.last(), o.key(n).Reason
				var got wire.Code
				var state wire.State
				var err error
				switch op {
				case match, mismatch:
					state, err = o.verify(n, op == match)
				default:
					err = o.revoke(n, wire.ReasonOutletClosed)
				}
				got = code(t, err)
				want := row.want[op]
				key := o.key(n)
				if got != want.code || key.State != want.state {
					t.Errorf("answered %v and left it %v, want %v and %v", got, key.State, want.code, want.state)
				}
				if op == match && got == wire.CodeOK && state != want.state {
					t.Errorf("verify ok says %v, want %v", state, want.state)
				}
				if kept := o.hasMaterial(n); kept != want.kept {
					t.Errorf("material kept: %v, want %v", kept, want.kept)
				}
				var changes []string
				for _, form := range want.changes {
					changes = append(changes, fmt.Sprintf(form, n))
				}
				if got := brief(o.changes(before)); !slices.Equal(got, changes) {
					t.Errorf("recorded %q, want %q", got, changes)
				}
				if row.name == "revoked" && key.Reason != reason {
					t.Errorf("reason %v, want the first, %v", key.Reason, reason)
				}
			})
		}
	}
	if got := other.key(9).State; got != wire.StateExpired && got != wire.StateActive {
		t.Errorf("the other's key was touched: %v", got)
	}
}

// TestActivation: the older active key retires, pending ones with lower
// numbers expire, higher ones stay.
func TestActivation(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	old := o.active()
	low, mid := o.negotiate(), o.negotiate()
	before := o.last()
	if state, err := o.verify(mid, true); err != nil || state != wire.StateActive {
		t.Fatal(state, err)
	}
	want := []string{fmt.Sprintf("retired %d reason 4", old), fmt.Sprintf("expired %d reason 4", low), fmt.Sprintf("verified %d", mid)}
	if got := brief(o.changes(before)); !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
	if o.hasMaterial(low) || !o.hasMaterial(old) || !o.hasMaterial(mid) {
		t.Error("material: the expired one's goes, the retired and the active one's stay")
	}

	// A lower pending one that is verified late does not come back.
	first, second := o.negotiate(), o.negotiate()
	o.verify(second, true)
	if _, err := o.verify(first, true); code(t, err) != wire.CodeExpired {
		t.Errorf("the lower one: %v", err)
	}
	// Higher pending ones are left alone.
	first, second = o.negotiate(), o.negotiate()
	o.verify(first, true)
	if got := o.key(second).State; got != wire.StatePending {
		t.Errorf("the higher one is %v", got)
	}
	// A retired key is never active again.
	if state, err := o.verify(mid, true); err != nil || state != wire.StateRetired {
		t.Errorf("verify of the retired one: %v, %v", state, err)
	}
	if got := o.key(first).State; got != wire.StateActive {
		t.Errorf("the active one has become %v", got)
	}
}

func TestThirdPendingExpiresTheOldest(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	active := o.active()
	var n [5]uint64
	for i := range n {
		n[i] = o.negotiate()
		o.advance(time.Second)
	}
	for i, want := range []wire.State{wire.StateExpired, wire.StateExpired, wire.StateExpired, wire.StatePending, wire.StatePending} {
		if k := o.key(n[i]); k.State != want || want == wire.StateExpired && (k.Reason != wire.ReasonSuperseded || o.hasMaterial(n[i])) {
			t.Errorf("pending key %d of five: %v, reason %v, want %v", i, k.State, k.Reason, want)
		}
	}
	if o.key(active).State != wire.StateActive {
		t.Error("negotiating has touched the active key")
	}
	if _, err := o.verify(n[3], true); err != nil {
		t.Errorf("the second newest: %v", err)
	}
}

func TestNumbersGrow(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	seen := uint64(0)
	for i := range 12 {
		n, err := o.tryNegotiate()
		switch {
		case err != nil:
			t.Fatal(err)
		case n <= seen:
			t.Fatalf("number %d after %d", n, seen)
		}
		seen = n
		switch i % 4 { // whatever becomes of the key
		case 0:
			o.verify(n, false)
		case 1:
			o.revoke(n, 1)
		case 2:
			c.advance(2 * lifetime)
		}
		bad := &wire.Negotiate{RequestHead: o.head()} // shares of zeros
		if _, err := o.Negotiate(t.Context(), o.peer, bad); code(t, err) != wire.CodeBadBody {
			t.Fatalf("a share of zeros: %v", err)
		}
		c.store.set(errStore, nil, nil)
		if _, err := o.tryNegotiate(); code(t, err) != wire.CodeInternal {
			t.Fatalf("a failing store: %v", err)
		}
		c.store.set(nil, nil, nil)
	}
	// Another connection, and another process, go on.
	again := c.connect(t, o.token)
	if n := again.negotiate(); n <= seen {
		t.Errorf("another connection got %d after %d", n, seen)
	}
	second := openCentre(t, c.path, c.ring)
	second.ms.Store(c.ms.Load())
	second.start(t, second.RunWriter)
	if n := second.connect(t, o.token).negotiate(); n <= seen+1 {
		t.Errorf("another process got %d", n)
	}
}

func TestBadShares(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	o.negotiate()
	before := o.last()
	for name, spoil := range map[string]func(m *wire.Negotiate){
		"an ML-KEM coefficient out of range": func(m *wire.Negotiate) { m.Share[0], m.Share[1] = 0xff, 0xff },
		"X25519 of low order":                func(m *wire.Negotiate) { clear(m.Share[wire.SizeEK:]) },
	} {
		m := &wire.Negotiate{RequestHead: o.head()}
		i := must(newInitiator())(t)
		i.Offer(m)
		spoil(m)
		if _, err := c.Negotiate(t.Context(), o.peer, m); code(t, err) != wire.CodeBadBody {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := o.changes(before); len(got) != 0 {
		t.Errorf("recorded %q", brief(got))
	}
}

package keyservice_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// TestEnds: when a key of each state ends, why, and that `ended` is the end
// itself, however late it was applied.
func TestEnds(t *testing.T) {
	c := newCentre(t)
	for i, test := range []struct {
		name    string
		prepare func(o *client) uint64
		after   time.Duration // its end, from now
		reason  wire.Reason
	}{
		{"pending", (*client).negotiate, time.Minute, wire.ReasonRoutine},
		{"active", (*client).active, lifetime, wire.ReasonRoutine},
		{"retired, grace first", func(o *client) uint64 {
			n := o.active()
			o.active()
			return n
		}, grace, wire.ReasonSuperseded},
		{"retired, lifetime first", func(o *client) uint64 {
			n := o.active()
			o.advance(lifetime - grace/2)
			o.active()
			return n
		}, grace / 2, wire.ReasonRoutine},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := c.enrol(t, fmt.Sprintf("outlet-%d", i), wire.RoleOutlet)
			n := test.prepare(o)
			end := c.now().Add(test.after)

			c.advance(test.after - time.Millisecond)
			must(c.Service.Keys(t.Context(), keyservice.KeyQuery{Limit: 1}))(t) // applies what has ended
			if k := o.key(n); k.State > wire.StateRetired || !o.hasMaterial(n) {
				t.Fatalf("a millisecond before its end it is %v", k.State)
			}
			c.advance(time.Millisecond + 7*time.Second)
			must(c.Service.Keys(t.Context(), keyservice.KeyQuery{Limit: 1}))(t)
			k := o.key(n)
			if k.State != wire.StateExpired || !k.Ended.Equal(end) || k.Reason != test.reason || k.By != "" || o.hasMaterial(n) {
				t.Errorf("%v, ended %v, reason %v, by %q; want expired, %v, %v, by the server", k.State, k.Ended, k.Reason, k.By, end, test.reason)
			}
			if !k.Expires.Equal(k.Negotiated.Add(lifetime)) {
				t.Errorf("expires %v, negotiated %v", k.Expires, k.Negotiated)
			}
			if got := o.changes(o.last() - 1); !got[0].At.Equal(end) || got[0].Kind != keyservice.KindExpired {
				t.Errorf("the change says %v at %v, want %v", got[0].Kind, got[0].At, end)
			}
		})
	}
}

// TestEndsBeforeAnyReply: no sweeper runs, and yet no answer counts on a key
// that has ended.
func TestEndsBeforeAnyReply(t *testing.T) {
	c := newCentre(t)
	answers := map[string]func(o *client, n uint64) error{
		"verify":    func(o *client, n uint64) error { _, err := o.verify(n, true); return err },
		"revoke":    func(o *client, n uint64) error { return o.revoke(n, 1) },
		"negotiate": func(o *client, _ uint64) error { _, err := o.tryNegotiate(); return err },
		"receipt":   func(o *client, n uint64) error { return o.receipt(n, wire.StateExpired) },
		"view": func(o *client, _ uint64) error {
			_, err := o.View(o.Context(), o.peer, &wire.View{RequestHead: o.head(), Limit: 10})
			return err
		},
		"another's view": func(o *client, _ uint64) error {
			p := *o.peer
			p.Role = wire.RoleAuditor
			_, err := o.View(o.Context(), &p, &wire.View{RequestHead: o.head(), Limit: 10})
			return err
		},
	}
	want := map[string]wire.Code{"verify": wire.CodeExpired, "revoke": wire.CodeExpired}
	i := 0
	for name, answer := range answers {
		i++
		o := c.enrol(t, fmt.Sprintf("outlet-%d", i), wire.RoleOutlet)
		n := o.active()
		end := c.now().Add(lifetime)
		c.advance(lifetime)
		if err := answer(o, n); code(t, err) != want[name] {
			t.Errorf("%s: %v", name, err)
		}
		if k := o.key(n); k.State != wire.StateExpired || !k.Ended.Equal(end) || o.hasMaterial(n) {
			t.Errorf("after %s it is %v, ended %v", name, k.State, k.Ended)
		}
	}
}

func TestSweeper(t *testing.T) {
	c := openCentre(t, migrated(t), newRing(t))
	c.run(t)
	const outlets = 260 // more than one page
	all := make([]*client, outlets)
	turns := make(chan struct{}, 100) // of more than 256 negotiations at once some are refused
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			token, err := c.Enrol(t.Context(), fmt.Sprintf("outlet-%d", i), wire.RoleOutlet)
			if err != nil {
				t.Error(err)
				return
			}
			all[i] = c.connect(t, token)
			if _, err := all[i].tryNegotiate(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c.advance(time.Minute)
	began := time.Now()
	waitFor(t, soon, "every key to expire", func() bool {
		due := must(c.store.Due(t.Context(), c.now(), 1))(t)
		return len(due) == 0
	})
	t.Logf("%d keys had ended after %v", outlets, time.Since(began))
}

func TestReceipts(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	other := c.enrol(t, "other", wire.RoleOutlet)
	expired, revoked, active := o.negotiate(), o.active(), uint64(0)
	o.verify(expired, false)
	if err := o.revoke(revoked, 2); err != nil {
		t.Fatal(err)
	}
	active = o.active()
	pending := o.negotiate()
	for _, test := range []struct {
		name  string
		from  *client
		n     uint64
		state wire.State
		want  wire.Code
	}{
		{"expired", o, expired, wire.StateExpired, wire.CodeOK},
		{"revoked", o, revoked, wire.StateRevoked, wire.CodeOK},
		{"expired, said to be revoked", o, expired, wire.StateRevoked, wire.CodeBadBody},
		{"revoked, said to be expired", o, revoked, wire.StateExpired, wire.CodeBadBody},
		{"active, said to be expired", o, active, wire.StateExpired, wire.CodeBadBody},
		{"active, as active", o, active, wire.StateActive, wire.CodeBadBody},
		{"pending, as pending", o, pending, wire.StatePending, wire.CodeBadBody},
		{"absent", o, 99, wire.StateRevoked, wire.CodeNoKey},
		{"another's", other, revoked, wire.StateRevoked, wire.CodeNoKey},
	} {
		if got := code(t, test.from.receipt(test.n, test.state)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	first := o.key(revoked).Receipt
	before := o.last()
	c.advance(time.Second)
	o.peer.Conn = "c2"
	if err := o.receipt(revoked, wire.StateRevoked); err != nil {
		t.Errorf("again: %v", err)
	}
	if again := o.key(revoked).Receipt; first.IsZero() || !again.Equal(first) {
		t.Errorf("the receipt is of %v, then of %v", first, again)
	}
	if got := o.changes(before); len(got) != 0 {
		t.Errorf("the second receipt is recorded: %q", brief(got))
	}
	if got, err := c.Unreceipted(t.Context(), "o"); err != nil || len(got) != 0 {
		t.Errorf("without a receipt: %v, %v", got, err)
	}
}

func TestUnreceipted(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleOutlet)
	var all []uint64
	for range 70 {
		n := o.negotiate()
		all = append(all, n)
		if err := o.revoke(n, wire.Reason(n)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []uint64{all[69], all[30]} {
		if err := o.receipt(n, wire.StateRevoked); err != nil {
			t.Fatal(err)
		}
	}
	got := must(c.Unreceipted(t.Context(), "o"))(t)
	var want []keyservice.Revoked
	for i := 68; len(want) < 64; i-- {
		if i != 30 {
			want = append(want, keyservice.Revoked{Seckeyid: all[i], Reason: wire.Reason(all[i])})
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// soon bounds every wait for something that has to happen: a second, and what
// a busy machine adds.
const soon = 30 * time.Second

// waitFor waits until done, or fails.
func waitFor(t *testing.T, within time.Duration, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v for %s", within, what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

const (
	pending = uint64(wire.StatePending)
	current = uint64(wire.StateActive)
	retired = uint64(wire.StateRetired)
)

// keep runs a test of the keeper, on its own time.
func keep(t *testing.T, f func(t *testing.T, o *outlet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newOutlet(t)) })
}

func TestFirstKeyIsCurrentAtOnce(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		if needed, _ := o.keeper.NeedsKey(); !needed {
			t.Error("no key is needed")
		}
		out := o.negotiate()
		o.want(1, current)
		o.wantCurrent(1)
		if out.State != wire.StateActive || out.FP != o.fingerprint(1) || out.NotAfter-out.NotBefore != 24*time.Hour {
			t.Errorf("got %+v", out)
		}
		if needed, _ := o.keeper.NeedsKey(); needed {
			t.Error("a key is needed")
		}
	})
}

// TestSwitch: the older key stays current for the delay, and its grace counts
// from sending the verify that retired it.
func TestSwitch(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		time.Sleep(time.Hour)
		sent := o.keeper.o.Clock()
		o.instead(func(p *peer, m wire.Request) bool {
			if m.Cmd() == wire.CmdVerify {
				time.Sleep(2 * time.Second)
			}
			return false
		})
		begin := time.Now()
		o.negotiate()
		verified := time.Since(begin)
		o.want(2, pending, 1, current)
		if got, want := o.ends(1), sent+time.Hour; got != want {
			t.Errorf("the older key ends at %v, want %v", got, want)
		}
		synctest.Wait() // the push of its retirement changes nothing
		o.want(2, pending, 1, current)
		time.Sleep(switchDelay - time.Millisecond)
		o.wantCurrent(1)
		if err := o.keeper.Settle(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin) - verified; took != switchDelay {
			t.Errorf("the switch came after %v", took)
		}
		o.want(2, current, 1, retired)
		o.wantCurrent(2)
		time.Sleep(time.Hour - 7*time.Second - time.Millisecond)
		o.want(2, current, 1, retired)
		time.Sleep(time.Millisecond)
		o.want(2, current)
	})
}

func TestSettleEndsWithItsContext(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.negotiate()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantErr(t, o.keeper.Settle(ctx), context.DeadlineExceeded)
		o.keeper.Close()
		time.Sleep(time.Minute)
		o.want(2, pending, 1, current)
	})
}

// TestTwoSwitches: the newer of two verified keys is the one that leads.
func TestTwoSwitches(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.negotiate()
		time.Sleep(3 * time.Second)
		o.negotiate()
		synctest.Wait()
		o.want(3, pending, 2, retired, 1, current)
		time.Sleep(4 * time.Second)
		o.wantCurrent(1)
		time.Sleep(2 * time.Second)
		o.want(3, current, 2, retired, 1, retired)
	})
}

// TestCurrentEndsDuringSwitch: with no current one left, the next leads at once.
func TestCurrentEndsDuringSwitch(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.negotiate()
		o.change(func(p *peer) { o.move(p, 1, wire.StateRevoked) })
		synctest.Wait()
		o.want(2, current)
		o.wantReceipt(1, wire.StateRevoked)
	})
}

func TestNextEndsDuringSwitch(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.negotiate()
		o.change(func(p *peer) { o.move(p, 2, wire.StateRevoked) })
		synctest.Wait()
		o.want(1, retired)
		if last := o.changes[len(o.changes)-1]; last.Kind != KeyNeeded {
			t.Errorf("got %+v", o.changes)
		}
		time.Sleep(time.Minute)
		o.want(1, retired)
	})
}

// TestPushBeforeReply: a key whose revocation is pushed before the reply that
// carries it is never published.
func TestPushBeforeReply(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.instead(func(p *peer, m wire.Request) bool {
			if m.Cmd() == wire.CmdNegotiate {
				p.push(1, wire.StateRevoked)
			}
			return false
		})
		out, err := o.keeper.Negotiate(t.Context(), o.session)
		wantErr(t, err, ErrEnded)
		if out.Seckeyid != 1 {
			t.Errorf("got %+v", out)
		}
		o.want()
	})
}

// TestRevokedBetween: pushed after it was entered and before its verify is answered.
func TestRevokedBetween(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.instead(func(p *peer, m wire.Request) bool {
			if m.Cmd() == wire.CmdVerify {
				o.move(p, 1, wire.StateRevoked)
			}
			return false
		})
		_, err := o.keeper.Negotiate(t.Context(), o.session)
		wantErr(t, err, wire.CodeRevoked)
		synctest.Wait()
		o.want()
		o.wantReceipt(1, wire.StateRevoked)
		log := o.asked()
		if n := len(slices.DeleteFunc(log, func(c wire.Cmd) bool { return c != wire.CmdReceipt })); n != 1 {
			t.Errorf("%d receipts were sent", n)
		}
	})
}

// TestVerifyUnanswered: open-only until a reply tells; then, on the next
// connection, current.
func TestVerifyUnanswered(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.instead(func(p *peer, m wire.Request) bool {
			if v, ok := m.(*wire.Verify); ok {
				o.keys[v.Seckeyid].state = wire.StateActive
				p.close(1006)
				return true
			}
			return false
		})
		out, err := o.keeper.Negotiate(t.Context(), o.session)
		wantErr(t, err, ErrLost)
		if out.State != wire.StatePending {
			t.Errorf("got %+v", out)
		}
		o.want(1, pending)
		o.wantCurrent(0)
		o.instead(nil)
		o.connect()
		needed, err := o.keeper.Reverify(t.Context(), o.session)
		if needed || err != nil {
			t.Errorf("needed %v, %v", needed, err)
		}
		o.want(1, current)
	})
}

func TestBusy(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.instead(func(p *peer, m wire.Request) bool {
			if m.Cmd() == wire.CmdVerify {
				p.refuse(m, wire.CodeBusy)
			}
			return m.Cmd() == wire.CmdVerify
		})
		_, err := o.keeper.Negotiate(t.Context(), o.session)
		wantErr(t, err, wire.CodeBusy)
		o.want(1, pending)
		_, err = o.keeper.Reverify(t.Context(), o.session)
		wantErr(t, err, wire.CodeBusy)
		o.want(1, pending)
		o.instead(nil)
		if state, err := o.keeper.Verify(t.Context(), o.session, 1); state != wire.StateActive || err != nil {
			t.Errorf("verified as %s, %v", state, err)
		}
		o.want(1, current)
	})
}

// TestReverify has every answer to a verify on a new connection.
func TestReverify(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(o *outlet)
		needed bool
		want   []uint64
	}{
		{"nothing changed", func(o *outlet) {}, false, []uint64{2, current, 1, retired}},
		{"the current one was retired", func(o *outlet) { o.keys[2].state = wire.StateRetired }, true, []uint64{2, retired, 1, retired}},
		{"the current one was revoked", func(o *outlet) { o.keys[2].state = wire.StateRevoked }, true, []uint64{1, retired}},
		{"the current one expired", func(o *outlet) { o.keys[2].state = wire.StateExpired }, true, []uint64{1, retired}},
		{"the current one is unknown", func(o *outlet) { delete(o.keys, 2) }, true, []uint64{1, retired}},
		{"the older one is unknown", func(o *outlet) { delete(o.keys, 1) }, false, []uint64{2, current}},
		{"the current one differs", func(o *outlet) { o.keys[2].held.Key = kex.NewKey(&[32]byte{3}) }, true, []uint64{1, retired}},
		{"the copy is damaged", func(o *outlet) { o.holder.keys[2].held.Key = kex.NewKey(&[32]byte{3}) }, true, []uint64{1, retired}},
		{"all are gone", func(o *outlet) { clear(o.keys) }, true, []uint64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			keep(t, func(t *testing.T, o *outlet) {
				o.negotiate()
				o.negotiate()
				time.Sleep(time.Minute)
				o.session.Close()
				o.locked(func() { c.change(o) })
				o.asked()
				o.connect()
				needed, err := o.keeper.Reverify(t.Context(), o.session)
				if needed != c.needed || err != nil {
					t.Errorf("needed %v, %v", needed, err)
				}
				o.want(c.want...)
				o.locked(func() {
					for n, k := range o.keys {
						if k.state >= wire.StateExpired && o.receipts[n] != k.state {
							t.Errorf("key %d is %s, its receipt %s", n, k.state, o.receipts[n])
						}
					}
				})
			})
		})
	}
}

// TestToldBeforeApplied: a state counts from when it was received, even if the
// push is not yet applied.
func TestToldBeforeApplied(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.negotiate()
		o.keeper.states.Saw(2, wire.StateRevoked)
		time.Sleep(switchDelay)
		synctest.Wait()
		o.want(2, pending, 1, retired)
		o.negotiate() // of which the centre pushes something about key 2 again
		synctest.Wait()
		o.want(3, current, 1, retired)
	})
}

// reading is a Holder that remembers what it handed out.
type reading struct {
	*MemoryHolder
	out []*kex.Held
}

func (r *reading) Read(seckeyid uint64) (*kex.Held, error) {
	held, err := r.MemoryHolder.Read(seckeyid)
	r.out = append(r.out, held)
	return held, err
}

func TestCopiesAreWiped(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		r := &reading{MemoryHolder: o.holder}
		o.keeper.holder = r
		o.negotiate()
		if _, err := o.keeper.Reverify(t.Context(), o.session); err != nil {
			t.Fatal(err)
		}
		for _, held := range r.out {
			if !held.Key.Equal(&kex.Key{}) {
				t.Error("a copy is left")
			}
		}
		if len(r.out) != 2 {
			t.Errorf("%d copies were made", len(r.out))
		}
	})
}

// TestRestartBeforeSwitch: a process that ended between verify ok and the
// switch is made up for.
func TestRestartBeforeSwitch(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.negotiate()
		o.session.Close()
		o.keeper.Close()
		time.Sleep(time.Minute)
		o.want(2, pending, 1, current)
		o.restart(o.keeper.o.Clock)
		o.connect()
		if _, err := o.keeper.Reverify(t.Context(), o.session); err != nil {
			t.Fatal(err)
		}
		o.wantCurrent(1)
		time.Sleep(switchDelay)
		synctest.Wait()
		o.want(2, current, 1, retired)
	})
}

func TestRevoke(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		if err := o.keeper.Revoke(t.Context(), o.session, 1, wire.ReasonKeyCompromised); err != nil {
			t.Fatal(err)
		}
		o.want()
		synctest.Wait()
		o.wantReceipt(1, wire.StateRevoked)
		if err := o.keeper.Revoke(t.Context(), o.session, 1, wire.ReasonRoutine); err != nil { // again
			t.Error(err)
		}
		wantErr(t, o.keeper.Revoke(t.Context(), o.session, 99, wire.ReasonRoutine), wire.CodeNoKey)
		if got, want := fmt.Sprint(o.asked()), "[negotiate verify revoke receipt revoke revoke]"; got != want {
			t.Errorf("asked were %s, want %s", got, want)
		}
		if _, err := o.keeper.Verify(t.Context(), o.session, 1); !errors.Is(err, ErrNoKey) {
			t.Errorf("got %v", err)
		}
	})
}

// TestReceiptForUnknown: also for a number that is not held.
func TestReceiptForUnknown(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.change(func(p *peer) {
			o.last = 7
			o.keys[7] = &centreKey{state: wire.StateActive}
			o.move(p, 7, wire.StateRevoked)
		})
		synctest.Wait()
		o.wantReceipt(7, wire.StateRevoked)
		o.want()
		if len(o.changes) != 0 {
			t.Errorf("got %+v", o.changes)
		}
	})
}

// TestOwedReceipts: what could not be sent is sent on the next connection.
func TestOwedReceipts(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.instead(func(p *peer, m wire.Request) bool {
			if m.Cmd() == wire.CmdReceipt {
				p.close(1006)
			}
			return m.Cmd() == wire.CmdReceipt
		})
		o.change(func(p *peer) { o.move(p, 1, wire.StateExpired) })
		until(t, o.session)
		o.session.Close() // waits for the push to be dealt with
		o.want()
		o.wantReceipt(1, 0)
		o.instead(nil)
		o.connect()
		if needed, err := o.keeper.Reverify(t.Context(), o.session); !needed || err != nil {
			t.Errorf("needed %v, %v", needed, err)
		}
		o.wantReceipt(1, wire.StateExpired)
	})
}

func TestRetiredByPush(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.change(func(p *peer) { o.move(p, 1, wire.StateRetired) })
		synctest.Wait()
		o.want(1, retired)
		if got, want := o.ends(1), o.keeper.o.Clock()+time.Hour; got != want {
			t.Errorf("it ends at %v, want %v", got, want)
		}
		time.Sleep(time.Minute)
		o.change(func(p *peer) { p.push(1, wire.StateRetired) })
		synctest.Wait()
		if got, want := o.ends(1), o.keeper.o.Clock()+time.Hour-time.Minute; got != want {
			t.Errorf("its end went to %v, want %v", got, want)
		}
	})
}

// TestGraceBeyondEnd: a retired key ends at its own end, if that is earlier.
func TestGraceBeyondEnd(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.locked(func() { o.lifetime = 600 })
		out := o.negotiate()
		o.change(func(p *peer) { o.move(p, 1, wire.StateRetired) })
		synctest.Wait()
		if o.ends(1) != out.NotAfter {
			t.Errorf("it ends at %v, want %v", o.ends(1), out.NotAfter)
		}
		time.Sleep(10 * time.Minute)
		o.want()
	})
}

// failing is a Holder whose segment has gone.
type failing struct{ *MemoryHolder }

var errGone = errors.New("the segment is gone")

func (failing) Wipe(uint64, wire.State) error { return errGone }

// TestHolderFails: no receipt for what was not wiped.
func TestHolderFails(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.keeper.holder = failing{o.holder}
		wantErr(t, o.keeper.Revoke(t.Context(), o.session, 1, wire.ReasonRoutine), errGone)
		synctest.Wait()
		o.wantReceipt(1, 0)
		if last := o.changes[len(o.changes)-1]; last.Kind != KeeperFailed || !errors.Is(last.Err, errGone) {
			t.Errorf("got %+v", last)
		}
	})
}

func TestReceiptsAreBounded(t *testing.T) {
	r := receipts{}
	r[1] = receipt{state: wire.StateRevoked, owed: true}
	for n := uint64(2); n < 3*maxReceipts; n++ {
		first, sent := r.begin(n, wire.StateRevoked)
		second, same := r.begin(n, wire.StateRevoked)
		if !first || second || sent != same {
			t.Fatalf("receipt %d is not sent once", n)
		}
	}
	if len(r) > maxReceipts || !r[1].owed {
		t.Errorf("%d are kept, the owed one: %v", len(r), r[1].owed)
	}
}

func TestMemoryHolder(t *testing.T) {
	now := time.Duration(0)
	m := NewMemoryHolder(func() time.Duration { return now })
	held := &kex.Held{Key: kex.NewKey(&[32]byte{1})}
	for n := uint64(1); n <= 2; n++ {
		if err := m.Enter(HeldKey{Seckeyid: n, NotAfter: time.Duration(n) * time.Hour}, held); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Enter(HeldKey{Seckeyid: 2, NotAfter: time.Hour}, held); err == nil {
		t.Error("a number is entered twice")
	}
	inside := m.keys[1]
	now = time.Hour
	m.WipeEnded()
	if inside.held.Key.Equal(&held.Key) {
		t.Error("the bytes stay after the end")
	}
	if _, err := m.Read(1); !errors.Is(err, ErrNoKey) {
		t.Errorf("got %v", err)
	}
	if copied, err := m.Read(2); err != nil || !copied.Key.Equal(&held.Key) {
		t.Errorf("got %v", err)
	} else {
		copied.Zero()
	}
	if copied, _ := m.Read(2); !copied.Key.Equal(&held.Key) {
		t.Error("a copy is not a copy")
	}
	for _, err := range []error{m.Retire(9), m.Shorten(9, 0), m.MakeCurrent(9)} {
		wantErr(t, err, ErrNoKey)
	}
	inside = m.keys[2]
	if m.Wipe(9, wire.StateRevoked) != nil || m.Wipe(2, wire.StateRevoked) != nil || inside.held.Key.Equal(&held.Key) {
		t.Error("not wiped")
	}
}

func TestRenewal(t *testing.T) {
	for jitter, want := range map[float64]time.Duration{0: 5 * time.Hour, 0.5: 6 * time.Hour, 1: 7 * time.Hour} {
		if got := Renewal(time.Hour, 11*time.Hour, jitter); (got - want).Abs() > time.Microsecond {
			t.Errorf("jitter %v: %v, want %v", jitter, got, want)
		}
	}
}

// TestTick: ends are applied and told of without any word from the server, a
// key that the holder lost is told of too, and a switch whose timer was held
// up is made up for.
func TestTick(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.negotiate()
		wiped := func(c Change) bool { return c.Kind == KeyWiped }
		tick := func() {
			t.Helper()
			if err := o.keeper.Tick(); err != nil {
				t.Error(err)
			}
		}
		tick()
		o.keeper.mu.Lock()
		o.keeper.timer.Stop() // as in a suspend
		o.keeper.mu.Unlock()
		time.Sleep(switchDelay - time.Millisecond)
		tick()
		o.wantCurrent(1)
		time.Sleep(time.Millisecond)
		tick()
		o.want(2, current, 1, retired)
		o.session.Close()
		if slices.ContainsFunc(o.changes, wiped) {
			t.Errorf("got %+v", o.changes)
		}
		time.Sleep(time.Hour)
		tick()
		want := Change{Kind: KeyWiped, Seckeyid: 1, State: wire.StateExpired, Ended: true}
		if last := o.changes[len(o.changes)-1]; last != want {
			t.Errorf("got %+v, want %+v", last, want)
		}
		if err := o.holder.Wipe(2, wire.StateExpired); err != nil { // behind the keeper's back
			t.Error(err)
		}
		tick()
		n := len(o.changes)
		if n < 2 || o.changes[n-2] != (Change{Kind: KeyWiped, Seckeyid: 2}) || o.changes[n-1].Kind != KeyNeeded {
			t.Errorf("got %+v", o.changes)
		}
		tick()
		if len(o.changes) != n {
			t.Errorf("told again: %+v", o.changes[n:])
		}
	})
}

// TestDamagedHere: what the server proves does not fit the copy here, though
// the server has found the client's proof right. The copy is wiped, so that the
// next connection does not end in the same way.
func TestDamagedHere(t *testing.T) {
	keep(t, func(t *testing.T, o *outlet) {
		o.negotiate()
		o.instead(func(p *peer, m wire.Request) bool {
			v, ok := m.(*wire.Verify)
			if ok {
				p.reply(m, &wire.VerifyOK{Confirm: v.Confirm, State: wire.StateActive})
			}
			return ok
		})
		_, err := o.keeper.Verify(t.Context(), o.session, 1)
		var check *CheckError
		if !errors.As(err, &check) || check.Check != CheckConfirm {
			t.Errorf("got %v", err)
		}
		o.want()
		n := len(o.changes)
		want := Change{Kind: KeyWiped, Seckeyid: 1, State: wire.StateExpired, Code: wire.CodeMismatch}
		if o.changes[n-2] != want || o.changes[n-1].Kind != KeyNeeded {
			t.Errorf("got %+v", o.changes)
		}
	})
}

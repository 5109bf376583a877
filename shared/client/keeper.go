package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// switchDelay is how long an older key stays current after a newer one was
// verified, so that publishers elsewhere at the centre catch up (§8).
const switchDelay = 5 * time.Second

// KeeperOptions is what a Keeper needs besides its Holder, whose clock it shares.
type KeeperOptions struct {
	Clock       Clock         // nil: ElapsedClock
	SwitchDelay time.Duration // 0: 5 s

	// Notify tells what happened to a key. It must return soon and must not call
	// the Keeper.
	Notify func(Change)
}

// Change is something that happened to a key.
type Change struct {
	Kind     ChangeKind
	Seckeyid uint64
	State    wire.State // with KeyVerified and KeyWiped; 0: the holder has lost the key
	Code     wire.Code  // with KeyWiped: the refusal that told it; 0: a push, its end, or this end's own doing
	Ended    bool       // with KeyWiped: its end had come
	Err      error      // with KeeperFailed
}

// ChangeKind is what happened.
type ChangeKind uint8

const (
	KeyEntered   ChangeKind = iota + 1 // it opens, and is not current
	KeyCurrent                         // it is the one to seal with
	KeyRetired                         // it still opens until its end
	KeyWiped                           // its copies are gone
	KeyNeeded                          // no key is current or on the way to it
	KeeperFailed                       // what a push asked for could not be done
	KeyVerified                        // both ends have just proven that they hold it
)

// Keeper runs the life of one client's keys (§5, §6, §8) at a Holder: a key is
// entered open-only, verified, made current, retired and wiped in that order,
// and never published again once the server told of its end. Every Session that
// it is given has to be opened with Options that went through Attach.
type Keeper struct {
	holder Holder
	o      KeeperOptions
	states *States

	mu       sync.Mutex
	next     uint64        // the verified key that waits to become current; 0: none
	nextAt   time.Duration // when it does, by the clock
	living   []HeldKey     // as Tick saw them last
	doubt    doubt
	settled  chan struct{}
	timer    *time.Timer
	receipts receipts
	closed   bool
}

// NewKeeper returns a Keeper over a Holder that it has to itself.
func NewKeeper(h Holder, o KeeperOptions) *Keeper {
	if o.SwitchDelay == 0 {
		o.SwitchDelay = switchDelay
	}
	if o.Clock == nil {
		o.Clock = ElapsedClock()
	}
	if o.Notify == nil {
		o.Notify = func(Change) {}
	}
	return &Keeper{holder: h, o: o, states: NewStates(), receipts: receipts{}}
}

// Attach sets a session's Clock and States to the Keeper's, and has it apply
// every push, before OnPush as it was.
func (k *Keeper) Attach(o Options) Options {
	after := o.OnPush
	o.Clock, o.States, o.hurry = k.o.Clock, k.states, k.inDoubt
	o.OnPush = func(s *Session, p *wire.Push) {
		k.pushed(s, p)
		if after != nil {
			after(s, p)
		}
	}
	return o
}

// Outcome is what Negotiate achieved.
type Outcome struct {
	Seckeyid  uint64
	FP        wire.Fingerprint
	State     wire.State // StatePending: the verify got no reply; the next Reverify settles it
	NotBefore time.Duration
	NotAfter  time.Duration
}

// Negotiate agrees a key, enters it open-only, and verifies it. If it was the
// first it is then current at once, else after the delay, for which Settle
// waits. With an error, Outcome tells how far it came: Seckeyid 0 if no key was
// agreed.
func (k *Keeper) Negotiate(ctx context.Context, s *Session) (Outcome, error) {
	above, err := k.newest()
	if err != nil {
		return Outcome{}, err
	}
	fresh, err := s.Negotiate(ctx, above)
	if err != nil {
		return Outcome{}, err
	}
	defer fresh.Held.Zero()
	o := Outcome{Seckeyid: fresh.Seckeyid, FP: fresh.Held.Key.Fingerprint(), State: wire.StatePending,
		NotBefore: fresh.SentAt, NotAfter: fresh.NotAfter()}
	if err := k.enter(fresh); err != nil {
		return o, err
	}
	state, err := k.Verify(ctx, s, fresh.Seckeyid)
	if state != 0 {
		o.State = state
	}
	return o, err
}

func (k *Keeper) newest() (n uint64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.holder.Keys()
	for _, key := range keys {
		n = max(n, key.Seckeyid)
	}
	return n, err
}

// enter publishes a key to open with only. What is pushed of it later waits
// for the lock and then finds it; what was pushed before is known to States.
func (k *Keeper) enter(f *Fresh) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.states.MayEnter(f.Seckeyid) {
		return ErrEnded
	}
	err := k.holder.Enter(HeldKey{Seckeyid: f.Seckeyid, State: wire.StatePending,
		NotBefore: f.SentAt, NotAfter: f.NotAfter()}, f.Held)
	if err == nil {
		k.o.Notify(Change{Kind: KeyEntered, Seckeyid: f.Seckeyid})
	}
	return err
}

// Verify verifies one held key and applies the outcome. It returns the key's
// state where that is known; a refusal by the server, applied as well, is a
// wire.Code. With any other error the key stays as it is.
func (k *Keeper) Verify(ctx context.Context, s *Session, seckeyid uint64) (wire.State, error) {
	held, err := k.read(seckeyid)
	if err != nil {
		return 0, err
	}
	sent := k.o.Clock()
	state, err := s.Verify(ctx, seckeyid, held)
	held.Zero()
	k.asked(seckeyid, err, sent+s.Grace())
	if err != nil {
		return k.refused(ctx, s, seckeyid, err)
	}
	if state >= wire.StateExpired {
		return state, k.ended(ctx, s, seckeyid, state, 0)
	}
	k.tell(Change{Kind: KeyVerified, Seckeyid: seckeyid, State: state})
	return state, k.verified(seckeyid, state, sent, s.Grace())
}

func (k *Keeper) tell(c Change) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.o.Notify(c)
}

func (k *Keeper) read(seckeyid uint64) (*kex.Held, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.holder.Read(seckeyid)
}

// refused applies what the server's refusal of a verify or revoke says of the
// key (§8), and returns it. A proof of the server's that does not fit, in a
// reply whose authCode held, says the same as error 5: the copy is damaged here.
func (k *Keeper) refused(ctx context.Context, s *Session, seckeyid uint64, refusal error) (wire.State, error) {
	var code wire.Code
	var check *CheckError
	switch {
	case errors.As(refusal, &check) && check.Check == CheckConfirm && check.Cmd == wire.CmdVerify:
		code = wire.CodeMismatch
	case !errors.As(refusal, &code):
		return 0, refusal
	}
	var state wire.State
	var err error
	switch code {
	case wire.CodeRevoked:
		state = wire.StateRevoked
		err = k.ended(ctx, s, seckeyid, state, code)
	case wire.CodeExpired:
		state = wire.StateExpired
		err = k.ended(ctx, s, seckeyid, state, code)
	case wire.CodeNoKey, wire.CodeMismatch:
		err = k.wipe(seckeyid, wire.StateExpired, code)
	}
	if err != nil {
		return state, errors.Join(refusal, err)
	}
	return state, refusal
}

// Reverify is what a new connection begins with: it verifies every held key,
// newest first, applies the outcomes, and sends the receipts that are still
// owed. It reports whether a key has to be negotiated.
func (k *Keeper) Reverify(ctx context.Context, s *Session) (needed bool, err error) {
	keys, err := k.Keys()
	if err != nil {
		return false, err
	}
	var failed error
	for _, key := range keys {
		_, err := k.Verify(ctx, s, key.Seckeyid)
		var code wire.Code
		switch {
		case err == nil, errors.Is(err, ErrNoKey): // verified, or ended meanwhile
		case errors.As(err, &code) && applied(code) && err == error(code):
		case errors.As(err, &code):
			failed = errors.Join(failed, err)
		default:
			return false, err
		}
	}
	k.payReceipts(ctx, s)
	needed, err = k.NeedsKey()
	return needed, errors.Join(failed, err)
}

// applied tells the refusals that say something of the key from those that say
// something of the server.
func applied(c wire.Code) bool {
	return c == wire.CodeNoKey || c == wire.CodeRevoked || c == wire.CodeExpired || c == wire.CodeMismatch
}

// Revoke revokes a key at the server, then wipes it here. A refusal is a
// wire.Code, applied as in Verify.
func (k *Keeper) Revoke(ctx context.Context, s *Session, seckeyid uint64, reason wire.Reason) error {
	if err := s.Revoke(ctx, seckeyid, reason); err != nil {
		_, err = k.refused(ctx, s, seckeyid, err)
		return err
	}
	return k.ended(ctx, s, seckeyid, wire.StateRevoked, 0)
}

// pushed applies a push.
func (k *Keeper) pushed(s *Session, p *wire.Push) {
	var err error
	if state := k.states.Saw(p.Seckeyid, p.State); state >= wire.StateExpired {
		err = k.ended(context.Background(), s, p.Seckeyid, state, 0)
	} else {
		err = k.retired(p.Seckeyid, s.Grace())
	}
	if err != nil {
		k.tell(Change{Kind: KeeperFailed, Seckeyid: p.Seckeyid, Err: err})
	}
}

// Renewal is when a key is to be followed by another: at half of its lifetime
// ± 10 % (§8). jitter is uniform in [0, 1).
func Renewal(notBefore, notAfter time.Duration, jitter float64) time.Duration {
	lifetime := float64(notAfter - notBefore)
	return notBefore + time.Duration(lifetime*(0.4+0.2*jitter))
}

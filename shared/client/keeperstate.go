package client

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"hufu/shared/wire"
)

// Keys lists the living keys, newest first.
func (k *Keeper) Keys() ([]HeldKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys()
}

func (k *Keeper) keys() ([]HeldKey, error) {
	keys, err := k.holder.Keys()
	slices.SortFunc(keys, func(a, b HeldKey) int { return cmp.Compare(b.Seckeyid, a.Seckeyid) })
	return keys, err
}

// NeedsKey reports whether no key is current or on the way to it.
func (k *Keeper) NeedsKey() (bool, error) {
	keys, err := k.Keys()
	return needsKey(keys), err
}

func needsKey(keys []HeldKey) bool {
	return !slices.ContainsFunc(keys, func(key HeldKey) bool { return key.State < wire.StateRetired })
}

// Settle waits until no verified key waits to become current.
func (k *Keeper) Settle(ctx context.Context) error {
	for {
		k.mu.Lock()
		settled, waiting := k.settled, k.next != 0
		k.mu.Unlock()
		if !waiting {
			return nil
		}
		select {
		case <-settled: // or replaced by a newer one
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Tick applies what time has done: keys whose end has come are wiped and told
// of, as are those that the holder has lost, and a verified key becomes current
// whose time has come, also where a suspend has held the timer. To be called
// every second or so, whatever the connection does.
func (k *Keeper) Tick() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.keys()
	if err != nil {
		return err
	}
	before, now := k.living, k.o.Clock()
	k.living = keys
	for _, key := range before {
		if find(keys, key.Seckeyid) != nil {
			continue
		}
		c := Change{Kind: KeyWiped, Seckeyid: key.Seckeyid}
		if key.NotAfter <= now {
			c.State, c.Ended = wire.StateExpired, true
		}
		k.o.Notify(c)
	}
	if k.next != 0 && k.nextAt <= now {
		return k.lead(k.next, before)
	}
	return k.settle(before)
}

// Close stops a switch that is still to come: the older key stays current
// until its end, and the next Reverify makes up for it.
func (k *Keeper) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	k.unplan()
}

// doubt is that a key's verify got no reply: by it the server may have retired
// the current key, which then opens nothing there from until on.
type doubt struct {
	seckeyid uint64 // 0: there is none
	until    time.Duration
}

// asked notes how a verify came out, from which a grace may count.
func (k *Keeper) asked(seckeyid uint64, outcome error, until time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var code wire.Code
	if outcome == nil || errors.As(outcome, &code) {
		if k.doubt.seckeyid == seckeyid {
			k.doubt = doubt{}
		}
		return
	}
	keys, err := k.keys()
	if self := find(keys, seckeyid); err == nil && self != nil && self.State == wire.StatePending {
		k.doubt = doubt{seckeyid, until}
	}
}

// inDoubt reports whether a connection is wanted soon, to learn what became of a verify.
func (k *Keeper) inDoubt() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.doubt.seckeyid != 0 && k.o.Clock() < k.doubt.until
}

// verified applies a verify ok: sent is when the verify was.
func (k *Keeper) verified(seckeyid uint64, state wire.State, sent, grace time.Duration) error {
	if state == wire.StateRetired {
		return k.retired(seckeyid, grace)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.keys()
	if err != nil {
		return err
	}
	self, current := find(keys, seckeyid), active(keys)
	if self == nil || self.State != wire.StatePending || current != nil && current.Seckeyid > seckeyid {
		return nil
	}
	if current != nil {
		// It stays current for the delay, though the server has retired it by this verify.
		k.states.Saw(current.Seckeyid, wire.StateRetired)
		if err := gone(k.holder.Shorten(current.Seckeyid, sent+grace)); err != nil {
			return err
		}
	}
	k.plan(seckeyid)
	return k.settle(keys)
}

// retired applies the first word that a key is retired, from which its grace counts.
func (k *Keeper) retired(seckeyid uint64, grace time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.keys()
	if err != nil {
		return err
	}
	if err := gone(k.holder.Shorten(seckeyid, k.o.Clock()+grace)); err != nil {
		return err
	}
	return k.settle(keys)
}

// ended wipes a key that the server told to be expired or revoked, held or
// not, and sends the receipt.
func (k *Keeper) ended(ctx context.Context, s *Session, seckeyid uint64, state wire.State, code wire.Code) error {
	if err := k.wipe(seckeyid, state, code); err != nil {
		return err
	}
	k.sendReceipt(ctx, s, seckeyid, state)
	return nil
}

func (k *Keeper) wipe(seckeyid uint64, state wire.State, code wire.Code) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys, err := k.keys()
	if err != nil {
		return err
	}
	// Also one that is not living: its end may have come without anyone having wiped it yet.
	if err := k.holder.Wipe(seckeyid, state); err != nil {
		return err
	}
	if find(keys, seckeyid) == nil {
		return nil
	}
	k.living = slices.DeleteFunc(k.living, func(key HeldKey) bool { return key.Seckeyid == seckeyid })
	k.o.Notify(Change{Kind: KeyWiped, Seckeyid: seckeyid, State: state, Code: code})
	return k.settle(keys)
}

// settle brings the holder in line with the states that are known. before is
// what was held before something happened.
func (k *Keeper) settle(before []HeldKey) error {
	keys, err := k.keys()
	if err != nil {
		return err
	}
	current := active(keys)
	if next := find(keys, k.next); k.next != 0 && (next == nil || next.State != wire.StatePending || !k.mayLead(k.next)) {
		k.unplan()
	} else if k.next != 0 && current == nil {
		return k.lead(k.next, before)
	}
	for _, key := range keys {
		if key.State == wire.StateRetired || k.states.At(key.Seckeyid) != wire.StateRetired {
			continue
		}
		if key.State == wire.StateActive && keys[0].State == wire.StatePending && k.mayLead(keys[0].Seckeyid) {
			continue // it stays current until the newer one is
		}
		if err := gone(k.holder.Retire(key.Seckeyid)); err != nil {
			return err
		}
		k.o.Notify(Change{Kind: KeyRetired, Seckeyid: key.Seckeyid})
	}
	if keys, err = k.keys(); err == nil && needsKey(keys) && !needsKey(before) {
		k.o.Notify(Change{Kind: KeyNeeded})
	}
	return err
}

// mayLead tells whether a key can still become current.
func (k *Keeper) mayLead(seckeyid uint64) bool {
	return k.states.At(seckeyid) < wire.StateRetired
}

// plan has a verified key become current after the delay; settle does it at
// once if there is no current one.
func (k *Keeper) plan(seckeyid uint64) {
	if k.closed || seckeyid <= k.next {
		return
	}
	k.unplan()
	k.next, k.nextAt, k.settled = seckeyid, k.o.Clock()+k.o.SwitchDelay, make(chan struct{})
	k.timer = time.AfterFunc(k.o.SwitchDelay, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.next != seckeyid {
			return
		}
		keys, err := k.keys()
		if err == nil {
			err = k.lead(seckeyid, keys)
		}
		if err != nil {
			k.o.Notify(Change{Kind: KeeperFailed, Seckeyid: seckeyid, Err: err})
		}
	})
}

func (k *Keeper) unplan() {
	if k.next != 0 {
		k.timer.Stop()
		k.next = 0
		close(k.settled)
	}
}

// lead makes the planned key the current one, unless it has ended: its push may
// be known to states before it is applied here.
func (k *Keeper) lead(seckeyid uint64, before []HeldKey) error {
	k.unplan()
	if !k.mayLead(seckeyid) {
		return k.settle(before)
	}
	keys, err := k.keys()
	if err != nil {
		return err
	}
	if err = k.holder.MakeCurrent(seckeyid); err == nil {
		k.o.Notify(Change{Kind: KeyCurrent, Seckeyid: seckeyid})
		if older := active(keys); older != nil {
			k.o.Notify(Change{Kind: KeyRetired, Seckeyid: older.Seckeyid})
		}
	}
	return errors.Join(gone(err), k.settle(before))
}

func find(keys []HeldKey, seckeyid uint64) *HeldKey {
	if i := slices.IndexFunc(keys, func(key HeldKey) bool { return key.Seckeyid == seckeyid }); i >= 0 {
		return &keys[i]
	}
	return nil
}

func active(keys []HeldKey) *HeldKey {
	if i := slices.IndexFunc(keys, func(key HeldKey) bool { return key.State == wire.StateActive }); i >= 0 {
		return &keys[i]
	}
	return nil
}

// gone passes over that a key's end has come meanwhile.
func gone(err error) error {
	if errors.Is(err, ErrNoKey) {
		return nil
	}
	return err
}

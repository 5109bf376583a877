package publish

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"hufu/server/keyservice"
	"hufu/shm"
)

// outlet is one outlet as the store has it: its usable keys, none if it has none.
type outlet struct {
	id   string
	keys []keyservice.UsableKey
}

// reconcile brings the entries of one outlet to its keys, and returns the
// numbers of those that it wiped, as expired: the store has to be asked whether
// they were revoked. What is right stays untouched. err is why some of the keys
// do not stand there; the others do.
func (o *outlet) reconcile(b shm.Batch, serverID string, at moment) (ended []keyservice.KeyRef, err error) {
	there := b.Entries(o.id)
	defer func() {
		for i := range there {
			there[i].Key.Zero()
		}
	}()
	// The active key comes first, before an older one is retired or gone, so
	// that at no moment there is none.
	slices.SortFunc(o.keys, func(a, b keyservice.UsableKey) int {
		return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.Seckeyid, b.Seckeyid))
	})
	current := o.current()
	var errs []error
	wipe := func(when func(e *shm.Entry) bool) {
		for i := range there {
			e := &there[i]
			if e.Usable && when(e) && !o.has(e.SeckeyID) {
				errs = append(errs, b.Wipe(o.id, e.SeckeyID, shm.Expired))
				ended = append(ended, keyservice.KeyRef{Outlet: o.id, Seckeyid: e.SeckeyID})
			}
		}
	}
	// What has a greater number than the active key is in its way.
	wipe(func(e *shm.Entry) bool { return current != 0 && e.SeckeyID > current })
	for i := range o.keys {
		k := &o.keys[i]
		n := slices.IndexFunc(there, func(e shm.Entry) bool { return e.SeckeyID == k.Seckeyid })
		if n < 0 {
			errs = append(errs, put(b, k, serverID, at))
		} else {
			errs = append(errs, bring(b, &there[n], k, serverID, at))
		}
	}
	wipe(func(e *shm.Entry) bool { return current == 0 || e.SeckeyID < current })
	return ended, errors.Join(errs...)
}

// current is the number of the active key, 0 if there is none.
func (o *outlet) current() uint64 {
	for i := range o.keys {
		if shm.State(o.keys[i].State) == shm.Active {
			return o.keys[i].Seckeyid
		}
	}
	return 0
}

func (o *outlet) has(number uint64) bool {
	return slices.ContainsFunc(o.keys, func(k keyservice.UsableKey) bool { return k.Seckeyid == number })
}

// errAhead says that a key is usable by the store and its end is long over here.
var errAhead = errors.New("publish: the key's end has passed by this machine's clock, and no server has ended it: check the clocks")

// endedWithin is how soon a server ends a key whose end has come, or more.
const endedWithin = time.Minute

// put stores a key that is not there. One whose end has come just now is left out.
func put(b shm.Batch, k *keyservice.UsableKey, serverID string, at moment) error {
	if k.Err != nil {
		return k.Err
	}
	if at.store.Sub(k.EndsAt) > endedWithin {
		return fmt.Errorf("%w: key %d of %s", errAhead, k.Seckeyid, k.Outlet)
	}
	err := b.Put(shm.Entry{
		ClientID: k.Outlet, ServerID: serverID, SeckeyID: k.Seckeyid, State: shm.State(k.State),
		Key: shm.Key(*k.Key.Bytes()), Fingerprint: shm.Fingerprint(k.FP),
		NotBefore: min(at.on(k.Created), at.boot), NotAfter: at.on(k.EndsAt), Generation: k.Seckeyid,
	})
	return lasting(err)
}

// bring moves an entry on to what the store has of its key. Its end is never
// put off, not even where it came too early by a clock that was wrong.
func bring(b shm.Batch, e *shm.Entry, k *keyservice.UsableKey, serverID string, at moment) error {
	state := shm.State(k.State)
	if !same(e, k, serverID) || e.Usable && e.State > state {
		// Damaged, of another installation, or ahead of a store that was put back.
		if k.Err != nil {
			return k.Err
		}
		return errors.Join(b.Forget(k.Outlet, k.Seckeyid), put(b, k, serverID, at))
	}
	if !e.Usable {
		return nil
	}
	end := at.on(k.EndsAt)
	if state == shm.Retired && e.State < shm.Retired {
		return lasting(b.Retire(k.Outlet, k.Seckeyid, end))
	}
	if e.State < state {
		if err := b.MakeCurrent(k.Outlet, k.Seckeyid); err != nil {
			return lasting(err)
		}
	}
	if end < e.NotAfter {
		return lasting(b.Shorten(k.Outlet, k.Seckeyid, end))
	}
	return nil
}

// same tells whether an entry is of this key: by its bytes where it has them
// and the key's seal opens, else by the fingerprint.
func same(e *shm.Entry, k *keyservice.UsableKey, serverID string) bool {
	if e.ServerID != serverID || e.Fingerprint != shm.Fingerprint(k.FP) {
		return false
	}
	if !e.Usable || k.Err != nil {
		return true
	}
	stored := shm.Key(*k.Key.Bytes())
	defer stored.Zero()
	return e.Key.Equal(&stored)
}

// lasting leaves out that a key has ended meanwhile.
func lasting(err error) error {
	if errors.Is(err, shm.ErrNotUsable) {
		return nil
	}
	return err
}

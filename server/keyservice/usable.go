package keyservice

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// UsableStore is the part of a Store that a segment at the centre is filled
// from: the usable keys of outlets, which are the active and retired ones of
// clients with role 1. Pending ones are not among them, nor those of people.
// Nothing of it writes.
type UsableStore interface {
	// Usable lists usable keys with their sealed material, ascending by outlet
	// and number.
	Usable(ctx context.Context, q UsableQuery) ([]UsableRow, error)
	// CountUsable counts them.
	CountUsable(ctx context.Context) (int, error)
	// RevokedOf lists those of keys, of any client, that have been revoked, in any order.
	RevokedOf(ctx context.Context, keys []KeyRef) ([]KeyRef, error)
}

// KeyRef names a key.
type KeyRef struct {
	Outlet   string
	Seckeyid uint64
}

// UsableQuery selects usable keys.
type UsableQuery struct {
	Outlets []string // nil: all
	After   KeyRef   // exclusive lower bound; zero: none
	Limit   int      // 0: none
}

// UsableRow is a usable key as it is stored.
type UsableRow struct {
	Outlet string
	LivingKey
}

// UsableKey is a usable key of an outlet with its material.
type UsableKey struct {
	Outlet   string
	Seckeyid uint64
	State    wire.State // active or retired
	Created  time.Time
	EndsAt   time.Time // its end by §6
	FP       wire.Fingerprint
	Key      kex.Key // zero if Err
	Err      error   // why its seal does not open, or opens to another key than its fingerprint's
}

// UsablePage reads usable keys and opens their seals, on all processors. Zero
// the keys after use. next is where the following page begins after; the last
// page has zero there.
func (s *Service) UsablePage(ctx context.Context, q UsableQuery) (page []UsableKey, next KeyRef, err error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	rows, err := s.store.Usable(ctx, q)
	if err != nil {
		return nil, next, err
	}
	page = make([]UsableKey, len(rows))
	var wg sync.WaitGroup
	each := len(rows)/runtime.GOMAXPROCS(0) + 1
	for from := 0; from < len(rows); from += each {
		wg.Go(func() {
			for i := from; i < min(from+each, len(rows)); i++ {
				page[i] = s.usable(&rows[i])
			}
		})
	}
	wg.Wait()
	if q.Limit > 0 && len(rows) == q.Limit {
		next = KeyRef{rows[len(rows)-1].Outlet, rows[len(rows)-1].Seckeyid}
	}
	return page, next, nil
}

var errFingerprint = errors.New("keyservice: the key is not that of its fingerprint")

func (s *Service) usable(row *UsableRow) UsableKey {
	k := UsableKey{Outlet: row.Outlet, Seckeyid: row.Seckeyid, State: row.State, Created: row.Created, EndsAt: row.EndsAt, FP: row.FP}
	held, err := s.openKey(row.Outlet, &row.LivingKey)
	if err != nil {
		k.Err = err
		return k
	}
	defer held.Zero()
	if held.Key.Fingerprint() != k.FP {
		k.Err = fmt.Errorf("key %d of %s: %w", row.Seckeyid, row.Outlet, errFingerprint)
		return k
	}
	k.Key = kex.NewKey(held.Key.Bytes())
	return k
}

// CountUsable counts the usable keys of all outlets.
func (s *Service) CountUsable(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	return s.store.CountUsable(ctx)
}

// RevokedOf lists those of keys that have been revoked.
func (s *Service) RevokedOf(ctx context.Context, keys []KeyRef) ([]KeyRef, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	return s.store.RevokedOf(ctx, keys)
}

// publishWithin bounds for how long an answer waits for the centre's segment.
const publishWithin = 2 * time.Second

// publish has the segment of this process follow a commit before it is answered
// (§8). It never fails: the change table tells the segment too.
func (s *Service) publish(ctx context.Context, outlet string) {
	if s.cfg.Publish == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, publishWithin)
	defer cancel()
	if err := s.cfg.Publish(ctx, outlet); err != nil {
		s.cfg.Log.Warn("answered before it was published", "outlet", outlet, "error", err)
	}
}

// Following is closed once the follower knows from where it tells: whoever
// listens already then hears of every later commit.
func (s *Service) Following() <-chan struct{} { return s.following }

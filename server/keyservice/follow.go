package keyservice

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const followPage = 500

// follow reads the change table, whoever wrote it, and tells the listeners. It
// wakes when this process has made a change and when the store says that
// another may have, and looks every followEvery for what nobody woke it for.
func (s *Service) follow(ctx context.Context) {
	var watching sync.WaitGroup
	watching.Go(func() { s.watch(ctx) })
	defer watching.Wait()
	f := follower{service: s, told: make(map[uint64]bool)}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		if err := f.step(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("changes cannot be read; trying again", "error", err)
			s.cfg.Meter.StoreFailed()
			rest(ctx, time.Second)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		case <-ticker.C:
		}
	}
}

// Pauses before the store is asked to watch again: doubled up to the longest
// as long as it cannot begin.
const (
	watchPause   = time.Second
	watchLongest = 30 * time.Second
)

// watch has the store wake the follower.
func (s *Service) watch(ctx context.Context) {
	pause := watchPause
	for {
		begun := false
		err := s.store.Watch(ctx, func() { begun = true; s.wakeFollower() })
		if ctx.Err() != nil {
			return
		}
		if begun {
			pause = watchPause
		}
		s.cfg.Log.Warn("changes of other processes are looked for, not waited for; trying again", "every", followEvery, "error", err)
		rest(ctx, pause/2+rand.N(pause/2))
		pause = min(2*pause, watchLongest)
	}
}

// follower remembers how far the change table has been read.
type follower struct {
	service *Service
	begun   bool
	at      Position
	told    map[uint64]bool // numbers beyond at that have been told
}

// step tells of all that is visible now.
func (f *follower) step(ctx context.Context) error {
	if !f.begun {
		head, err := f.head(ctx)
		if err != nil {
			return err
		}
		f.at, f.begun = head, true
		close(f.service.following)
	}
	for {
		rows, safe, err := f.changes(ctx)
		if err != nil {
			return err
		}
		beyond := make(map[uint64]bool)
		for _, row := range rows {
			if !f.told[row.N] {
				f.service.hub.tell(row)
				f.service.cfg.Meter.Told(row, max(0, f.service.cfg.Now().Sub(row.At)))
			}
			beyond[row.N] = true
		}
		more := safe != f.at && len(rows) >= followPage
		f.at, f.told = safe, beyond
		if !more {
			now := time.Now()
			f.service.readAt.Store(&now)
			return nil
		}
	}
}

func (f *follower) head(ctx context.Context) (Position, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	return f.service.store.Head(ctx)
}

func (f *follower) changes(ctx context.Context) ([]ChangeRow, Position, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	return f.service.store.Changes(ctx, f.at, followPage)
}

// rest waits for d, or until ctx ends.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

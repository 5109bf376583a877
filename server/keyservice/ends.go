package keyservice

import (
	"context"
	"errors"
	"sync"
	"time"
)

const sweepPage = 256

// sweep ends keys and unused secrets in time. Several servers may do so at once: each change is
// decided over what the others have committed.
func (s *Service) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := errors.Join(s.settle(ctx), s.dropUnused(ctx)); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("what has ended cannot be ended; trying again", "error", err)
		}
	}
}

// settle applies every end that has passed.
func (s *Service) settle(ctx context.Context) error {
	for {
		due, err := s.store.Due(ctx, s.now(), sweepPage)
		if err != nil {
			return s.storeError("", err)
		}
		// The ends are applied before the change decides, which has nothing to add.
		if err := s.changeAll(ctx, due, func(*Ledger, time.Time) error { return nil }); err != nil {
			return err
		}
		if len(due) < sweepPage {
			return nil
		}
	}
}

// changeAll has the same Change committed for many outlets, all at once so
// that they share transactions, and returns the first error.
func (s *Service) changeAll(ctx context.Context, outlets []string, decide func(*Ledger, time.Time) error) error {
	errs := make([]error, len(outlets))
	var wg sync.WaitGroup
	for i, id := range outlets {
		wg.Go(func() { errs[i] = s.change(ctx, id, 0, decide) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

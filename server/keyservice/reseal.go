package keyservice

import (
	"context"
	"errors"
	"time"
)

// Reseal seals one outlet's secrets and living keys anew where they stand
// under an older key of the ring, and tells how many those were.
func (s *Service) Reseal(ctx context.Context, outlet string) (n int, err error) {
	err = s.change(ctx, outlet, 0, func(l *Ledger, _ time.Time) error {
		n = 0
		for _, secret := range l.Secrets {
			if !s.sealer.Stale(secret.Sealed) {
				continue
			}
			if secret.Sealed, err = s.resealed(secret.Sealed, s.secretAD(l.Outlet, uint64(secret.Epoch))); err != nil {
				return err
			}
			l.Writes.SetSecrets = append(l.Writes.SetSecrets, secret)
			n++
		}
		for _, k := range l.Living {
			if !s.sealer.Stale(k.Sealed) {
				continue
			}
			if k.Sealed, err = s.resealed(k.Sealed, s.keyAD(outlet, &k)); err != nil {
				return err
			}
			l.Writes.SetKeys = append(l.Writes.SetKeys, k)
			n++
		}
		return nil
	})
	return n, err
}

func (s *Service) resealed(sealed, associated []byte) ([]byte, error) {
	plain, err := s.sealer.Open(sealed, associated)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return s.sealer.Seal(plain, associated)
}

// CheckSealed opens everything that is sealed of one outlet, calls seen for
// each, and returns why some do not open.
func (s *Service) CheckSealed(ctx context.Context, outlet string, seen func(sealed []byte)) error {
	return s.change(ctx, outlet, 0, func(l *Ledger, _ time.Time) error {
		var errs []error
		for i := range l.Secrets {
			seen(l.Secrets[i].Sealed)
			secret, err := s.openSecret(l.Outlet, &l.Secrets[i])
			secret.Zero()
			errs = append(errs, err)
		}
		for i := range l.Living {
			seen(l.Living[i].Sealed)
			held, err := s.openKey(outlet, &l.Living[i])
			if err == nil {
				held.Zero()
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// EachOutlet calls do for every enrolled client, in order of their ids.
func (s *Service) EachOutlet(ctx context.Context, do func(*Outlet) error) error {
	q := OutletQuery{Limit: eachPage}
	for {
		page, err := s.store.Outlets(ctx, q)
		if err != nil {
			return s.storeError("", err)
		}
		for i := range page {
			if err := do(&page[i].Outlet); err != nil {
				return err
			}
		}
		if len(page) < eachPage {
			return nil
		}
		q.After = page[len(page)-1].ID
	}
}

const eachPage = 500

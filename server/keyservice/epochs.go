package keyservice

import (
	"context"
	"fmt"
	"time"

	"hufu/shared/wire"
)

// unusedFor is how long a new token may wait for its first open (§9).
const unusedFor = 7 * 24 * time.Hour

// NewSecret gives an enrolled client a secret of the next epoch and returns
// its token, which is kept nowhere. The present secret stays good until the
// new one has opened; an unused newer one is replaced. With cut, all that went
// before is no longer good at once: older secrets are erased, connections under
// them closed, and the client's keys revoked with ReasonSecretCut (§9).
func (s *Service) NewSecret(ctx context.Context, id string, cut bool) (*wire.Token, error) {
	return s.newSecret(ctx, id, cut, 0, "")
}

// newSecret does nothing if the epoch that the asker believes to be the
// greatest is not, unless it is 0: then the token tells the greatest, and its
// secret is zero.
func (s *Service) newSecret(ctx context.Context, id string, cut bool, believed uint64, by string) (*wire.Token, error) {
	t, err := s.newToken(id, 0, 0)
	if err != nil {
		return nil, err
	}
	var stale bool
	err = s.change(ctx, id, 0, func(l *Ledger, now time.Time) error {
		if l.Outlet == nil {
			return ErrNoOutlet
		}
		t.Role, t.Epoch = l.Outlet.Role, uint64(l.Outlet.LastEpoch)
		if stale = believed != 0 && believed != t.Epoch; stale {
			return nil
		}
		if l.Outlet.LastEpoch == wire.MaxEpoch {
			return fmt.Errorf("keyservice: the epochs of %s are used up; enrol it under another identifier", id)
		}
		l.Outlet.LastEpoch++
		l.Writes.SetOutlet = true
		t.Epoch++
		return s.replaceSecret(l, t, cut, by, now)
	})
	if err != nil || stale {
		t.Secret.Zero()
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (s *Service) replaceSecret(l *Ledger, t *wire.Token, cut bool, by string, now time.Time) error {
	fresh, err := s.sealSecret(l.Outlet, t, now)
	if err != nil {
		return err
	}
	kind := KindNewSecret
	if cut {
		kind = KindCut
	}
	l.note(ChangeRow{At: now, Kind: kind, Outlet: l.Outlet.ID, By: by, Note: epochNote(t.Epoch)})
	l.dropSecrets(func(old Secret) bool { return cut || old.FirstUsedAt.IsZero() })
	l.Writes.NewSecrets = append(l.Writes.NewSecrets, fresh)
	if cut {
		for _, k := range append([]LivingKey(nil), l.Living...) {
			l.end(k, wire.StateRevoked, now, wire.ReasonSecretCut, by, time.Time{})
		}
	}
	return nil
}

// dropSecrets erases those secrets that are no longer good.
func (l *Ledger) dropSecrets(gone func(Secret) bool) {
	kept := l.Secrets[:0:0]
	for _, secret := range l.Secrets {
		if gone(secret) {
			l.Writes.DropSecrets = append(l.Writes.DropSecrets, secret.Epoch)
			continue
		}
		kept = append(kept, secret)
	}
	l.Secrets = kept
}

// Opened is called when a client's open has been authenticated. The first open
// under an epoch is recorded and erases the epochs before it; those who have
// been disabled or cut meanwhile are refused.
func (s *Service) Opened(ctx context.Context, clientID string, epoch uint64) error {
	return s.change(ctx, clientID, 0, func(l *Ledger, now time.Time) error {
		if l.Outlet == nil || l.Outlet.Disabled {
			return wire.CodeNotPermitted
		}
		for _, secret := range l.Secrets {
			if uint64(secret.Epoch) != epoch {
				continue
			}
			if secret.FirstUsedAt.IsZero() {
				secret.FirstUsedAt = now
				l.Writes.UsedSecrets = append(l.Writes.UsedSecrets, secret)
				l.note(ChangeRow{At: now, Kind: KindOpened, Outlet: clientID, By: clientID, Note: epochNote(epoch)})
				l.dropSecrets(func(old Secret) bool { return old.Epoch < secret.Epoch })
			}
			return nil
		}
		return wire.CodeNotPermitted
	})
}

// dropUnused erases secrets that have waited for their first open too long.
func (s *Service) dropUnused(ctx context.Context) error {
	for {
		unused, err := s.store.Unused(ctx, s.now().Add(-unusedFor), sweepPage)
		if err != nil {
			return s.storeError("", err)
		}
		if err := s.changeAll(ctx, unused, dropUnusedSecrets); err != nil {
			return err
		}
		if len(unused) < sweepPage {
			return nil
		}
	}
}

func dropUnusedSecrets(l *Ledger, now time.Time) error {
	l.dropSecrets(func(s Secret) bool {
		gone := s.FirstUsedAt.IsZero() && !s.CreatedAt.After(now.Add(-unusedFor))
		if gone {
			l.note(ChangeRow{At: now, Kind: KindSecretGone, Outlet: l.Outlet.ID, Note: epochNote(uint64(s.Epoch))})
		}
		return gone
	})
	return nil
}

func epochNote(epoch uint64) string { return fmt.Sprintf("epoch %d", epoch) }

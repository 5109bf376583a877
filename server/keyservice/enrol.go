package keyservice

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"hufu/shared/wire"
)

// Enrolment is what an open is checked against.
type Enrolment struct {
	Secret wire.Secret // zero it when the connection's keys are derived
	Role   wire.Role
	Known  bool // false: not enrolled, disabled or wrong epoch, and Secret is a dummy
	Unused bool // no open under this epoch has succeeded yet
}

// Lookup finds the secret of a client's epoch. Whoever is not enrolled, is
// disabled or names another epoch gets a dummy secret by the same path. An
// error says that the store cannot answer for any id, or that nobody could be
// told of changes yet: who is let in before would never hear of what happens
// meanwhile.
func (s *Service) Lookup(ctx context.Context, clientID string, epoch uint64) (*Enrolment, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	select {
	case <-s.following:
	case <-ctx.Done():
		return nil, s.storeError(clientID, ctx.Err())
	}
	o, secrets, err := s.store.Outlet(ctx, clientID)
	if err != nil && !errors.Is(err, ErrNoOutlet) {
		return nil, s.storeError(clientID, err)
	}
	e := &Enrolment{Role: o.Role, Secret: s.dummySecret(clientID)}
	for i := range secrets {
		if uint64(secrets[i].Epoch) != epoch || o.Disabled {
			continue
		}
		secret, err := s.openSecret(&o, &secrets[i])
		if err != nil {
			s.cfg.Log.Error("open failed: the secret's seal does not open; check the key ring", "outlet", clientID, "error", err)
			continue // one damaged row must not tell that its id is there
		}
		e.Secret, e.Known, e.Unused = secret, true, secrets[i].FirstUsedAt.IsZero()
	}
	return e, nil
}

// dummySecret is HMAC(dummy_key, clientId).
func (s *Service) dummySecret(clientID string) wire.Secret {
	h := hmac.New(sha256.New, s.dummy[:])
	h.Write([]byte(clientID))
	return wire.Secret(h.Sum(nil))
}

// Enrol makes a new outlet, operator or auditor and returns its token, which
// is kept nowhere. ErrExists refuses an id that is there.
func (s *Service) Enrol(ctx context.Context, id string, role wire.Role) (*wire.Token, error) {
	return s.enrolBy(ctx, id, role, "")
}

func (s *Service) enrolBy(ctx context.Context, id string, role wire.Role, by string) (*wire.Token, error) {
	t, err := s.firstToken(id, role)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, id, 0, func(l *Ledger, now time.Time) error { return s.enrol(l, t, by, now) })
	if err != nil {
		t.Secret.Zero()
		return nil, err
	}
	return t, nil
}

// EnrolAll makes many, all or none. each is called with every token before
// anything is committed; its error, too, leaves none. An error that wraps
// ErrInDoubt says that they may be enrolled.
func (s *Service) EnrolAll(ctx context.Context, ids []string, role wire.Role, each func(*wire.Token) error) error {
	changes := make([]*Change, 0, len(ids))
	for _, id := range ids {
		t, err := s.firstToken(id, role)
		if err != nil {
			return err
		}
		defer t.Secret.Zero()
		if err := each(t); err != nil {
			return err
		}
		changes = append(changes, &Change{Outlet: id, Decide: func(l *Ledger) error { return s.enrol(l, t, "", s.now()) }})
	}
	return s.store.ApplyAll(ctx, changes)
}

func (s *Service) firstToken(id string, role wire.Role) (*wire.Token, error) {
	if !wire.ValidID(id) {
		return nil, fmt.Errorf("keyservice: %q is not an identifier: 1 to %d characters of A-Z a-z 0-9 . _ -", id, wire.MaxID)
	}
	return s.newToken(id, role, 1)
}

func (s *Service) enrol(l *Ledger, t *wire.Token, by string, now time.Time) error {
	if l.Outlet != nil {
		return ErrExists
	}
	o := Outlet{ID: t.ClientID, Role: t.Role, EnrolledAt: now, LastEpoch: uint32(t.Epoch)}
	secret, err := s.sealSecret(&o, t, now)
	if err != nil {
		return err
	}
	l.enrol(o, secret)
	l.note(ChangeRow{At: now, Kind: KindEnrolled, Outlet: o.ID, By: by, Note: o.Role.String()})
	return nil
}

// SetDisabled disables or enables a client; disabling closes its connections
// and changes no key. ErrNoOutlet refuses an unknown id.
func (s *Service) SetDisabled(ctx context.Context, id string, disabled bool) error {
	_, err := s.setDisabled(ctx, id, disabled, "")
	return err
}

// setDisabled tells whether it was not so before.
func (s *Service) setDisabled(ctx context.Context, id string, disabled bool, by string) (changed bool, err error) {
	err = s.change(ctx, id, 0, func(l *Ledger, now time.Time) error {
		if l.Outlet == nil {
			return ErrNoOutlet
		}
		if changed = l.Outlet.Disabled != disabled; !changed {
			return nil
		}
		l.Outlet.Disabled = disabled
		l.Writes.SetOutlet = true
		kind := KindEnabled
		if disabled {
			kind = KindDisabled
		}
		l.note(ChangeRow{At: now, Kind: kind, Outlet: id, By: by})
		return nil
	})
	return changed, err
}

func (s *Service) newToken(id string, role wire.Role, epoch uint64) (*wire.Token, error) {
	t := &wire.Token{URL: s.cfg.URL, ServerID: s.cfg.ServerID, ClientID: id, Role: role, Epoch: epoch}
	if _, err := io.ReadFull(s.cfg.Random, t.Secret[:]); err != nil {
		return nil, fmt.Errorf("keyservice: no randomness: %w", err)
	}
	return t, nil
}

func (s *Service) sealSecret(o *Outlet, t *wire.Token, now time.Time) (Secret, error) {
	sealed, err := s.sealer.Seal(t.Secret[:], s.secretAD(o, t.Epoch))
	return Secret{Epoch: uint32(t.Epoch), Sealed: sealed, CreatedAt: now}, err
}

func (s *Service) openSecret(o *Outlet, sealed *Secret) (secret wire.Secret, err error) {
	plain, err := s.sealer.Open(sealed.Sealed, s.secretAD(o, uint64(sealed.Epoch)))
	if err != nil {
		return secret, err
	}
	defer clear(plain)
	if len(plain) != len(secret) {
		return secret, fmt.Errorf("keyservice: a secret has %d bytes, not %d", len(secret), len(plain))
	}
	return wire.Secret(plain), nil
}

// secretAD binds a sealed secret to its row (§9).
func (s *Service) secretAD(o *Outlet, epoch uint64) []byte {
	return wire.NewE("hufu1 row secret").Text(s.cfg.ServerID).Text(o.ID).Uint(epoch).Uint(uint64(o.Role)).Sum()
}

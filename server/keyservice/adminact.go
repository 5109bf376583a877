package keyservice

import (
	"context"
	"errors"
	"slices"

	"hufu/shared/wire"
)

// What an operator does to others. Each is recorded under the operator's name.

// stillEnrolled refuses an operator whose disabling or cut has been committed,
// though the connection may not have heard of it.
func (s *Service) stillEnrolled(ctx context.Context, p *Peer) error {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	o, secrets, err := s.store.Outlet(ctx, p.ClientID)
	if err != nil {
		return s.storeError(p.ClientID, err)
	}
	if o.Disabled || !slices.ContainsFunc(secrets, func(x Secret) bool { return uint64(x.Epoch) == p.Epoch }) {
		return wire.CodeNotPermitted
	}
	return nil
}

func (s *Service) adminEnrol(ctx context.Context, p *Peer, o *wire.Enrol, at place) (wire.Result, error) {
	e, err := s.envelope(ctx, p)
	if err != nil {
		return nil, err
	}
	t, err := s.enrolBy(ctx, o.ID, o.Role, p.ClientID)
	if errors.Is(err, ErrExists) {
		return nil, wire.CodeBadBody
	}
	if err != nil {
		return nil, err
	}
	return handOut(p, e, t, at)
}

// adminNewSecret does nothing for one who believes in another epoch than the
// present one, and tells it.
func (s *Service) adminNewSecret(ctx context.Context, p *Peer, o *wire.NewSecret, at place) (wire.Result, error) {
	e, err := s.envelope(ctx, p)
	if err != nil {
		return nil, err
	}
	t, err := s.newSecret(ctx, o.ID, o.Cut, o.Epoch, p.ClientID)
	switch {
	case errors.Is(err, ErrNoOutlet):
		return nil, wire.CodeNoKey
	case err != nil:
		return nil, err
	case t.Secret == wire.Secret{}:
		return &wire.EnrolledOK{ID: t.ClientID, Role: t.Role, Epoch: t.Epoch}, nil
	}
	return handOut(p, e, t, at)
}

// handOut answers with a token that was committed, sealed, and forgets it.
func handOut(p *Peer, e *envelope, t *wire.Token, at place) (wire.Result, error) {
	defer t.Secret.Zero()
	sealed, err := e.close(p, t, at.number, at.request)
	if err != nil {
		return nil, err
	}
	return &wire.EnrolledOK{ID: t.ClientID, Role: t.Role, Epoch: t.Epoch, Sealed: sealed, Seckeyid: e.seckeyid}, nil
}

// adminDisable disables or enables. Who disables itself could not undo it.
func (s *Service) adminDisable(ctx context.Context, p *Peer, id string, disabled bool) (wire.Result, error) {
	if disabled && id == p.ClientID {
		return nil, wire.CodeBadBody
	}
	changed, err := s.setDisabled(ctx, id, disabled, p.ClientID)
	if errors.Is(err, ErrNoOutlet) {
		return nil, wire.CodeNoKey
	}
	return &wire.ChangedOK{Changed: changed}, err
}

func (s *Service) adminRevoke(ctx context.Context, p *Peer, o *wire.RevokeOf) (wire.Result, error) {
	changed, err := s.revoke(ctx, o.Outlet, o.Seckeyid, o.Reason, p.ClientID, o.Note)
	return &wire.ChangedOK{Changed: changed}, err
}

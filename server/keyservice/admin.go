package keyservice

import (
	"context"
	"slices"

	"hufu/shared/wire"
)

// What a role may do stands here alone.
var (
	readers = []wire.Role{wire.RoleOperator, wire.RoleAuditor}
	actors  = []wire.Role{wire.RoleOperator}

	permitted = map[wire.Op][]wire.Role{
		wire.OpOverview: readers, wire.OpOutlets: readers, wire.OpOutlet: readers, wire.OpKey: readers,
		wire.OpEvents: readers, wire.OpWatch: readers, wire.OpUnwatch: readers,
		wire.OpEnrol: actors, wire.OpNewSecret: actors, wire.OpEnable: actors, wire.OpDisable: actors, wire.OpRevoke: actors,
	}
)

// Administer has an operation done (§12) and returns its reply, which must
// become the message numbered number: a token in it is sealed for that place.
// An error is a wire.Code. What the role does not permit is not done, and
// recorded.
func (s *Service) Administer(ctx context.Context, p *Peer, m *wire.Administer, number uint64) (*wire.AdministerOK, error) {
	if !slices.Contains(readers, p.Role) {
		return nil, s.refuse(ctx, p, "administer")
	}
	op, err := wire.OpOf(m.Doc)
	roles := permitted[op]
	if err != nil || roles == nil {
		return nil, wire.CodeBadBody
	}
	if !slices.Contains(roles, p.Role) {
		return nil, s.refuse(ctx, p, string(op))
	}
	o, err := wire.DecodeOperation(m.Doc)
	if err != nil {
		return nil, wire.CodeBadBody
	}
	result, err := s.operate(ctx, p, o, place{number, m.AuthCode})
	if err != nil {
		return nil, err
	}
	doc, err := wire.EncodeResult(result)
	if err != nil {
		s.cfg.Log.Error("administer failed", "op", string(op), "error", err)
		return nil, wire.CodeInternal
	}
	return &wire.AdministerOK{Doc: doc}, nil
}

// place is which reply a token is sealed for.
type place struct {
	number  uint64
	request wire.MAC
}

func (s *Service) operate(ctx context.Context, p *Peer, o wire.Operation, at place) (wire.Result, error) {
	switch o := o.(type) {
	case *wire.Overview:
		return s.adminOverview(ctx)
	case *wire.Outlets:
		return s.adminOutlets(ctx, o)
	case *wire.OutletOf:
		return s.adminOutlet(ctx, o)
	case *wire.KeyOf:
		return s.adminKey(ctx, o)
	case *wire.Events:
		return s.adminEvents(ctx, o)
	case *wire.Watch:
		return s.adminWatch(ctx, p, o)
	case *wire.Unwatch:
		p.Unwatch()
		return &wire.UnwatchOK{}, nil
	}
	if err := s.stillEnrolled(ctx, p); err != nil {
		return nil, err
	}
	switch o := o.(type) {
	case *wire.Enrol:
		return s.adminEnrol(ctx, p, o, at)
	case *wire.NewSecret:
		return s.adminNewSecret(ctx, p, o, at)
	case *wire.Enable:
		return s.adminDisable(ctx, p, o.ID, false)
	case *wire.Disable:
		return s.adminDisable(ctx, p, o.ID, true)
	case *wire.RevokeOf:
		return s.adminRevoke(ctx, p, o)
	}
	return nil, wire.CodeInternal
}

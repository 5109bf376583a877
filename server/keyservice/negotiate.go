package keyservice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// Negotiate agrees on a fresh key, which stays pending until it is verified.
// The key is committed before the reply is returned. An error is a wire.Code.
func (s *Service) Negotiate(ctx context.Context, p *Peer, m *wire.Negotiate) (*wire.NegotiateOK, error) {
	half, err := s.respond(ctx, m)
	if err != nil {
		return nil, err
	}
	defer half.Zero()
	ok := &wire.NegotiateOK{}
	var seal kex.SealKey
	defer seal.Zero()
	err = s.change(ctx, p.ClientID, 0, func(l *Ledger, now time.Time) error {
		if l.Outlet == nil || l.Outlet.Disabled {
			return wire.CodeNotPermitted
		}
		return s.addPending(l, p, m, half, ok, &seal, now)
	})
	if err != nil {
		return nil, err
	}
	if slices.Contains(actors, p.Role) { // to nobody else is anything sealed
		p.seals.keep(ok.Seckeyid, &seal)
	}
	return ok, nil
}

// respond does the asymmetric work, before and outside of any transaction.
func (s *Service) respond(ctx context.Context, m *wire.Negotiate) (*kex.Response, error) {
	if err := s.gate.enter(ctx); err != nil {
		return nil, wire.CodeBusy
	}
	defer s.gate.leave()
	half, err := kex.Respond(s.cfg.Random, m)
	switch {
	case errors.Is(err, kex.ErrShare):
		return nil, wire.CodeBadBody
	case err != nil:
		s.cfg.Log.Error("negotiate failed", "error", err)
		return nil, wire.CodeInternal
	}
	return half, nil
}

// addPending gives the key its number and seals it.
func (s *Service) addPending(l *Ledger, p *Peer, m *wire.Negotiate, half *kex.Response, ok *wire.NegotiateOK, seal *kex.SealKey, now time.Time) error {
	if l.Outlet.LastNumber >= wire.MaxSeckeyid {
		s.cfg.Log.Error("negotiate failed: the outlet's numbers are used up", "outlet", p.ClientID)
		return wire.CodeInternal
	}
	l.Outlet.LastNumber++
	l.Writes.SetOutlet = true
	number := l.Outlet.LastNumber

	agreed := half.Agree(p.Keys, m, number, uint64(s.cfg.Lifetime/time.Second), ok)
	defer agreed.Zero()
	*seal = agreed.Seal
	k := LivingKey{Seckeyid: number, State: wire.StatePending, Created: now,
		Expires: now.Add(s.cfg.Lifetime), EndsAt: now.Add(pendingFor), FP: agreed.Key.Fingerprint()}
	held := agreed.Held.Bytes()
	defer clear(held)
	var err error
	if k.Sealed, err = s.sealer.Seal(held, s.keyAD(p.ClientID, &k)); err != nil {
		s.cfg.Log.Error("negotiate failed", "outlet", p.ClientID, "error", err)
		return wire.CodeInternal
	}
	l.expireOldestPending(now)
	l.addKey(k)
	l.note(ChangeRow{At: now, Kind: KindNegotiated, Outlet: p.ClientID, Seckeyid: number, State: wire.StatePending, By: p.ClientID})
	return nil
}

// expireOldestPending makes room for one more pending key, so that lost
// replies lock nobody out.
func (l *Ledger) expireOldestPending(now time.Time) {
	var pending []LivingKey
	for _, k := range l.Living {
		if k.State == wire.StatePending {
			pending = append(pending, k)
		}
	}
	for i := 0; len(pending)-i >= pendingMax; i++ {
		l.end(pending[i], wire.StateExpired, now, wire.ReasonSuperseded, "", time.Time{})
	}
}

// keyAD binds a sealed key to its row (§9).
func (s *Service) keyAD(outlet string, k *LivingKey) []byte {
	return wire.NewE("hufu1 row key").Text(s.cfg.ServerID).Text(outlet).Uint(k.Seckeyid).
		Uint(uint64(k.Created.UnixMilli())).Uint(uint64(k.Expires.Sub(k.Created) / time.Second)).Sum()
}

// openKey opens a living key's seal. Zero the result.
func (s *Service) openKey(outlet string, k *LivingKey) (*kex.Held, error) {
	plain, err := s.sealer.Open(k.Sealed, s.keyAD(outlet, k))
	if err != nil {
		return nil, fmt.Errorf("key %d of %s: %w", k.Seckeyid, outlet, err)
	}
	defer clear(plain)
	return kex.ParseHeld(plain)
}

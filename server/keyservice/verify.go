package keyservice

import (
	"context"
	"time"

	"hufu/shared/wire"
)

// Verify checks the client's proof that it holds the key and answers with the
// server's. A pending key becomes active by it. An error is a wire.Code.
func (s *Service) Verify(ctx context.Context, p *Peer, m *wire.Verify) (*wire.VerifyOK, error) {
	ok := &wire.VerifyOK{}
	var code wire.Code
	err := s.change(ctx, p.ClientID, m.Seckeyid, func(l *Ledger, now time.Time) (err error) {
		code, err = s.verify(l, p, m, ok, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	if code != wire.CodeOK {
		return nil, code
	}
	if ok.State == wire.StateActive {
		p.seals.active(m.Seckeyid)
	}
	return ok, nil
}

// verify decides. A code is an outcome that may have to be recorded; an error
// undoes the change.
func (s *Service) verify(l *Ledger, p *Peer, m *wire.Verify, ok *wire.VerifyOK, now time.Time) (wire.Code, error) {
	if l.Outlet == nil {
		return wire.CodeNoKey, nil
	}
	rules := stateTable[l.stateOf(m.Seckeyid)]
	k := l.living(m.Seckeyid)
	if k == nil {
		return rules.match.code, nil // the state is checked before the confirmation
	}
	key := *k
	held, err := s.openKey(p.ClientID, &key)
	if err != nil {
		s.cfg.Log.Error("verify failed", "outlet", p.ClientID, "error", err)
		return 0, wire.CodeInternal
	}
	defer held.Zero()
	if !held.CheckClient(p.Keys, m.Q, m.Seckeyid, m.Confirm) {
		return s.mismatch(l, p, key, rules.mismatch, now), nil
	}
	ok.Confirm = held.ProveServer(p.Keys, m.Q, m.Seckeyid, m.Confirm)
	ok.State = key.State
	if rules.match.to == wire.StateActive {
		l.activate(m.Seckeyid, p.ClientID, now, s.cfg.Grace)
		ok.State = wire.StateActive
	}
	return rules.match.code, nil
}

// mismatch records that the two ends hold different keys.
func (s *Service) mismatch(l *Ledger, p *Peer, k LivingKey, o outcome, now time.Time) wire.Code {
	l.note(ChangeRow{At: now, Kind: KindMismatch, Outlet: p.ClientID, Seckeyid: k.Seckeyid, By: p.ClientID})
	if o.to == wire.StateExpired {
		l.end(k, o.to, now, wire.ReasonRoutine, "", time.Time{})
	}
	return o.code
}

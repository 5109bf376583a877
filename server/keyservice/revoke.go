package keyservice

import (
	"context"
	"time"

	"hufu/shared/wire"
)

// Revoke ends a key of the peer's own for good. An error is a wire.Code.
func (s *Service) Revoke(ctx context.Context, p *Peer, m *wire.Revoke) error {
	_, err := s.revoke(ctx, p.ClientID, m.Seckeyid, m.Reason, p.ClientID, "")
	return err
}

// RevokeKey is Revoke by the administration of the server itself. The note, at
// most 200 bytes, is recorded.
func (s *Service) RevokeKey(ctx context.Context, outlet string, seckeyid uint64, why wire.Reason, note string) error {
	_, err := s.revoke(ctx, outlet, seckeyid, why, "", note)
	return err
}

// revoke erases the material in the transaction that records the state. The
// first reason stays, and changed tells whether there was none.
func (s *Service) revoke(ctx context.Context, outlet string, seckeyid uint64, why wire.Reason, by, note string) (changed bool, err error) {
	var code wire.Code
	err = s.change(ctx, outlet, seckeyid, func(l *Ledger, now time.Time) error {
		if l.Outlet == nil {
			code = wire.CodeNoKey
			return nil
		}
		o := stateTable[l.stateOf(seckeyid)].revoke
		code = o.code
		if changed = o.to == wire.StateRevoked; changed {
			l.end(*l.living(seckeyid), o.to, now, why, by, time.Time{})
			l.Writes.Changes[len(l.Writes.Changes)-1].Note = note
		}
		return nil
	})
	if err == nil && code != wire.CodeOK {
		return false, code
	}
	return changed, err
}

// Receipt records that the peer has wiped its copies of an expired or revoked
// key; the first receipt stays. An error is a wire.Code.
func (s *Service) Receipt(ctx context.Context, p *Peer, m *wire.Receipt) error {
	var code wire.Code
	err := s.change(ctx, p.ClientID, m.Seckeyid, func(l *Ledger, now time.Time) error {
		switch state := l.stateOf(m.Seckeyid); {
		case state == stateAbsent:
			code = wire.CodeNoKey
		case state != m.State || state < wire.StateExpired:
			code = wire.CodeBadBody
		default:
			code = wire.CodeOK
			if l.Named.ReceiptAt.IsZero() {
				l.Writes.Receipts = append(l.Writes.Receipts, Receipt{Seckeyid: m.Seckeyid, State: state, At: now, Conn: p.Conn})
				l.note(ChangeRow{At: now, Kind: KindReceipt, Outlet: p.ClientID, Seckeyid: m.Seckeyid, By: p.ClientID})
			}
		}
		return nil
	})
	if err == nil && code != wire.CodeOK {
		return code
	}
	return err
}

// Unreceipted lists the peer's revoked keys that have no receipt, at most 64,
// newest first: what is pushed after open ok (§8).
func (s *Service) Unreceipted(ctx context.Context, clientID string) ([]Revoked, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	rows, err := s.store.Unreceipted(ctx, clientID, unreceiptedMax)
	if err != nil {
		return nil, s.storeError(clientID, err)
	}
	return rows, nil
}

package keyservice

import (
	"context"
	"time"

	"hufu/shared/wire"
)

// View returns a page of the history that the peer may see, and the cursor of
// the next page. An error is a wire.Code.
func (s *Service) View(ctx context.Context, p *Peer, m *wire.View) (*wire.ViewOK, error) {
	f, err := wire.DecodeFilter(m.Doc)
	if err != nil {
		return nil, wire.CodeBadBody
	}
	q := KeyQuery{Outlet: f.Outlet, From: fromMillis(f.From), To: fromMillis(f.To), Limit: int(m.Limit)}
	if f.Bounded {
		q.States = append([]wire.State{}, f.States...)
	}
	if p.Role == wire.RoleOutlet {
		if f.Outlet != "" && f.Outlet != p.ClientID {
			return nil, s.refuse(ctx, p, "view of another outlet")
		}
		q.Outlet, q.ByNumber, q.BeforeKey = p.ClientID, true, m.Cursor
	} else {
		q.BeforeN = m.Cursor
	}
	return s.page(ctx, q)
}

func (s *Service) page(ctx context.Context, q KeyQuery) (*wire.ViewOK, error) {
	keys, err := s.Keys(ctx, q)
	if err != nil {
		return nil, err
	}
	rows := make([]wire.Row, len(keys))
	for i := range keys {
		rows[i] = wireRow(&keys[i])
	}
	doc, n, err := wire.EncodePage(rows)
	if err != nil {
		s.cfg.Log.Error("view failed", "error", err)
		return nil, wire.CodeInternal
	}
	ok := &wire.ViewOK{Doc: doc}
	if n > 0 && (n < len(rows) || n == q.Limit) {
		ok.Cursor = rows[n-1].N
		if q.ByNumber {
			ok.Cursor = rows[n-1].Seckeyid
		}
	}
	return ok, nil
}

// Keys lists keys, every end that has passed applied.
func (s *Service) Keys(ctx context.Context, q KeyQuery) ([]KeyRow, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	rows, err := s.store.Keys(ctx, q)
	if err != nil {
		return nil, s.storeError(q.Outlet, err)
	}
	return rows, nil
}

func wireRow(k *KeyRow) wire.Row {
	return wire.Row{N: k.N, Outlet: k.Outlet, Seckeyid: k.Seckeyid, State: k.State,
		Negotiated: toMillis(k.Negotiated), Verified: toMillis(k.Verified), Retired: toMillis(k.Retired),
		Expires: toMillis(k.Expires), Ended: toMillis(k.Ended), Reason: k.Reason, By: k.By,
		Receipt: toMillis(k.Receipt), FP: k.FP}
}

func toMillis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixMilli())
}

func fromMillis(ms uint64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}

// refuse records an attempt that the role does not permit.
func (s *Service) refuse(ctx context.Context, p *Peer, what string) error {
	err := s.change(ctx, p.ClientID, 0, func(l *Ledger, now time.Time) error {
		l.note(ChangeRow{At: now, Kind: KindRefused, Outlet: p.ClientID, By: p.ClientID, Note: what})
		return nil
	})
	if err != nil {
		return err
	}
	return wire.CodeNotPermitted
}

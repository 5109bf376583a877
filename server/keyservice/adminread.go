package keyservice

import (
	"context"
	"slices"

	"hufu/shared/wire"
)

// What an operator or auditor may see.

// adminKey returns one key with its timeline.
func (s *Service) adminKey(ctx context.Context, o *wire.KeyOf) (wire.Result, error) {
	keys, err := s.Keys(ctx, KeyQuery{Outlet: o.Outlet, ByNumber: true, BeforeKey: o.Seckeyid + 1, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 || keys[0].Seckeyid != o.Seckeyid {
		return nil, wire.CodeNoKey
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	states, err := s.store.States(ctx, o.Outlet, o.Seckeyid)
	if err != nil {
		return nil, s.storeError(o.Outlet, err)
	}
	receipts, err := s.store.Receipts(ctx, o.Outlet, o.Seckeyid)
	if err != nil {
		return nil, s.storeError(o.Outlet, err)
	}
	ok := &wire.KeyOK{Row: wireRow(&keys[0])}
	for _, x := range states {
		ok.Steps = append(ok.Steps, wire.Step{State: x.State, At: toMillis(x.At), Reason: x.Reason, By: x.By, Note: x.Note})
	}
	for _, x := range receipts {
		ok.Receipts = append(ok.Receipts, wire.ReceiptStep{State: x.State, At: toMillis(x.At), Conn: x.Conn})
	}
	return ok, nil
}

// adminEvents returns a page of the change table.
func (s *Service) adminEvents(ctx context.Context, o *wire.Events) (wire.Result, error) {
	q := EventQuery{Outlet: o.Outlet, From: fromMillis(o.From), To: fromMillis(o.To), BeforeN: o.Before, Limit: int(o.Limit)}
	if o.Kinds != nil {
		q.Kinds = []Kind{}
		for _, name := range o.Kinds {
			if kind, known := ParseKind(name); known { // there are no events of another
				q.Kinds = append(q.Kinds, kind)
			}
		}
	}
	if o.From != 0 && o.To != 0 && o.From >= o.To {
		return &wire.EventsOK{}, nil
	}
	changes, err := s.Events(ctx, q)
	if err != nil {
		return nil, err
	}
	rows := wireEvents(changes)
	n, err := wire.Fit(rows)
	if err != nil {
		s.cfg.Log.Error("administer failed", "op", "events", "error", err)
		return nil, wire.CodeInternal
	}
	ok := &wire.EventsOK{Rows: rows[:n]}
	if n > 0 && (n < len(rows) || n == q.Limit) {
		ok.Before = rows[n-1].N
	}
	return ok, nil
}

// Events lists the change table, newest first.
func (s *Service) Events(ctx context.Context, q EventQuery) ([]ChangeRow, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	changes, err := s.store.Events(ctx, q)
	if err != nil {
		return nil, s.storeError(q.Outlet, err)
	}
	return changes, nil
}

func wireEvents(changes []ChangeRow) []wire.EventRow {
	rows := make([]wire.EventRow, len(changes))
	for i := range changes {
		rows[i] = wireEvent(&changes[i])
	}
	return rows
}

func (s *Service) adminWatch(ctx context.Context, p *Peer, o *wire.Watch) (wire.Result, error) {
	n, err := s.attend(ctx, p, o.Since)
	return &wire.WatchOK{N: n}, err
}

// kindsBut lists all kinds but these.
func kindsBut(not ...Kind) []Kind {
	return slices.DeleteFunc(slices.Clone(kinds), func(k Kind) bool { return slices.Contains(not, k) })
}

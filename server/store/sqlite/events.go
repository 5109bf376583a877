package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"hufu/server/keyservice"
)

// Events implements keyservice.Store. Some kinds of all outlets are the last
// ones of each by their index, not what a walk through the table comes upon.
func (s *Store) Events(ctx context.Context, q keyservice.EventQuery) ([]keyservice.ChangeRow, error) {
	w := &where{}
	if q.Outlet != "" {
		w.and(`outlet = ?`, q.Outlet)
	}
	if q.BeforeN != 0 {
		w.and(`n < ?`, num(q.BeforeN))
	}
	if q.AfterN != 0 {
		w.and(`n > ?`, num(q.AfterN))
	}
	w.between(`at`, q.From, q.To)
	order := ` ORDER BY n DESC LIMIT ?`
	if q.Oldest {
		order = ` ORDER BY n LIMIT ?`
	}
	var of []string
	var args []any
	switch {
	case q.Kinds == nil || q.Outlet != "":
		if q.Kinds != nil {
			w.and(`kind IN (`+marks(len(q.Kinds))+`)`, anys(q.Kinds)...)
		}
		return list(ctx, s.readers, "events", scanChange, selectChanges+w.String()+order, append(w.args, q.Limit)...)
	case len(q.Kinds) == 0:
		return nil, nil
	}
	for _, kind := range slices.Compact(slices.Sorted(slices.Values(q.Kinds))) {
		one := &where{conds: append([]string(nil), w.conds...), args: append([]any(nil), w.args...)}
		one.and(`kind = ?`, kind)
		of = append(of, `SELECT * FROM (`+selectChanges+one.String()+order+`)`)
		args = append(append(args, one.args...), q.Limit)
	}
	return list(ctx, s.readers, "events", scanChange, strings.Join(of, ` UNION ALL `)+order, append(args, q.Limit)...)
}

// Tally implements keyservice.AdminStore.
func (s *Store) Tally(ctx context.Context, from, to time.Time) ([]keyservice.TallyRow, error) {
	return list(ctx, s.readers, "tally", func(scan func(...any) error) (r keyservice.TallyRow, err error) {
		var hour sql.NullInt64
		err = scan(&hour, &r.Kind, &r.Count)
		r.Hour = timeOf(hour)
		return r, err
	}, `SELECT at / 3600000 * 3600000 AS hour, kind, count(*) FROM change
		WHERE at >= ? AND at < ? GROUP BY hour, kind ORDER BY hour, kind`, from.UnixMilli(), to.UnixMilli())
}

// Watermark implements keyservice.AdminStore. There is one writer at a time, so
// that whatever is visible is complete.
func (s *Store) Watermark(ctx context.Context) (w keyservice.Watermark, err error) {
	head, err := s.Head(ctx)
	return keyservice.Watermark{N: head.N}, err
}

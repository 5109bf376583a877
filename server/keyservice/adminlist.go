package keyservice

import (
	"context"
	"errors"
	"sync"
	"time"

	"hufu/shared/wire"
)

const (
	overviewHours = 24
	overviewLast  = 10 // events
	outletKeys    = 10 // the newest, of one outlet
)

// Overview is how the network is: counts, what happened in the last 24 hours,
// and last.
type Overview struct {
	Now    time.Time
	Counts Counts
	Hours  []wire.Hour // oldest first; the last one runs
	Last   []ChangeRow // newest first; who comes and goes is not among them
}

// Day sums up the hours.
func (o *Overview) Day() (day wire.Hour) {
	for _, h := range o.Hours {
		day.Negotiated += h.Negotiated
		day.Verified += h.Verified
		day.Mismatch += h.Mismatch
		day.Refused += h.Refused
		day.Revoked += h.Revoked
		day.Expired += h.Expired
	}
	return day
}

// Overview reads it, every end that has passed applied.
func (s *Service) Overview(ctx context.Context) (o Overview, err error) {
	o.Now = s.now()
	if o.Hours, err = s.hours(ctx, o.Now); err != nil {
		return o, err
	}
	if o.Counts, err = s.Counts(ctx); err != nil {
		return o, err
	}
	o.Last, err = s.Events(ctx, EventQuery{Kinds: kindsBut(KindConnected, KindDisconnected), Limit: overviewLast})
	return o, err
}

// adminOverview answers with the overview.
func (s *Service) adminOverview(ctx context.Context) (wire.Result, error) {
	o, err := s.Overview(ctx)
	if err != nil {
		return nil, err
	}
	c, day := &o.Counts, o.Day()
	ok := &wire.OverviewOK{Now: toMillis(o.Now), Hours: o.Hours, Outlets: wire.OutletCounts{
		All: uint64(c.All), Disabled: uint64(c.Disabled), Connected: uint64(c.Connected), None: uint64(c.None),
		Fresh: uint64(c.Fresh), Soon: uint64(c.Soon), Stale: uint64(c.Stale)}}
	ok.Keys.Pending, ok.Keys.Active, ok.Keys.Retired = uint64(c.Pending), uint64(c.Active), uint64(c.Retired)
	ok.Ended.Expired, ok.Ended.Revoked = day.Expired, day.Revoked
	ok.Last = wireEvents(o.Last)
	return ok, nil
}

// tallies keeps what the hours that are over have counted.
type tallies struct {
	mu    sync.Mutex
	hours map[int64]wire.Hour // by their start in milliseconds
}

// openFor is how long after an hour its lines may still come: a commit takes
// its time, and two servers' clocks differ.
const openFor = time.Hour

// hours counts the last 24 hours; those that are over are read once. Every end
// that has passed is applied before.
func (s *Service) hours(ctx context.Context, now time.Time) ([]wire.Hour, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	running := now.Truncate(time.Hour)
	first := running.Add(-(overviewHours - 1) * time.Hour)
	s.tallies.mu.Lock()
	defer s.tallies.mu.Unlock()
	from := s.tallies.forget(first)
	rows, err := s.store.Tally(ctx, from, running.Add(time.Hour))
	if err != nil {
		return nil, s.storeError("", err)
	}
	all := make([]wire.Hour, overviewHours)
	for i := range all {
		all[i].At = toMillis(first.Add(time.Duration(i) * time.Hour))
		if kept, is := s.tallies.hours[int64(all[i].At)]; is {
			all[i] = kept
		}
	}
	for _, r := range rows {
		if i := int(r.Hour.Sub(first) / time.Hour); i >= 0 && i < len(all) && !r.Hour.Before(from) {
			count(&all[i], r)
		}
	}
	s.tallies.keep(all, now.Add(-time.Hour-openFor))
	return all, nil
}

// forget drops what lies before first, and returns from where to count.
func (t *tallies) forget(first time.Time) (from time.Time) {
	for at := range t.hours {
		if at < first.UnixMilli() {
			delete(t.hours, at)
		}
	}
	for from = first; ; from = from.Add(time.Hour) {
		if _, kept := t.hours[from.UnixMilli()]; !kept {
			return from
		}
	}
}

// keep keeps the hours that began before a time.
func (t *tallies) keep(all []wire.Hour, before time.Time) {
	if t.hours == nil {
		t.hours = make(map[int64]wire.Hour)
	}
	for _, h := range all {
		if int64(h.At) < before.UnixMilli() {
			t.hours[int64(h.At)] = h
		}
	}
}

func count(h *wire.Hour, r TallyRow) {
	switch r.Kind {
	case KindNegotiated:
		h.Negotiated = r.Count
	case KindVerified:
		h.Verified = r.Count
	case KindMismatch:
		h.Mismatch = r.Count
	case KindRefused:
		h.Refused = r.Count
	case KindRevoked:
		h.Revoked = r.Count
	case KindExpired:
		h.Expired = r.Count
	}
}

// adminOutlets returns a page of outlets.
func (s *Service) adminOutlets(ctx context.Context, o *wire.Outlets) (wire.Result, error) {
	q := OutletQuery{Contains: o.Query, Roles: o.Roles, Disabled: o.Disabled, Connected: o.Connected, After: o.After, Limit: int(o.Limit)}
	if q.Roles == nil {
		q.Roles = []wire.Role{wire.RoleOutlet}
	}
	if o.Freshness != nil {
		q.Freshness = []Freshness{Freshness(*o.Freshness)}
	}
	outlets, err := s.Outlets(ctx, q)
	if err != nil {
		return nil, err
	}
	rows := make([]wire.OutletRow, len(outlets))
	for i := range outlets {
		rows[i] = wireOutlet(&outlets[i])
	}
	n, err := wire.Fit(rows)
	if err != nil {
		s.cfg.Log.Error("administer failed", "op", "outlets", "error", err)
		return nil, wire.CodeInternal
	}
	ok := &wire.OutletsOK{Rows: rows[:n]}
	if n > 0 && (n < len(rows) || n == q.Limit) {
		ok.After = rows[n-1].ID
	}
	return ok, nil
}

// adminOutlet returns one outlet, with its secrets and newest keys.
func (s *Service) adminOutlet(ctx context.Context, o *wire.OutletOf) (wire.Result, error) {
	keys, err := s.Keys(ctx, KeyQuery{Outlet: o.ID, ByNumber: true, Limit: outletKeys}) // it applies the ends
	if err != nil {
		return nil, err
	}
	rows, err := s.Outlets(ctx, OutletQuery{ID: o.ID, Limit: 1})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	_, secrets, err := s.store.Outlet(ctx, o.ID)
	if errors.Is(err, ErrNoOutlet) || err == nil && len(rows) == 0 {
		return nil, wire.CodeNoKey
	}
	if err != nil {
		return nil, s.storeError(o.ID, err)
	}
	ok := &wire.OutletOK{Outlet: wireOutlet(&rows[0])}
	for _, x := range secrets {
		ok.Secrets = append(ok.Secrets, wire.SecretRow{Epoch: uint64(x.Epoch), Created: toMillis(x.CreatedAt), Used: toMillis(x.FirstUsedAt)})
	}
	for i := range keys {
		ok.Rows = append(ok.Rows, wireRow(&keys[i]))
	}
	return ok, nil
}

func wireOutlet(o *OutletRow) wire.OutletRow {
	row := wire.OutletRow{ID: o.ID, Role: o.Role, Disabled: o.Disabled, Enrolled: toMillis(o.EnrolledAt), Epoch: uint64(o.LastEpoch),
		Number: o.LastNumber, Connected: o.Connected, Seen: toMillis(o.SeenAt), Freshness: wire.Freshness(o.Freshness)}
	if k := o.Active; k != nil {
		row.Active = &wire.ActiveKey{Seckeyid: k.Seckeyid, FP: k.FP, Expires: toMillis(k.Expires), Ends: toMillis(k.EndsAt)}
	}
	return row
}

package keyservice

import (
	"context"
	"slices"
	"time"

	"hufu/shared/wire"
)

// Freshness tells how an outlet stands with its key.
type Freshness uint8

const (
	FreshnessNone  Freshness = iota // it never had a verified key
	FreshnessFresh                  // it has an active one
	FreshnessSoon                   // of whose lifetime less than a quarter is left
	FreshnessStale                  // it had a verified key, and has no active one now
)

var freshnesses = []string{"none", "fresh", "soon", "stale"}

// String is the name in flags and JSON.
func (f Freshness) String() string { return freshnesses[f] }

// ParseFreshness finds a freshness by its name.
func ParseFreshness(name string) (Freshness, bool) {
	i := slices.Index(freshnesses, name)
	return Freshness(max(i, 0)), i >= 0
}

// OutletQuery selects outlets. Nil lists and pointers mean any; an empty,
// non-nil list selects nothing.
type OutletQuery struct {
	ID        string // exactly this one; empty: any
	Contains  string // a part of the id, in any case
	Roles     []wire.Role
	Disabled  *bool
	Connected *bool
	Freshness []Freshness
	Now       time.Time // by which freshness is told
	After     string    // exclusive lower bound of the id
	Limit     int
}

// OutletRow is an outlet, whether it is connected, and how its key stands.
type OutletRow struct {
	Outlet
	Connected bool      // to any server process that lives
	SeenAt    time.Time // OutletQuery.Now of one that is connected; zero: never was
	Freshness Freshness
	Active    *ActiveKey // nil: none
}

// ActiveKey is what is told of an outlet's active key.
type ActiveKey struct {
	Seckeyid uint64
	FP       [8]byte
	Expires  time.Time // created + lifetime
	EndsAt   time.Time // its end by §6
}

// Counts is how many outlets and keys there are, by how they stand.
type Counts struct {
	// Of clients with role 1. Fresh, Soon, Stale and None count those that are
	// not disabled.
	All, Disabled, Connected, Fresh, Soon, Stale, None int
	// Living keys, of all roles.
	Pending, Active, Retired int
}

// Outlets lists outlets in ascending order of id, by the time of now.
func (s *Service) Outlets(ctx context.Context, q OutletQuery) ([]OutletRow, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	q.Now = s.now()
	rows, err := s.store.Outlets(ctx, q)
	if err != nil {
		return nil, s.storeError("", err)
	}
	return rows, nil
}

// Counts counts outlets and living keys.
func (s *Service) Counts(ctx context.Context) (Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	c, err := s.store.Counts(ctx, s.now())
	if err != nil {
		return c, s.storeError("", err)
	}
	return c, nil
}

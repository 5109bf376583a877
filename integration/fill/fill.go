// Package fill writes the history of a large network through a store, for
// tests and benchmarks of much: as the rules would have written it, many
// outlets to a transaction.
package fill

import (
	"context"
	"fmt"
	"os"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// Plan is how large the network is and how long it has run.
type Plan struct {
	Outlets  int
	Keys     int       // of an outlet that was always there
	Now      time.Time // until when; the sweeper of a server finds nothing that is due before
	Progress func(done, all int)

	// Sealed returns the key's material as it is to stand in the store; nil:
	// bytes that nothing can be read from.
	Sealed func(outlet string, k *keyservice.LivingKey) ([]byte, error)
}

// The life of every key: renewed at half of it.
const (
	lifetime = 24 * time.Hour
	renewal  = lifetime / 2
	grace    = time.Hour
	batch    = 500
)

// Network is how large a network a benchmark is to have: 100,000 outlets with
// ten keys each if SPEED=full, else a hundredth of that.
func Network() (outlets, keys int) {
	if os.Getenv("SPEED") == "full" {
		return 100_000, 10
	}
	return 1000, 10
}

// ID is the identifier of an outlet.
func ID(i int) string { return fmt.Sprintf("net-%06d", i) }

// fate tells what is special about an outlet: one in a hundred each.
func fate(i int) string {
	switch i % 100 {
	case 17:
		return "none" // enrolled, never seen
	case 43:
		return "stale" // silent for three days
	case 71:
		return "soon" // missed its last renewal
	case 89:
		return "disabled"
	}
	return ""
}

// History enrols the outlets and has them negotiate, verify, renew and revoke.
// Row numbers grow with time, as far as whole rounds of renewals do.
func History(ctx context.Context, s keyservice.Store, p Plan) error {
	p.Now = p.Now.UTC().Truncate(time.Millisecond)
	began := p.Now.Add(-time.Duration(p.Keys) * renewal)
	if err := p.round(ctx, s, 0, func(int) bool { return true }, func(l *keyservice.Ledger, i int) error {
		enrol(l, i, began.Add(-time.Hour))
		return nil
	}); err != nil {
		return err
	}
	for r := range p.Keys {
		if err := p.round(ctx, s, r+1, func(i int) bool { return p.renews(i, r) }, func(l *keyservice.Ledger, i int) error {
			return p.renew(l, i, r)
		}); err != nil {
			return err
		}
	}
	return p.round(ctx, s, p.Keys+1, func(i int) bool { return fate(i) != "none" }, func(l *keyservice.Ledger, _ int) error {
		expire(l, p.Now)
		return nil
	})
}

// renews tells whether an outlet takes part in a round.
func (p *Plan) renews(i, r int) bool {
	switch fate(i) {
	case "none":
		return false
	case "stale":
		return r < p.Keys-6
	}
	return true
}

// at is when an outlet negotiates in a round: all of them spread over the time
// between two rounds.
func (p *Plan) at(i, r int) time.Time {
	early := time.Duration(i%4999) * (renewal - grace) / 4999
	if fate(i) == "soon" {
		early += 8 * time.Hour
	}
	return p.Now.Add(-time.Duration(p.Keys-1-r)*renewal - early).Truncate(time.Millisecond)
}

// round applies one step of every outlet that takes part.
func (p *Plan) round(ctx context.Context, s keyservice.Store, r int, takes func(i int) bool, step func(l *keyservice.Ledger, i int) error) error {
	var changes []*keyservice.Change
	for i := range p.Outlets {
		if takes(i) {
			changes = append(changes, &keyservice.Change{Outlet: ID(i), Decide: func(l *keyservice.Ledger) error { return step(l, i) }})
		}
		if len(changes) < batch && i < p.Outlets-1 {
			continue
		}
		if err := s.Apply(ctx, changes); err != nil {
			return err
		}
		for _, c := range changes {
			if c.Err != nil {
				return c.Err
			}
		}
		changes = changes[:0]
		if p.Progress != nil {
			p.Progress(r*p.Outlets+i+1, (p.Keys+2)*p.Outlets)
		}
	}
	return nil
}

func enrol(l *keyservice.Ledger, i int, when time.Time) {
	o := keyservice.Outlet{ID: ID(i), Role: wire.RoleOutlet, EnrolledAt: when, LastEpoch: 1, Disabled: fate(i) == "disabled"}
	l.Outlet = &o
	l.Writes.NewOutlet = &o
	used := when.Add(time.Minute)
	if fate(i) == "none" {
		used = time.Time{}
	}
	l.Writes.NewSecrets = []keyservice.Secret{{Epoch: 1, Sealed: make([]byte, 64), CreatedAt: when, FirstUsedAt: used}}
	note(l, keyservice.ChangeRow{At: when, Kind: keyservice.KindEnrolled, By: "op"})
}

// renew has an outlet negotiate and verify its next key. The one before is
// retired, or now and then revoked; what has ended by then is expired.
func (p *Plan) renew(l *keyservice.Ledger, i, r int) error {
	now := p.at(i, r)
	expire(l, now)
	for _, k := range l.Living {
		if k.State == wire.StateActive && (i+r)%997 == 0 {
			move(l, k.Seckeyid, keyservice.Move{StateRow: keyservice.StateRow{State: wire.StateRevoked, At: now, Reason: wire.ReasonKeyCompromised, By: "op"}})
		} else if k.State == wire.StateActive {
			move(l, k.Seckeyid, keyservice.Move{EndsAt: now.Add(grace), StateRow: keyservice.StateRow{State: wire.StateRetired, At: now, Reason: wire.ReasonSuperseded}})
		}
	}
	l.Outlet.LastNumber++
	l.Writes.SetOutlet = true
	k := keyservice.LivingKey{Seckeyid: l.Outlet.LastNumber, State: wire.StatePending, Created: now, Expires: now.Add(lifetime), EndsAt: now.Add(time.Minute),
		FP: [8]byte{byte(i >> 16), byte(i >> 8), byte(i), byte(r), 0x5e, 0xc1, byte(i * 7), byte(r * 13)}, Sealed: make([]byte, 124)}
	if p.Sealed != nil {
		var err error
		if k.Sealed, err = p.Sealed(ID(i), &k); err != nil {
			return err
		}
	}
	l.Writes.NewKeys = append(l.Writes.NewKeys, k)
	note(l, keyservice.ChangeRow{At: now, Kind: keyservice.KindNegotiated, Seckeyid: k.Seckeyid, State: wire.StatePending, By: l.Outlet.ID})
	if (i+r)%503 == 0 {
		note(l, keyservice.ChangeRow{At: now, Kind: keyservice.KindMismatch, Seckeyid: k.Seckeyid, By: l.Outlet.ID})
	}
	move(l, k.Seckeyid, keyservice.Move{EndsAt: k.Expires, StateRow: keyservice.StateRow{State: wire.StateActive, At: now.Add(40 * time.Millisecond), By: l.Outlet.ID}})
	return nil
}

// expire ends what has ended by now.
func expire(l *keyservice.Ledger, now time.Time) {
	for _, k := range l.Living {
		if k.EndsAt.After(now) {
			continue
		}
		reason := wire.ReasonRoutine
		if k.State == wire.StateRetired {
			reason = wire.ReasonSuperseded
		}
		move(l, k.Seckeyid, keyservice.Move{StateRow: keyservice.StateRow{State: wire.StateExpired, At: k.EndsAt, Reason: reason}})
	}
	living := l.Living[:0]
	for _, k := range l.Living {
		if k.EndsAt.After(now) {
			living = append(living, k)
		}
	}
	l.Living = living
}

var kinds = map[wire.State]keyservice.Kind{
	wire.StateActive: keyservice.KindVerified, wire.StateRetired: keyservice.KindRetired,
	wire.StateExpired: keyservice.KindExpired, wire.StateRevoked: keyservice.KindRevoked,
}

func move(l *keyservice.Ledger, n uint64, m keyservice.Move) {
	m.Seckeyid = n
	l.Writes.Moves = append(l.Writes.Moves, m)
	note(l, keyservice.ChangeRow{At: m.At, Kind: kinds[m.State], Seckeyid: n, State: m.State, Reason: m.Reason, By: m.By})
}

func note(l *keyservice.Ledger, c keyservice.ChangeRow) {
	c.Outlet = l.Outlet.ID
	l.Writes.Changes = append(l.Writes.Changes, c)
}

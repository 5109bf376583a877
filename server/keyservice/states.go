package keyservice

import (
	"time"

	"hufu/shared/wire"
)

// outcome is what an operation on a key leads to: the code of its reply, and
// the state that the key moves to; 0 keeps it.
type outcome struct {
	code wire.Code
	to   wire.State
}

// transitions is the state table of §8. Ends are applied before it is asked,
// so that a pending key older than 60 s stands in it as expired.
type transitions struct {
	match    outcome // verify, and the confirmation is right
	mismatch outcome // verify, and it is not
	revoke   outcome
}

// stateAbsent stands for a key that does not exist or is another outlet's.
const stateAbsent wire.State = 0

var stateTable = map[wire.State]transitions{
	wire.StatePending: {
		match:    outcome{wire.CodeOK, wire.StateActive},
		mismatch: outcome{wire.CodeMismatch, wire.StateExpired},
		revoke:   outcome{wire.CodeOK, wire.StateRevoked},
	},
	wire.StateActive: {
		match:    outcome{code: wire.CodeOK},
		mismatch: outcome{code: wire.CodeMismatch},
		revoke:   outcome{wire.CodeOK, wire.StateRevoked},
	},
	wire.StateRetired: {
		match:    outcome{code: wire.CodeOK},
		mismatch: outcome{code: wire.CodeMismatch},
		revoke:   outcome{wire.CodeOK, wire.StateRevoked},
	},
	wire.StateExpired: {
		match:    outcome{code: wire.CodeExpired},
		mismatch: outcome{code: wire.CodeExpired},
		revoke:   outcome{code: wire.CodeExpired},
	},
	wire.StateRevoked: {
		match:    outcome{code: wire.CodeRevoked},
		mismatch: outcome{code: wire.CodeRevoked},
		revoke:   outcome{code: wire.CodeOK},
	},
	stateAbsent: {
		match:    outcome{code: wire.CodeNoKey},
		mismatch: outcome{code: wire.CodeNoKey},
		revoke:   outcome{code: wire.CodeNoKey},
	},
}

// stateOf tells where the key that the Change named stands.
func (l *Ledger) stateOf(seckeyid uint64) wire.State {
	if k := l.living(seckeyid); k != nil {
		return k.State
	}
	if l.Named != nil && l.Named.Seckeyid == seckeyid {
		return l.Named.State
	}
	return stateAbsent
}

// activate makes a pending key the active one, by the client's proof: the older active one retires
// until the earlier of now + grace and its own end, and pending ones with
// lower numbers expire.
func (l *Ledger) activate(seckeyid uint64, by string, now time.Time, grace time.Duration) {
	for _, k := range append([]LivingKey(nil), l.Living...) {
		switch {
		case k.State == wire.StateActive:
			l.end(k, wire.StateRetired, now, wire.ReasonSuperseded, "", earlier(now.Add(grace), k.Expires))
		case k.State == wire.StatePending && k.Seckeyid < seckeyid:
			l.end(k, wire.StateExpired, now, wire.ReasonSuperseded, "", time.Time{})
		}
	}
	k := *l.living(seckeyid)
	l.move(seckeyid, StateRow{State: wire.StateActive, At: now, By: by}, k.Expires)
	l.note(ChangeRow{At: now, Kind: KindVerified, Outlet: l.Outlet.ID, Seckeyid: seckeyid, State: wire.StateActive, By: by})
}

// end moves a living key to state 3, 4 or 5 and notes it for the pushes.
func (l *Ledger) end(k LivingKey, to wire.State, at time.Time, why wire.Reason, by string, endsAt time.Time) {
	l.move(k.Seckeyid, StateRow{State: to, At: at, Reason: why, By: by}, endsAt)
	l.note(ChangeRow{At: at, Kind: endKinds[to], Outlet: l.Outlet.ID, Seckeyid: k.Seckeyid, State: to, Reason: why, By: by})
}

var endKinds = map[wire.State]Kind{
	wire.StateRetired: KindRetired, wire.StateExpired: KindExpired, wire.StateRevoked: KindRevoked,
}

// applyEnds expires every living key whose end has passed. It ended at its end.
func applyEnds(l *Ledger, now time.Time) {
	for _, k := range append([]LivingKey(nil), l.Living...) {
		if k.EndsAt.After(now) {
			continue
		}
		why := wire.ReasonRoutine
		if k.State == wire.StateRetired && k.EndsAt.Before(k.Expires) {
			why = wire.ReasonSuperseded // its newer key cut it short
		}
		l.end(k, wire.StateExpired, k.EndsAt, why, "", time.Time{})
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

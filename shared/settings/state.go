package settings

import "hufu/shared/wire"

// State is a key's state as a person types it.
type State struct{ wire.State }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(b []byte) error {
	for state := wire.StatePending; state <= wire.StateRevoked; state++ {
		if state.String() == string(b) {
			s.State = state
			return nil
		}
	}
	return &fault{"err_no_state", "%q is not a state: pending, active, retired, expired or revoked", []any{b}}
}

package client

import (
	"context"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// OpenOnce tries a new token, before it replaces the stored one (§9): it opens
// a connection with it to an address, has the server tell the token's role, and closes. From
// then on the token's epoch is in use and the one before it is erased at the
// server.
func OpenOnce(ctx context.Context, d Dialer, address string, token *wire.Token, o Options) error {
	keys := kex.Derive(&token.Secret, kex.Identity{ClientID: token.ClientID, ServerID: token.ServerID, Epoch: token.Epoch})
	defer keys.Zero()
	o.Role = token.Role
	s, err := connect(ctx, d, address, keys, o)
	if err != nil {
		return err
	}
	s.Close()
	return nil
}

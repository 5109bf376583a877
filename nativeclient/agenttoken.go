package main

import (
	"context"
	"errors"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

var errNewToken = errors.New("the token was replaced")

// enrolment is what the agent connects by. It belongs to the client's goroutine.
type enrolment struct {
	*client.Client
	epoch uint64
	end   context.CancelCauseFunc // of the client that runs
	next  *wire.Token             // the one that has replaced its token; nil: none has
}

// enrolled makes a client by a token, whose secret it wipes.
func (a *agent) enrolled(t *wire.Token) (*enrolment, error) {
	defer t.Secret.Zero()
	d, err := a.e.dialer(t)
	if err != nil {
		return nil, err
	}
	keys := kex.Derive(&t.Secret, kex.Identity{ClientID: t.ClientID, ServerID: t.ServerID, Epoch: t.Epoch})
	return &enrolment{epoch: t.Epoch, Client: &client.Client{
		Addresses: a.e.addresses(t), Keys: keys, Dial: d,
		Options: a.keeper.Attach(client.Options{Role: t.Role}),
		Ready:   a.serve, Report: a.reported,
	}}, nil
}

// connect keeps a connection open until the environment's context ends, and
// goes on with the token that replaces the first one.
func (a *agent) connect() error {
	for {
		ctx, end := context.WithCancelCause(a.e)
		a.enrolment.end = end
		err := a.enrolment.Run(ctx)
		end(nil)
		a.enrolment.Keys.Zero()
		if !errors.Is(err, errNewToken) {
			return err
		}
		next := a.enrolment.next
		a.log.Info("the token was replaced", "epoch", next.Epoch)
		if a.enrolment, err = a.enrolled(next); err != nil {
			return err
		}
	}
}

// replaced looks, when an open was refused, whether hufu enrol has stored a
// newer token for this client, and has it taken then. A refusal alone is
// forgeable and changes nothing.
func (a *agent) replaced() {
	t, err := a.e.loadToken()
	if err != nil {
		a.log.Warn("the token cannot be read", "error", inEnglish(err))
		return
	}
	if t.ClientID != a.token.ClientID || t.ServerID != a.token.ServerID || t.Epoch <= a.enrolment.epoch {
		t.Secret.Zero()
		return
	}
	a.enrolment.next = t
	a.enrolment.end(errNewToken)
}

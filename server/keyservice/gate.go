package keyservice

import (
	"context"

	"hufu/shared/wire"
)

// gate lets a bounded number of asymmetric operations run at once and a
// bounded number wait; more are refused with CodeBusy (§8).
type gate struct {
	running chan struct{}
	waiting chan struct{}
}

func newGate(running, waiting int) gate {
	return gate{running: make(chan struct{}, running), waiting: make(chan struct{}, running+waiting)}
}

// enter waits for a place. leave gives it back.
func (g gate) enter(ctx context.Context) error {
	select {
	case g.waiting <- struct{}{}:
	default:
		return wire.CodeBusy
	}
	select {
	case g.running <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-g.waiting
		return ctx.Err()
	}
}

func (g gate) leave() {
	<-g.running
	<-g.waiting
}

package keyservice

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"hufu/shared/wire"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const running, waiting = 2, 3
		g := newGate(running, waiting)
		ctx, cancel := context.WithCancel(t.Context())
		answers := make(chan error, running+waiting)
		for range running + waiting {
			go func() { answers <- g.enter(ctx) }()
		}
		synctest.Wait()
		if len(answers) != running {
			t.Fatalf("%d run at once, want %d", len(answers), running)
		}
		if err := g.enter(t.Context()); !errors.Is(err, wire.CodeBusy) {
			t.Errorf("with the queue full: %v", err)
		}

		// Whoever leaves lets one in, and one more may wait.
		for range running {
			<-answers
		}
		g.leave()
		synctest.Wait()
		if len(answers) != 1 || <-answers != nil {
			t.Fatal("one has left and nobody came in")
		}
		go func() { answers <- g.enter(ctx) }()
		synctest.Wait()

		// Those who wait end with their context; those inside stay.
		cancel()
		for range waiting {
			if err := <-answers; !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled while waiting: %v", err)
			}
		}
		if len(g.running) != running || len(g.waiting) != running {
			t.Errorf("%d inside, %d counted", len(g.running), len(g.waiting))
		}
		for range running {
			g.leave()
		}
		if err := g.enter(t.Context()); err != nil {
			t.Errorf("an empty gate: %v", err)
		}
		g.leave()
	})
}

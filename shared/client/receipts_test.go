package client

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"hufu/shared/wire"
)

// TestReceiptOnItsWay: who finds that a receipt is being sent already returns
// when it has been, or when its own context ends. The push of a revocation
// comes before the reply to revoke here, and the reply to its receipt after.
func TestReceiptOnItsWay(t *testing.T) {
	for _, c := range []struct {
		name            string
		patience, after time.Duration // of the one who revokes; when it returns
	}{
		{"patient", time.Minute, 3 * time.Second},
		{"impatient", 2 * time.Second, 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			keep(t, func(t *testing.T, o *outlet) {
				o.negotiate()
				var revoke wire.Request
				o.instead(func(p *peer, m wire.Request) bool {
					switch m.Cmd() {
					case wire.CmdRevoke:
						revoke = m
						o.move(p, 1, wire.StateRevoked)
						return true
					case wire.CmdReceipt:
						p.done(revoke)
						time.Sleep(3 * time.Second)
					}
					return false
				})
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				begin := time.Now()
				if err := o.keeper.Revoke(ctx, o.session, 1, wire.ReasonRoutine); err != nil {
					t.Error(err)
				}
				if took := time.Since(begin); took != c.after {
					t.Errorf("it returned after %v, want %v", took, c.after)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				o.wantReceipt(1, wire.StateRevoked)
			})
		})
	}
}

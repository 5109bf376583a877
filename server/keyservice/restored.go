package keyservice

import (
	"context"
	"time"

	"hufu/shared/wire"
)

// What a backup does not know of may have happened after it was made. The
// numbers and epochs that were given out since are jumped over.
const (
	restoredNumbers = 1 << 32 // §9
	restoredEpochs  = 1 << 16
)

// Restored makes one client's part of a store that came from a backup safe to
// use: no number and no epoch is given out twice, and since a key that is
// living here may have been revoked after the backup, all living ones expire.
func (s *Service) Restored(ctx context.Context, outlet string) error {
	return s.change(ctx, outlet, 0, func(l *Ledger, now time.Time) error {
		l.Outlet.LastNumber = min(l.Outlet.LastNumber+restoredNumbers, wire.MaxSeckeyid)
		l.Outlet.LastEpoch = uint32(min(uint64(l.Outlet.LastEpoch)+restoredEpochs, wire.MaxEpoch))
		l.Writes.SetOutlet = true
		l.note(ChangeRow{At: now, Kind: KindRestored, Outlet: outlet})
		for _, k := range append([]LivingKey(nil), l.Living...) {
			l.end(k, wire.StateExpired, now, wire.ReasonRoutine, "", time.Time{})
		}
		return nil
	})
}

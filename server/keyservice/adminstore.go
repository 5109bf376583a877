package keyservice

import (
	"context"
	"time"
)

// AdminStore is what administration (§12) asks of a store besides.
type AdminStore interface {
	// Receipts lists the receipts for a key's ends, the lower state first.
	Receipts(ctx context.Context, outlet string, seckeyid uint64) ([]Receipt, error)
	// Tally counts the changes whose At lies in [from, to), by hour and kind.
	Tally(ctx context.Context, from, to time.Time) ([]TallyRow, error)
	// Watermark tells how far the change table is complete, or will be.
	Watermark(ctx context.Context) (Watermark, error)
}

// TallyRow counts the changes of one kind in one hour.
type TallyRow struct {
	Hour  time.Time // its start
	Kind  Kind
	Count uint64
}

// Watermark is a number of the change table, and whose transactions may yet
// make numbers up to it visible: once none of these is among the Writers of a
// later Watermark, nothing up to N can appear any more. Without writers that is
// so already.
type Watermark struct {
	N       uint64   // the greatest number that is visible; 0: none is
	Writers []string // names without a meaning
}

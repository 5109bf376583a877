package client

import (
	"context"
	"errors"

	"hufu/shared/wire"
)

// maxReceipts bounds how many numbers receipts remembers.
const maxReceipts = 1024

// receipts keeps, by number, which receipts were sent and which are owed,
// because the connection ended or the server was busy.
type receipts map[uint64]receipt

type receipt struct {
	state wire.State
	owed  bool          // neither sent nor on its way
	sent  chan struct{} // closed when it is not on its way any more
}

// begin reports whether a receipt has to be sent now, and returns what is
// closed when it, or the one that is on its way, has been.
func (r receipts) begin(seckeyid uint64, state wire.State) (send bool, sent chan struct{}) {
	if was, known := r[seckeyid]; known && was.state >= state && !was.owed {
		return false, was.sent
	}
	if len(r) >= maxReceipts {
		r.forget()
	}
	sent = make(chan struct{})
	r[seckeyid] = receipt{state: state, sent: sent}
	return true, sent
}

// forget drops the lowest number, sent ones first.
func (r receipts) forget() {
	var lowest uint64
	for n, c := range r {
		if lowest == 0 || r[lowest].owed && !c.owed || r[lowest].owed == c.owed && n < lowest {
			lowest = n
		}
	}
	delete(r, lowest)
}

// sendReceipt sends one, once, and returns when it has been. A failure to is
// no failure of what the receipt is for: it stays owed until the next Reverify.
func (k *Keeper) sendReceipt(ctx context.Context, s *Session, seckeyid uint64, state wire.State) {
	k.mu.Lock()
	send, sent := k.receipts.begin(seckeyid, state)
	k.mu.Unlock()
	if !send {
		select {
		case <-sent:
		case <-ctx.Done():
		}
		return
	}
	defer close(sent)
	err := s.Receipt(ctx, seckeyid, state)
	if err == nil || errors.Is(err, wire.CodeBadBody) || errors.Is(err, wire.CodeNoKey) {
		return // recorded, or never to be
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.receipts[seckeyid] = receipt{state: state, owed: true, sent: sent}
}

func (k *Keeper) payReceipts(ctx context.Context, s *Session) {
	k.mu.Lock()
	owed := map[uint64]wire.State{}
	for n, c := range k.receipts {
		if c.owed {
			owed[n] = c.state
		}
	}
	k.mu.Unlock()
	for n, state := range owed {
		k.sendReceipt(ctx, s, n, state)
	}
}

//go:build amd64 || arm64

package shm

// Batch is a locked Writer, for many changes in a row: the segment is looked for once, which is most of what
// a change costs. Its methods are those of the Writer.
type Batch struct{ w *Writer }

// Batch runs do with the Writer locked, and returns what do returns. Other callers wait meanwhile; do must
// not call the Writer itself, nor keep the Batch.
func (w *Writer) Batch(do func(b Batch) error) error {
	if err := w.begin(); err != nil {
		return err
	}
	defer w.mu.Unlock()
	return do(Batch{w})
}

// Put is Writer.Put, without confirmation keys.
func (b Batch) Put(e Entry) error {
	defer e.Key.Zero()
	if err := checkEntry(&e, Now()); err != nil {
		return err
	}
	return b.w.put(&e, nil)
}

// MakeCurrent is Writer.MakeCurrent.
func (b Batch) MakeCurrent(clientID string, seckeyID uint64) error {
	return b.w.changed(clientID, seckeyID, makeCurrent)
}

// Retire is Writer.Retire.
func (b Batch) Retire(clientID string, seckeyID uint64, notAfter BootTime) error {
	return b.w.changed(clientID, seckeyID, retire(notAfter))
}

// Shorten is Writer.Shorten.
func (b Batch) Shorten(clientID string, seckeyID uint64, notAfter BootTime) error {
	return b.w.changed(clientID, seckeyID, shorten(notAfter))
}

// Wipe is Writer.Wipe.
func (b Batch) Wipe(clientID string, seckeyID uint64, state State) error {
	f, err := wipe(state)
	if err != nil {
		return err
	}
	return b.w.changed(clientID, seckeyID, f)
}

// Forget wipes a key and gives its number back, so that another key can be put under it: for one who finds a
// wrong key there. Nothing of it stays visible.
func (b Batch) Forget(clientID string, seckeyID uint64) error {
	return b.w.changed(clientID, seckeyID, func(w *Writer, _ ident, i int) error {
		w.wipe(i, Expired)
		w.m.slots[i].blank()
		return nil
	})
}

// Entries is Writer.Entries of one client.
func (b Batch) Entries(clientID string) []Entry { return b.w.m.entries(clientID, Now()) }

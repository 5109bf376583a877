package main

import (
	"errors"
	"fmt"
	"time"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
	"hufu/shm"
)

// segmentHolder keeps one client's keys in shared memory, for the Keeper.
type segmentHolder struct {
	writer             *shm.Writer
	clientID, serverID string
}

var _ client.Holder = (*segmentHolder)(nil)

// bootClock is the clock on which keys end.
func bootClock() time.Duration { return time.Duration(shm.Now()) }

// Keys lists the living keys.
func (h *segmentHolder) Keys() ([]client.HeldKey, error) {
	if _, err := h.writer.WipeEnded(); err != nil {
		return nil, err
	}
	var keys []client.HeldKey
	for _, e := range h.writer.Entries(h.clientID) {
		if e.Usable && e.ServerID == h.serverID {
			keys = append(keys, client.HeldKey{Seckeyid: e.SeckeyID, State: wire.State(e.State),
				NotBefore: time.Duration(e.NotBefore), NotAfter: time.Duration(e.NotAfter)})
		}
		e.Key.Zero()
	}
	return keys, nil
}

// Read returns the key bytes as they stand in the segment.
func (h *segmentHolder) Read(seckeyid uint64) (*kex.Held, error) {
	e, err := h.writer.Key(h.clientID, seckeyid)
	if err != nil {
		return nil, living(err)
	}
	defer e.Key.Zero()
	// Without its confirmation keys a key fails its next verify, is wiped and
	// replaced: what is missing is as good as damaged.
	confirm, err := h.writer.Confirm(h.clientID, seckeyid)
	if err != nil && !errors.Is(err, shm.ErrNotFound) {
		return nil, living(err)
	}
	defer clear(confirm[:])
	return &kex.Held{Key: kex.NewKey((*[shm.KeySize]byte)(&e.Key)), Confirm: kex.NewConfirmKeys(&confirm)}, nil
}

// Enter adds a key as open-only.
func (h *segmentHolder) Enter(k client.HeldKey, held *kex.Held) error {
	confirm := held.Confirm.Bytes()
	defer clear(confirm[:])
	return h.writer.Put(shm.Entry{
		ClientID: h.clientID, ServerID: h.serverID, SeckeyID: k.Seckeyid, State: shm.State(k.State),
		Key: shm.Key(*held.Key.Bytes()), Fingerprint: shm.Fingerprint(held.Key.Fingerprint()),
		NotBefore: shm.BootTime(k.NotBefore), NotAfter: shm.BootTime(k.NotAfter), Generation: k.Seckeyid,
	}, &confirm)
}

// MakeCurrent turns an open-only key into the current one.
func (h *segmentHolder) MakeCurrent(seckeyid uint64) error {
	return living(h.writer.MakeCurrent(h.clientID, seckeyid))
}

// Shorten brings a key's end forward.
func (h *segmentHolder) Shorten(seckeyid uint64, notAfter time.Duration) error {
	return living(h.writer.Shorten(h.clientID, seckeyid, shm.BootTime(notAfter)))
}

// Retire makes a key one to open with only.
func (h *segmentHolder) Retire(seckeyid uint64) error {
	e, err := h.writer.Key(h.clientID, seckeyid)
	if err != nil {
		return living(err)
	}
	e.Key.Zero()
	return living(h.writer.Retire(h.clientID, seckeyid, e.NotAfter))
}

// Wipe erases a key.
func (h *segmentHolder) Wipe(seckeyid uint64, state wire.State) error {
	err := h.writer.Wipe(h.clientID, seckeyid, shm.State(state))
	if errors.Is(err, shm.ErrNotFound) || errors.Is(err, shm.ErrState) {
		return nil // not here, or ended already
	}
	return err
}

// living words, as the Keeper expects it, that a key is not a living one.
func living(err error) error {
	if errors.Is(err, shm.ErrNotFound) || errors.Is(err, shm.ErrNotUsable) {
		return fmt.Errorf("%w: %w", client.ErrNoKey, err)
	}
	return err
}

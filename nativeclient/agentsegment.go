package main

import (
	"errors"
	"path/filepath"
	"sync"
	"time"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/text"
	"hufu/shared/wire"
	"hufu/shm"
)

// liveSegment is the agent's Holder: the segment that has the name now. One that
// is gone is made anew, and its keys are lost.
type liveSegment struct {
	options            shm.Options
	clientID, serverID string

	mu     sync.Mutex
	writer *shm.Writer // nil: there is none
	err    error       // then: why
}

var _ client.Holder = (*liveSegment)(nil)

func (s *liveSegment) path() string { return filepath.Join(s.options.Dir, s.options.Name) }

// mend makes the segment again where it is gone, or could not be had before,
// and reports whether that was done.
func (s *liveSegment) mend() (anew bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer != nil {
		_, err := s.writer.WipeEnded()
		if !errors.Is(err, shm.ErrGone) {
			return false, err
		}
		s.err = errors.Join(err, s.writer.Close())
		s.writer = nil
	}
	s.writer, s.err = openSegment(s.options)
	return s.err == nil, s.err
}

// openSegment opens the segment, which it makes if it is not there.
func openSegment(o shm.Options) (*shm.Writer, error) {
	w, err := shm.OpenWriter(o)
	if errors.Is(err, shm.ErrNoSegment) {
		if err = shm.Create(o); err == nil {
			w, err = shm.OpenWriter(o)
		}
	}
	return w, err
}

// lockedBy names the process that holds a segment.
func lockedBy(err error, o shm.Options) error {
	if !errors.Is(err, shm.ErrLocked) {
		return err
	}
	r, failed := shm.OpenReader(o)
	if failed != nil {
		return err
	}
	defer r.Close()
	if pid := r.Info().WriterPID; pid != 0 {
		return text.Errorf("err_locked_by", err, pid)
	}
	return err
}

func (s *liveSegment) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer == nil {
		return nil
	}
	w := s.writer
	s.writer, s.err = nil, shm.ErrClosed
	return w.Close()
}

// warnings are what could not be done for the protection of the keys.
func (s *liveSegment) warnings() []string {
	h, err := s.holder()
	if err != nil {
		return nil
	}
	return h.writer.Warnings()
}

// entries are those of this client, ended ones too, without their keys.
func (s *liveSegment) entries() []shm.Entry {
	h, err := s.holder()
	if err != nil {
		return nil
	}
	all := h.writer.Entries(s.clientID)
	for i := range all {
		all[i].Key.Zero()
	}
	return all
}

func (s *liveSegment) holder() (*segmentHolder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer == nil {
		return nil, s.err
	}
	return &segmentHolder{s.writer, s.clientID, s.serverID}, nil
}

// with runs f on the segment, if there is one.
func (s *liveSegment) with(f func(h *segmentHolder) error) error {
	h, err := s.holder()
	if err != nil {
		return err
	}
	return f(h)
}

// Keys lists the living keys.
func (s *liveSegment) Keys() (keys []client.HeldKey, err error) {
	err = s.with(func(h *segmentHolder) (err error) {
		keys, err = h.Keys()
		return err
	})
	return keys, err
}

// Read returns the key bytes as they stand in the segment.
func (s *liveSegment) Read(seckeyid uint64) (held *kex.Held, err error) {
	err = s.with(func(h *segmentHolder) (err error) {
		held, err = h.Read(seckeyid)
		return err
	})
	return held, err
}

// Enter adds a key as open-only.
func (s *liveSegment) Enter(k client.HeldKey, held *kex.Held) error {
	return s.with(func(h *segmentHolder) error { return h.Enter(k, held) })
}

// MakeCurrent turns an open-only key into the current one.
func (s *liveSegment) MakeCurrent(seckeyid uint64) error {
	return s.with(func(h *segmentHolder) error { return h.MakeCurrent(seckeyid) })
}

// Shorten brings a key's end forward.
func (s *liveSegment) Shorten(seckeyid uint64, notAfter time.Duration) error {
	return s.with(func(h *segmentHolder) error { return h.Shorten(seckeyid, notAfter) })
}

// Retire makes a key one to open with only.
func (s *liveSegment) Retire(seckeyid uint64) error {
	return s.with(func(h *segmentHolder) error { return h.Retire(seckeyid) })
}

// Wipe erases a key.
func (s *liveSegment) Wipe(seckeyid uint64, state wire.State) error {
	return s.with(func(h *segmentHolder) error { return h.Wipe(seckeyid, state) })
}

// entry is one key's, without its bytes; the zero entry if it is not there.
func (s *liveSegment) entry(seckeyid uint64) (e shm.Entry) {
	for _, e := range s.entries() {
		if e.SeckeyID == seckeyid {
			return e
		}
	}
	return e
}

// holdsNewer reports whether a key with a greater number is here or was.
func (s *liveSegment) holdsNewer(seckeyid uint64) bool {
	for _, e := range s.entries() {
		if e.SeckeyID > seckeyid {
			return true
		}
	}
	return false
}

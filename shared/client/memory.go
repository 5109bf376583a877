package client

import (
	"fmt"
	"sync"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// MemoryHolder keeps keys in the memory of the process: for the browser, and
// for a terminal without shared memory.
type MemoryHolder struct {
	clock Clock
	mu    sync.Mutex
	keys  map[uint64]*memoryKey
}

type memoryKey struct {
	HeldKey
	held kex.Held
}

// NewMemoryHolder returns an empty one.
func NewMemoryHolder(clock Clock) *MemoryHolder {
	return &MemoryHolder{clock: clock, keys: map[uint64]*memoryKey{}}
}

// Current returns the number of the key to seal with and a copy of it for the
// caller to wipe; ErrNoKey if there is none.
func (m *MemoryHolder) Current() (uint64, *kex.Held, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wipeEnded()
	for n, k := range m.keys {
		if k.State == wire.StateActive {
			held := k.held
			return n, &held, nil
		}
	}
	return 0, nil, ErrNoKey
}

// WipeEnded erases every key whose end has come. Every other method does so first.
func (m *MemoryHolder) WipeEnded() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wipeEnded()
}

func (m *MemoryHolder) wipeEnded() {
	now := m.clock()
	for n, k := range m.keys {
		if k.NotAfter <= now {
			k.held.Zero()
			delete(m.keys, n)
		}
	}
}

func (m *MemoryHolder) Keys() ([]HeldKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wipeEnded()
	list := make([]HeldKey, 0, len(m.keys))
	for _, k := range m.keys {
		list = append(list, k.HeldKey)
	}
	return list, nil
}

func (m *MemoryHolder) Read(seckeyid uint64) (held *kex.Held, err error) {
	err = m.change(seckeyid, func(k *memoryKey) {
		copied := k.held
		held = &copied
	})
	return held, err
}

func (m *MemoryHolder) Enter(k HeldKey, held *kex.Held) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wipeEnded()
	if m.keys[k.Seckeyid] != nil {
		return fmt.Errorf("client: key %d is held already", k.Seckeyid)
	}
	k.State = wire.StatePending
	m.keys[k.Seckeyid] = &memoryKey{HeldKey: k, held: *held}
	return nil
}

func (m *MemoryHolder) MakeCurrent(seckeyid uint64) error {
	return m.change(seckeyid, func(k *memoryKey) {
		for _, other := range m.keys {
			if other.State == wire.StateActive {
				other.State = wire.StateRetired
			}
		}
		k.State = wire.StateActive
	})
}

func (m *MemoryHolder) Shorten(seckeyid uint64, notAfter time.Duration) error {
	return m.change(seckeyid, func(k *memoryKey) { k.NotAfter = min(k.NotAfter, notAfter) })
}

func (m *MemoryHolder) Retire(seckeyid uint64) error {
	return m.change(seckeyid, func(k *memoryKey) { k.State = wire.StateRetired })
}

func (m *MemoryHolder) Wipe(seckeyid uint64, _ wire.State) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.keys[seckeyid]; k != nil {
		k.held.Zero()
		delete(m.keys, seckeyid)
	}
	return nil
}

// change runs f on a living key.
func (m *MemoryHolder) change(seckeyid uint64, f func(*memoryKey)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wipeEnded()
	k := m.keys[seckeyid]
	if k == nil {
		return fmt.Errorf("%w: %d", ErrNoKey, seckeyid)
	}
	f(k)
	return nil
}

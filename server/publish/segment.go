package publish

import (
	"errors"
	"fmt"
	"log/slog"

	"hufu/shm"
)

const maxCapacity = 1 << 24

// openSegment takes the segment and its lock, and makes it where it is not
// there. One of another capacity is made anew: all that stands in it comes
// from the store.
func openSegment(o shm.Options, log *slog.Logger) (*shm.Writer, error) {
	if o.Capacity < 1 || o.Capacity > maxCapacity {
		return nil, fmt.Errorf("%w: %d", shm.ErrCapacity, o.Capacity)
	}
	w, err := takeSegment(o)
	if err == nil {
		if have := w.Info().Total; have != o.Capacity {
			log.Warn("the segment has another capacity; it is made anew", "segment", o.Name, "capacity", have, "asked", o.Capacity)
			err = errors.Join(shm.ErrCapacity, w.Close())
		}
	}
	if errors.Is(err, shm.ErrCapacity) {
		if err := shm.Destroy(o); err != nil && !errors.Is(err, shm.ErrNoSegment) {
			return nil, err
		}
		w, err = takeSegment(o)
	}
	if err != nil {
		return nil, err
	}
	for _, warning := range w.Warnings() {
		log.Warn(warning)
	}
	return w, nil
}

func takeSegment(o shm.Options) (*shm.Writer, error) {
	w, err := shm.OpenWriter(o)
	if errors.Is(err, shm.ErrNoSegment) {
		if err = shm.Create(o); err == nil {
			w, err = shm.OpenWriter(o)
		}
	}
	return w, err
}

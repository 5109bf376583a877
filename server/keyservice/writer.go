package keyservice

import (
	"context"
	"fmt"
	"time"
)

// writer is the one place from which a process changes the store. It commits
// in one transaction what has gathered while the last commit ran, and answers
// each only after its commit (group commit).
type writer struct {
	store   Store
	meter   Meter
	jobs    chan *job
	stopped chan struct{}
}

type job struct {
	change *Change
	done   chan error
}

const (
	maxBatch      = 256
	commitTimeout = 10 * time.Second
)

func newWriter(store Store, meter Meter) *writer {
	return &writer{store: store, meter: meter, jobs: make(chan *job, maxBatch), stopped: make(chan struct{})}
}

// commit waits until the change is committed or refused. Once the change is
// handed over only its answer counts, which comes within commitTimeout of its
// turn: Decide works on what belongs to the caller.
func (w *writer) commit(ctx context.Context, c *Change) error {
	j := &job{change: c, done: make(chan error, 1)}
	select {
	case w.jobs <- j:
	case <-w.stopped:
		return fmt.Errorf("%w: the server is stopping", ErrBusy)
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-j.done:
		return err
	case <-w.stopped:
		return j.afterStop()
	}
}

// afterStop answers a job that was handed over while the writer stopped: what
// run has answered counts, the rest was not begun.
func (j *job) afterStop() error {
	select {
	case err := <-j.done:
		return err
	default:
		return fmt.Errorf("%w: the server is stopping", ErrBusy)
	}
}

// run commits until ctx ends; a batch that has begun is finished, what waits is
// refused by afterStop.
func (w *writer) run(ctx context.Context) {
	defer close(w.stopped)
	var waiting []*job // conflicting with the batch before, or come since
	for ctx.Err() == nil {
		if len(waiting) == 0 {
			select {
			case j := <-w.jobs:
				waiting = append(waiting, j)
			case <-ctx.Done():
				return
			}
		}
		waiting = w.gather(waiting)
		var batch []*job
		batch, waiting = split(waiting)
		w.apply(context.WithoutCancel(ctx), batch)
	}
}

// gather adds what waits in the channel.
func (w *writer) gather(waiting []*job) []*job {
	for len(waiting) < maxBatch {
		select {
		case j := <-w.jobs:
			waiting = append(waiting, j)
		default:
			return waiting
		}
	}
	return waiting
}

// split takes the first change of every outlet; the others stay for the next
// batch, in their order.
func split(waiting []*job) (batch, rest []*job) {
	taken := make(map[string]bool, len(waiting))
	for _, j := range waiting {
		if taken[j.change.Outlet] {
			rest = append(rest, j)
			continue
		}
		taken[j.change.Outlet] = true
		batch = append(batch, j)
	}
	return batch, rest
}

func (w *writer) apply(ctx context.Context, batch []*job) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	changes := make([]*Change, len(batch))
	for i, j := range batch {
		changes[i] = j.change
	}
	began := time.Now()
	err := w.store.Apply(ctx, changes)
	w.meter.Committed(len(changes), time.Since(began), err)
	for _, j := range batch {
		j.done <- err
	}
}

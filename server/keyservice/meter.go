package keyservice

import "time"

// Meter is told what happens, for whoever counts it. Its methods are called by
// many goroutines and must not block.
type Meter interface {
	// Committed is called for every commit of this process, with the number of
	// changes in it, how long it took, and whether it failed.
	Committed(changes int, took time.Duration, err error)
	// StoreFailed is called for everything that was asked of the store and
	// failed, for each change of a commit that failed as well.
	StoreFailed()
	// Told is called for every change, whoever made it, once it has been told,
	// with its age then.
	Told(c ChangeRow, age time.Duration)
}

// unmetered counts nothing.
type unmetered struct{}

func (unmetered) Committed(int, time.Duration, error) {}
func (unmetered) StoreFailed()                        {}
func (unmetered) Told(ChangeRow, time.Duration)       {}

// Behind is for how long the change table has not been read to its end; 0
// before it was for the first time.
func (s *Service) Behind() time.Duration {
	at := s.readAt.Load()
	if at == nil {
		return 0
	}
	return time.Since(*at)
}

// PresenceWaiting is how many clients have come or gone of whom it is not yet
// written.
func (s *Service) PresenceWaiting() int { return s.presence.waiting() }

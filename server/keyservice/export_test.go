package keyservice

// Told reports whether everybody who has come or gone is written down.
func (s *Service) Told() bool { return s.presence.waiting() == 0 }

// Queued is how many changes have been handed over and wait for their turn.
func (s *Service) Queued() int { return len(s.writer.jobs) }

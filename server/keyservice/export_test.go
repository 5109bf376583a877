package keyservice

// Told reports whether everybody who has come or gone is written down.
func (s *Service) Told() bool { return s.presence.waiting() == 0 }

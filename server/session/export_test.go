package session

import "time"

// Tuning is bounds as a test sets them; zero values change nothing.
type Tuning struct {
	Open, Write, Close, Idle, Ping time.Duration
	Pushes                         int
}

// Tune is called before the first connection.
func (s *Server) Tune(t Tuning) {
	for _, d := range []struct {
		to   *time.Duration
		from time.Duration
	}{{&s.bounds.open, t.Open}, {&s.bounds.write, t.Write}, {&s.bounds.close, t.Close}, {&s.bounds.idle, t.Idle}, {&s.bounds.ping, t.Ping}} {
		if d.from != 0 {
			*d.to = d.from
		}
	}
	if t.Pushes != 0 {
		s.bounds.pushes = t.Pushes
	}
}

// Ended waits for the goroutines of all sessions. None may be open, nor come.
func (s *Server) Ended() { s.wg.Wait() }

package client

// maxTold bounds how many events above the number to resume by are remembered.
// It is reached only while a transaction at the server hangs; then some of them
// may be told twice after a reconnect.
const maxTold = 8192

// Resumption keeps by which number a watch of events (§12) is to be resumed on
// the next connection, and sees to it that each event is told once. Numbers are
// not in the order in which events come, so the greatest of them is not that
// number. The zero value watches from the moment of the first watch.
type Resumption struct {
	since uint64
	known bool
	told  map[uint64]bool // above since
}

// ResumeAt begins above a number.
func ResumeAt(since uint64) Resumption { return Resumption{since: since, known: true} }

// Since is what watch has to ask for; not known, and it asks for nothing.
func (r *Resumption) Since() (since uint64, known bool) { return r.since, r.known }

// Watching takes the number with which watch was answered.
func (r *Resumption) Watching(n uint64) {
	if !r.known {
		r.since, r.known = n, true
	}
}

// Told takes an event's n and, unless it is nil, its settled, and reports
// whether the event is a new one.
func (r *Resumption) Told(n uint64, settled *uint64) bool {
	resume := n
	if settled != nil {
		resume = *settled
	}
	fresh := !r.known || n > r.since && !r.told[n]
	if r.told == nil || len(r.told) >= maxTold {
		r.told = make(map[uint64]bool)
	}
	r.told[n] = true
	if resume > r.since || !r.known {
		r.since, r.known = resume, true
	}
	for n := range r.told {
		if n <= r.since {
			delete(r.told, n)
		}
	}
	return fresh
}

// Lost takes the n of an event of kind lost: what was before is to be read anew.
func (r *Resumption) Lost(n uint64) { *r = ResumeAt(n) }

package integration

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/kex"
	"hufu/shared/wire"
	"hufu/shm"
)

// beyond is how long after an outlet was told of a revocation, or should have
// been, its key may still be found: the second of TestRevocation, and some for
// an agent that stands still on a machine that does much else. It is less than
// what a key that is replaced stays current for.
const beyond = wipedWithin + 3*time.Second

// witness is two applications that look an outlet's keys up all the time, one
// in C and one in Go, and judge what they get: testdata/witness.c says how.
// Both outlive the segment, from before it is made.
type witness struct {
	t       testing.TB
	o       *outlet
	c       *exec.Cmd
	ask     io.WriteCloser
	answers *bufio.Scanner
	stop    func()       // the one in Go
	end     func() error // both; tells how the one in C ended

	mu      sync.Mutex // of what the one in Go has seen
	seen    map[uint64]*sight
	newest  uint64
	reads   int
	gone    int
	rounds  shm.BootTime  // when the last round began
	longest time.Duration // between two rounds
	current shm.BootTime  // the last round that found a current key; 0: none has
	without time.Duration // the longest time between two that found one
	inC     time.Duration // the longest between two rounds of the one in C, as it told last
	bad     error         // the first thing that was wrong
	revoked map[uint64]shm.BootTime
}

// sight is what was seen of one number.
type sight struct {
	fp          shm.Fingerprint
	state       shm.State
	end         shm.BootTime
	ended       bool
	first, last shm.BootTime // look-ups that found it usable; 0: none did
	inC         bool         // the one in C is among those that did
}

const (
	witnessEvery  = 2 * time.Millisecond
	witnessAround = 6
)

var buildWitness = sync.OnceValue(func() error {
	out, err := exec.Command("cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-I", "../shm",
		"-o", filepath.Join(bin, "witness"), "testdata/witness.c").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cc: %w: %s", err, out)
	}
	return nil
})

// witness starts both. At the end of the test they are heard.
func (o *outlet) witness(t testing.TB) *witness {
	t.Helper()
	w := o.watch(t)
	t.Cleanup(func() {
		w.judge()
		if err := w.end(); err != nil {
			t.Errorf("the witness in C: %v", err)
		}
	})
	return w
}

// watch starts both.
func (o *outlet) watch(t testing.TB) *witness {
	t.Helper()
	must(t, buildWitness())
	w := &witness{t: t, o: o, seen: map[uint64]*sight{}, rounds: shm.Now(), revoked: map[uint64]shm.BootTime{}}
	// It ends with its standard input, and so with this program.
	w.c = exec.Command(filepath.Join(bin, "witness"), o.path(), o.id, o.token.ServerID)
	var err error
	w.ask, err = w.c.StdinPipe()
	must(t, err)
	out, err := w.c.StdoutPipe()
	must(t, err)
	w.answers = bufio.NewScanner(out)
	must(t, w.c.Start())
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		w.loop(quit)
	}()
	w.stop = sync.OnceFunc(func() {
		close(quit)
		<-ended
	})
	w.end = sync.OnceValue(func() error {
		w.stop()
		return errors.Join(w.ask.Close(), w.c.Wait())
	})
	t.Cleanup(func() { _ = w.end() }) // where the test has not come to it
	return w
}

// loop is the application in Go.
func (w *witness) loop(quit <-chan struct{}) {
	var r *shm.Reader
	ticker := time.NewTicker(witnessEvery)
	defer ticker.Stop()
	for {
		select {
		case <-quit:
			if r != nil {
				r.Close()
			}
			return
		case <-ticker.C:
		}
		w.mu.Lock()
		w.paused()
		w.rounds = shm.Now()
		var err error
		if r == nil {
			if r, err = shm.OpenReader(shm.Options{Name: w.o.segment}); err != nil && !errors.Is(err, shm.ErrNoSegment) && !errors.Is(err, shm.ErrBadMagic) {
				w.wrong("%v", err)
			}
		}
		if err == nil {
			w.round(r)
		}
		w.mu.Unlock()
	}
}

// paused keeps the longest time between two rounds, the one since the last
// among them. The caller has the lock.
func (w *witness) paused() { w.longest = max(w.longest, shm.Now().Sub(w.rounds)) }

func (w *witness) round(r *shm.Reader) {
	began := shm.Now()
	e, err := r.Current(w.o.id)
	w.look(began, &e, err)
	if err == nil {
		if w.current != 0 {
			w.without = max(w.without, w.rounds.Sub(w.current))
		}
		w.current = w.rounds
	}
	for n := max(w.newest, witnessAround+1) - witnessAround; n <= w.newest+2; n++ {
		began := shm.Now()
		e, err := r.Key(w.o.id, n)
		w.look(began, &e, err)
	}
}

// look judges one look-up.
func (w *witness) look(began shm.BootTime, e *shm.Entry, err error) {
	defer e.Key.Zero()
	w.reads++
	switch {
	case errors.Is(err, shm.ErrGone):
		w.gone++
		return
	case errors.Is(err, shm.ErrNotFound), errors.Is(err, shm.ErrNoCurrent):
		return
	case err != nil && !errors.Is(err, shm.ErrNotUsable):
		w.wrong("%v", err)
		return
	}
	s := w.seen[e.SeckeyID]
	if s == nil {
		s = &sight{fp: e.Fingerprint}
		w.seen[e.SeckeyID] = s
		w.newest = max(w.newest, e.SeckeyID)
	}
	switch {
	case err == nil && s.ended:
		w.wrong("usable after its end: %s", e)
	case e.ClientID != w.o.id || e.ServerID != w.o.token.ServerID:
		w.wrong("a foreign key: %s", e)
	case e.Fingerprint != s.fp:
		w.wrong("another fingerprint than %s: %s", s.fp, e)
	case e.State < s.state:
		w.wrong("its state shrank from %s: %s", s.state, e)
	}
	s.state = e.State
	if err != nil {
		s.ended = true
		return
	}
	switch {
	case fingerprint(e.Key) != e.Fingerprint:
		w.wrong("a torn key: %s", e)
	case e.NotAfter <= began:
		w.wrong("usable beyond its end: %s", e)
	case s.first != 0 && e.NotAfter > s.end:
		w.wrong("its end grew: %s", e)
	}
	if s.first == 0 {
		s.first = began
	}
	s.end, s.last = e.NotAfter, shm.Now()
}

func (w *witness) wrong(format string, args ...any) {
	if w.bad == nil {
		w.bad = fmt.Errorf(format, args...)
	}
}

// told is the moment from which a key counts as revoked at the outlet.
func (w *witness) told(seckeyid uint64, at shm.BootTime) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.revoked[seckeyid] = at
}

// always checks that there was a current key at every round from the first on.
func (w *witness) always() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused()
	if now := shm.Now(); w.current == 0 || w.without > w.longest+witnessEvery || now.Sub(w.current) > w.longest+time.Second {
		w.t.Errorf("there was no current key for %v, and for %v now", w.without, now.Sub(w.current))
	}
}

// sightings are what both have seen, by number; the last of the two counts, and
// a key has ended where both have seen that.
// err is the first thing that either found wrong.
func (w *witness) sightings() (seen map[uint64]sight, err error) {
	seen = map[uint64]sight{}
	if _, err := io.WriteString(w.ask, "\n"); err != nil {
		return nil, fmt.Errorf("the witness in C: %w", err)
	}
	for w.answers.Scan() && w.answers.Text() != "end" {
		var n uint64
		var fp []byte
		var s sight
		line := w.answers.Text()
		if _, scan := fmt.Sscanf(line, "key %d %x %d %d %t", &n, &fp, &s.first, &s.last, &s.ended); scan == nil {
			s.fp, s.inC = shm.Fingerprint(fp), s.last != 0
			seen[n] = s
			continue
		}
		var reads, gone int
		var longest time.Duration
		if _, scan := fmt.Sscanf(line, "reads %d %d %d", &reads, &gone, &longest); scan != nil {
			return nil, fmt.Errorf("the witness in C: %s", line)
		}
		w.mu.Lock()
		w.t.Logf("%s: look-ups in C %d, %d of them without a segment, in Go %d, %d; longest pauses %v, %v", w.o.segment, reads, gone, w.reads, w.gone,
			longest.Round(time.Millisecond), w.longest.Round(time.Millisecond))
		w.inC = longest
		w.mu.Unlock()
		if reads == 0 {
			return nil, errors.New("the witness in C has seen nothing")
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused()
	for n, s := range w.seen {
		c, both := seen[n]
		if both && c.fp != s.fp {
			return nil, fmt.Errorf("key %d is %s in C and %s in Go", n, c.fp, s.fp)
		}
		s := *s
		s.last, s.ended, s.inC = max(s.last, c.last), s.ended && c.ended, c.inC
		seen[n] = s
	}
	for n, s := range seen {
		s.ended = s.ended && w.seen[n] != nil
		seen[n] = s
	}
	return seen, w.bad
}

// judge reports what either found wrong, and what does not stand in the history.
func (w *witness) judge() {
	seen, err := w.sightings()
	if err != nil {
		w.t.Errorf("%s: %v", w.o.segment, err)
		return
	}
	w.stop()
	rows, err := w.o.rules.Keys(context.WithoutCancel(w.t.Context()), keyservice.KeyQuery{Outlet: w.o.id, ByNumber: true, Limit: 1000})
	if err != nil {
		w.t.Error(err)
		return
	}
	if err := w.against(seen, rows); err != nil {
		w.t.Errorf("%s: %v", w.o.segment, err)
	}
	w.t.Logf("%s: %s", w.o.segment, tale(rows))
}

// against holds what was seen against the history: no key but the centre's,
// none beyond its end there, and none beyond the second in which the outlet
// was told of its revocation.
func (w *witness) against(seen map[uint64]sight, rows []keyservice.KeyRow) error {
	centre, pause := map[uint64]keyservice.KeyRow{}, max(w.longest, w.inC)
	for _, row := range rows {
		centre[row.Seckeyid] = row
	}
	var errs []error
	for n, s := range seen {
		row, there := centre[n]
		if !there || wire.Fingerprint(row.FP).String() != s.fp.String() {
			errs = append(errs, fmt.Errorf("key %d, %s, was seen; the centre has %+v", n, s.fp, row))
		}
		if seen := time.Now().Add(-shm.Now().Sub(s.last)); seen.Sub(row.Expires) > pause {
			errs = append(errs, fmt.Errorf("key %d was seen at %s and has ended at %s", n, seen, row.Expires))
		}
		if told, is := w.revoked[n]; is && s.last.Sub(told) > beyond+pause {
			errs = append(errs, fmt.Errorf("key %d was seen %v after it was revoked", n, s.last.Sub(told)))
		}
	}
	return errors.Join(errs...)
}

// tale tells a history, oldest first, as "1 retired, 2 active".
func tale(rows []keyservice.KeyRow) string {
	words := make([]string, 0, len(rows))
	for i := range rows {
		row := &rows[len(rows)-1-i]
		words = append(words, fmt.Sprintf("%d %s", row.Seckeyid, row.State))
	}
	return strings.Join(words, ", ")
}

// fingerprint is a key's own.
func fingerprint(k shm.Key) shm.Fingerprint {
	key := kex.NewKey((*[shm.KeySize]byte)(&k))
	defer key.Zero()
	defer k.Zero()
	return shm.Fingerprint(key.Fingerprint())
}

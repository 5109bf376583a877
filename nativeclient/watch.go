package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shm"
)

// watchEvery is how often the segment is looked at.
const watchEvery = 500 * time.Millisecond

// watch shows the segment again whenever it has changed, until it is
// interrupted: in place on a terminal, else one table below the other, or one
// JSON document a line. A segment that is not there is waited for, and one that
// is made anew is followed.
func (e *env) watch() error {
	var r *shm.Reader
	defer func() {
		if r != nil {
			r.Close()
		}
	}()
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	screen := &screen{env: e, inPlace: isTerminal(e.W) && !e.JSON}
	for {
		var err error
		if r == nil {
			r, err = shm.OpenReader(e.segment())
		}
		if err == nil {
			_, err = r.Current("-") // tells whether the segment is there; nobody's is
		}
		switch {
		case errors.Is(err, shm.ErrNoSegment), errors.Is(err, shm.ErrGone):
			err = screen.show(nil)
		case err == nil, errors.Is(err, shm.ErrNoCurrent):
			err = screen.show(r)
		default:
			err = settings.With(settings.ExitSharedMemory, err)
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-e.Done():
			return nil
		}
	}
}

// screen is what was shown last.
type screen struct {
	*env
	inPlace bool
	last    string // what it was, ends apart
	lines   int
}

// watchOut is a document of watch as --json shows it.
type watchOut struct {
	At      time.Time  `json:"at"`
	There   bool       `json:"segment"`
	Entries []entryOut `json:"entries"`
}

// show shows what stands in the segment if it has changed; nil: there is none.
func (s *screen) show(r *shm.Reader) error {
	out := watchOut{There: r != nil, Entries: []entryOut{}}
	if r != nil {
		out.Entries = append(out.Entries, entriesOf(r)...)
	}
	if now := out.identity(); now == s.last {
		return nil
	} else {
		s.last = now
	}
	out.At = now()
	if s.JSON {
		return json.NewEncoder(s.W).Encode(out)
	}
	var b bytes.Buffer
	table := *s.env
	table.W = &b
	fmt.Fprintln(&b, out.At.Local().Format(time.DateTime)+"  "+(&liveSegment{options: s.segment()}).path())
	if r == nil {
		fmt.Fprintln(&b, s.T("watch_gone"))
	} else if err := table.showRows(out.Entries); err != nil {
		return err
	}
	if s.inPlace && s.lines > 0 {
		fmt.Fprintf(s.W, "\x1b[%dA\x1b[J", s.lines) // up, and clear from there on
	}
	s.lines = s.height(b.String())
	_, err := s.W.Write(b.Bytes())
	return err
}

// height is how many lines of the terminal a text takes, which breaks those
// that are too wide for it.
func (s *screen) height(shown string) (lines int) {
	columns := 0
	if f, is := s.W.(*os.File); is {
		columns, _, _ = term.GetSize(int(f.Fd())) // 0: not known, and nothing is broken
	}
	for line := range strings.Lines(shown) {
		lines++
		if wide := text.Width(strings.TrimSuffix(line, "\n")); columns > 0 && wide > columns {
			lines += (wide - 1) / columns
		}
	}
	return lines
}

// identity is equal for two looks between which nothing has changed. Its ends
// are on the boot clock: by the machine's they differ a little from look to look.
func (o watchOut) identity() string {
	var b strings.Builder
	fmt.Fprint(&b, o.There)
	for _, e := range o.Entries {
		fmt.Fprintln(&b, e.ClientID, e.ServerID, e.Seckeyid, e.Status, e.State, e.Current, e.Fingerprint, e.end)
	}
	return b.String()
}

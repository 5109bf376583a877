package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"hufu/shared/wire"
)

// badInput is a row: what comes in that should not, what is told of it, where
// and how, and what stands afterwards.
type badInput struct {
	name  string
	given func(*outlet)      // what stands before; nil: an enrolled outlet without a key
	do    func(*outlet) seen // the bad input
	sees  seen               // what the peer or the terminal is told
	logs  string             // part of the server's line about it; empty: it has no cause to warn
	after after              // what the history and the segment hold

	on     string // the store: sqlite if empty
	beside bool   // runs beside others: for the server's lines only those count that name its outlet
	root   bool   // needs root
}

// seen is what a terminal or a peer is told.
type seen struct {
	how  string // exit, close, error
	code int
	says string // for exit: a part of what is printed
}

// exits: the program hufu ends with this code and says so.
func exits(code int, says string) seen { return seen{"exit", code, says} }

// closes: the server closes the connection without a word.
func closes(code int) seen { return seen{"close", code, "nothing"} }

// refuses: the server answers with an authenticated error, and goes on.
func refuses(code wire.Code) seen { return seen{"error", int(code), ""} }

// openFails: the server answers with the bytes of a failed open, and closes.
var openFails = seen{"close", 1008, "the failure of open"}

func (s seen) String() string {
	return fmt.Sprintf("%s %d: %s", s.how, s.code, strings.TrimSpace(s.says))
}

func (s seen) is(want seen) bool {
	return s.how == want.how && s.code == want.code &&
		(s.says == want.says || s.how == "exit" && strings.Contains(s.says, want.says))
}

// after is what stands afterwards: in the history, newest first, and in the
// segment, by ascending number.
type after struct{ history, segment string }

// refusal begins what a segment that cannot be read is told to be.
const refusal = "refused: "

func (a after) is(want after) bool {
	says, refused := strings.CutPrefix(want.segment, refusal)
	return a.history == want.history && (a.segment == want.segment ||
		refused && strings.HasPrefix(a.segment, refusal) && strings.Contains(a.segment, says))
}

var (
	nothing  = after{"", "none"}
	emptied  = after{"", ""} // a segment was made, and holds no key
	oneKey   = after{"1 active", "1 active current"}
	atCentre = func(history string) after { return after{history, "none"} } // of a peer without a segment
)

func allRows() []badInput {
	rows := slices.Concat(tokenRows, frameRows, orderRows, keyRows, middleRows, viewRows, segmentRows)
	for i := range rows {
		rows[i].beside = true
	}
	return slices.Concat(rows, openRows, outageRows, setupRows)
}

// TestBadInput holds the whole table against the real programs.
func TestBadInput(t *testing.T) {
	sites := map[string]*site{"": newSite(t, "sqlite"), "postgres": newSite(t, "postgres", "--max-rate", "10000", "--max-burst", "10000")}
	names := map[string]bool{}
	for _, row := range allRows() {
		if names[row.name] {
			t.Errorf("two rows have the name %q", row.name)
		}
		names[row.name] = true
		t.Run(row.name, func(t *testing.T) {
			if row.beside {
				t.Parallel()
			}
			if row.root && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			row.check(t, sites[row.on])
		})
	}
}

func (row *badInput) check(t *testing.T, s *site) {
	o := s.enrolled(t)
	if row.given != nil {
		row.given(o)
	}
	mark := s.server.log.mark()
	if got := row.do(o); !got.is(row.sees) {
		t.Errorf("it is told %s\nexpected %s", got, row.sees)
	}
	if got := (after{o.history(), o.shared()}); !got.is(row.after) {
		t.Errorf("afterwards %+v, expected %+v", got, row.after)
	}
	row.checkLog(t, o, mark) // last: where nothing must come it has had time to
}

// checkLog looks for the server's line, which may come a little later than its
// answer. Lines about other outlets do not count.
func (row *badInput) checkLog(t *testing.T, o *outlet, mark int) {
	t.Helper()
	ours := func(line string) bool {
		client := attribute(line, "client")
		return client == o.id || client == "" && !row.beside || strings.Contains(row.logs, "client="+client)
	}
	if row.logs == "" {
		if line := o.server.log.find(mark, func(line string) bool {
			return ours(line) && (strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR"))
		}); line != "" {
			t.Errorf("the server has logged: %s", line)
		}
		return
	}
	eventually(t, fmt.Sprintf("the server logs %q", row.logs), func() bool {
		return o.server.log.find(mark, func(line string) bool { return ours(line) && strings.Contains(line, row.logs) }) != ""
	})
}

// run runs hufu, as a row's bad input.
func (o *outlet) run(args ...string) seen {
	o.t.Helper()
	r := o.hufu(args...)
	return exits(r.code, r.out+r.err)
}

// hufu is the row's input: this command.
func hufu(args ...string) func(*outlet) seen {
	return func(o *outlet) seen { return o.run(args...) }
}

// ending is what the server makes of the connection.
func (p *peer) ending() seen {
	p.t.Helper()
	frames, code := p.end()
	s := closes(code)
	switch {
	case len(frames) == 1 && wire.IsOpenFailure(frames[0]):
		s.says = "the failure of open"
	case len(frames) > 0:
		s.says = fmt.Sprintf("%d messages", len(frames))
	}
	return s
}

// and is what was seen of variant i, after s of those before it: all have to
// be alike, else the first that differs is told.
func (s seen) and(i int, got seen) seen {
	if i > 0 && got != s && !strings.Contains(s.says, "(variant ") {
		s = seen{got.how, got.code, fmt.Sprintf("%s (variant %d)", got.says, i)}
	} else if i == 0 {
		s = got
	}
	return s
}

// variants is the row's input: each of these frames, on a connection of its own.
func variants(connect func(*outlet) *peer, frames func(*peer) [][]byte) func(*outlet) seen {
	return func(o *outlet) (s seen) {
		for i, n := 0, 1; i < n; i++ {
			p := connect(o)
			list := frames(p)
			n = len(list)
			p.send(list[i])
			s = s.and(i, p.ending())
		}
		return s
	}
}

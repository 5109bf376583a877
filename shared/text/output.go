package text

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Output is where a command's result goes: words and tables made for eyes, or
// JSON for scripts, one object a line.
type Output struct {
	W    io.Writer
	JSON bool
	Lang Lang
}

// T is the text with that key in the output's language.
func (o Output) T(key string, args ...any) string { return o.Lang.T(key, args...) }

// Show prints one result.
func (o Output) Show(v any, words func() string) error {
	if o.JSON {
		return json.NewEncoder(o.W).Encode(v)
	}
	_, err := fmt.Fprintln(o.W, words())
	return err
}

// Say prints a line that is for people alone.
func (o Output) Say(key string, args ...any) {
	if !o.JSON {
		fmt.Fprintln(o.W, o.T(key, args...))
	}
}

// Rows is a list: a table for eyes.
type Rows struct {
	o      Output
	header []string
	cells  [][]string
	err    error
}

// Rows begins a list with the columns that the catalog names.
func (o Output) Rows(columns ...string) *Rows {
	r := &Rows{o: o}
	for _, key := range columns {
		r.header = append(r.header, o.T(key))
	}
	return r
}

// Add takes a row: as JSON it goes out at once, in a table it waits for the
// others' widths.
func (r *Rows) Add(view any, cells ...string) {
	if !r.o.JSON {
		r.cells = append(r.cells, cells)
		return
	}
	if r.err == nil {
		r.err = json.NewEncoder(r.o.W).Encode(view)
	}
}

// Write ends the list.
func (r *Rows) Write() error {
	if r.o.JSON {
		return r.err
	}
	return Table(r.o.W, r.header, r.cells)
}

// Time shows a time in the machine's zone; "-" if it was not reached.
func Time(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

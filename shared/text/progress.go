package text

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Progress shows how far a long piece of work has come, in one line that is
// written over. With a nil writer it counts and shows nothing.
type Progress struct {
	w     io.Writer
	total int
	done  int
	shown time.Time
}

const (
	progressWidth = 30
	progressEvery = 100 * time.Millisecond
)

// NewProgress begins at 0 of total.
func NewProgress(w io.Writer, total int) *Progress { return &Progress{w: w, total: total} }

// Step counts one more.
func (p *Progress) Step() {
	p.done++
	if p.w != nil && (p.done == p.total || time.Since(p.shown) >= progressEvery) {
		p.shown = time.Now()
		filled := progressWidth * p.done / max(p.total, p.done, 1)
		fmt.Fprintf(p.w, "\r[%s%s] %d/%d", strings.Repeat("#", filled), strings.Repeat(".", progressWidth-filled), p.done, p.total)
	}
}

// Done is how many have been counted.
func (p *Progress) Done() int { return p.done }

// End leaves the line.
func (p *Progress) End() {
	if p.w != nil && p.done > 0 {
		fmt.Fprintln(p.w)
	}
}

package publish

import (
	"context"
	"errors"
	"time"

	"hufu/shm"
)

// lookEvery is how often ends are wiped and the segment is looked for.
const lookEvery = time.Second

// wipeEnds wipes what has ended, also while the store is away.
func (p *Publisher) wipeEnds(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		n, err := p.segment().WipeEnded()
		switch {
		case errors.Is(err, shm.ErrGone):
			p.lost()
		case n > 0:
			p.log.Debug("keys have ended", "keys", n)
		}
		p.judgeRoom()
	}
}

func (p *Publisher) segment() *shm.Writer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writer
}

// lost has the segment made anew.
func (p *Publisher) lost() {
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.marks.knock()
}

// reopen makes the segment anew where it is gone. Readers follow to it; what
// they have of the old one is wiped.
func (p *Publisher) reopen() error {
	p.mu.Lock()
	old, gone := p.writer, p.gone
	p.mu.Unlock()
	if !gone {
		return nil
	}
	p.log.Warn("the segment is gone; it is made anew", "segment", p.options.Name)
	if err := old.Abandon(); err != nil {
		return err
	}
	w, err := openSegment(p.options, p.log)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.writer, p.gone = w, false
	p.mu.Unlock()
	p.fillDue = true
	return nil
}

// saidOf bounds how many outlets are named in the log that are not wholly there.
const saidOf = 10

// account keeps which outlets are not wholly there.
func (p *Publisher) account(outlets []*outlet, failed map[string]error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range outlets {
		err := failed[o.id]
		if err == nil {
			delete(p.failed, o.id)
			continue
		}
		if p.failed[o.id] == nil && len(p.failed) < saidOf {
			p.log.Error("not all keys of an outlet are published; trying again", "outlet", o.id, "error", err)
		}
		p.failed[o.id] = err
	}
}

// markFailed marks some of those that are not wholly there: entries may have
// become free, or a ring key may have come.
func (p *Publisher) markFailed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for id := range p.failed {
		if n++; n > batch {
			return
		}
		p.marks.add(id, nil)
	}
}

// Stats is how a segment stands.
type Stats struct {
	Capacity    int // entries
	Used        int // that hold a key
	Unpublished int // outlets of which some key is not there: no room, or a seal that does not open
}

// Stats counts what stands in the segment.
func (p *Publisher) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := p.writer.Info()
	return Stats{Capacity: i.Total, Used: i.Used, Unpublished: len(p.failed)}
}

// judgeRoom says it when the segment becomes too small.
func (p *Publisher) judgeRoom() {
	s := p.Stats()
	room := 0
	switch {
	case s.Unpublished > 0:
		room = 2
	case s.Used > s.Capacity/2:
		room = 1
	}
	if room > p.room {
		words := "the segment is more than half full: look-ups take longer; give it a greater capacity"
		if room == 2 {
			words = "keys are missing in the segment"
		}
		p.log.Warn(words, "segment", p.options.Name, "capacity", s.Capacity, "used", s.Used, "outlets_unpublished", s.Unpublished)
	}
	p.room = room
}

package publish

import (
	"context"
	"iter"
	"time"

	"hufu/server/keyservice"
)

// pageKeys is how many keys one page of a fill has.
const pageKeys = 2000

// page is what the reader of a fill hands over. Its last one has end or err.
type page struct {
	keys []keyservice.UsableKey
	end  bool
	err  error
}

// fill holds all that stands in the segment against the store. The next page
// is read while one is worked on, and between pages the marked outlets have
// their turn: an outlet that was looked at meanwhile is newer than its page.
func (p *Publisher) fill(ctx context.Context) error {
	began := time.Now()
	p.touched = make(map[string]bool)
	defer func() { p.touched = nil }()
	f := filling{publisher: p, before: p.segment().Clients()}
	defer func() { zero(f.rest.keys) }()

	ctx, stop := context.WithCancel(ctx)
	pages := make(chan page)
	go p.read(ctx, pages)
	defer func() {
		stop()
		for page := range pages {
			zero(page.keys)
		}
	}()
	for page := range pages {
		if page.err != nil {
			return page.err
		}
		if err := f.take(page); err != nil {
			return err
		}
		if err := p.drain(ctx); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.unknownUpTo("")
	s := p.Stats()
	p.log.Info("the segment is filled", "segment", p.options.Name, "outlets", f.outlets, "keys", f.keys,
		"used", s.Used, "capacity", s.Capacity, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// read reads page after page until the last, or until ctx ends.
func (p *Publisher) read(ctx context.Context, pages chan<- page) {
	defer close(pages)
	q := keyservice.UsableQuery{Limit: pageKeys}
	for {
		keys, next, err := p.service.UsablePage(ctx, q)
		last := err != nil || next == keyservice.KeyRef{}
		select {
		case pages <- page{keys, last, err}:
		case <-ctx.Done():
			zero(keys)
			return
		}
		if last {
			return
		}
		q.After = next
	}
}

// filling is a fill under way.
type filling struct {
	publisher     *Publisher
	before        []string // clients that had a key in the segment, ascending; those that are still to come
	rest          outlet   // the last outlet of a page, which may go on in the next
	outlets, keys int
}

// take applies the outlets of a page that are complete.
func (f *filling) take(page page) error {
	defer zero(page.keys)
	var complete []*outlet
	for keys := range byOutlet(page.keys) {
		if f.rest.id == keys[0].Outlet {
			f.rest.keys = join(f.rest.keys, keys)
			continue
		}
		complete = f.finish(complete)
		f.rest = outlet{keys[0].Outlet, keys}
	}
	if page.end {
		complete = f.finish(complete)
	}
	f.rest.keys = join(nil, f.rest.keys) // the page is wiped
	_, err := f.publisher.apply(complete)
	return err
}

// byOutlet are the keys of one outlet after another, of a list that is ordered by outlet.
func byOutlet(keys []keyservice.UsableKey) iter.Seq[[]keyservice.UsableKey] {
	return func(yield func([]keyservice.UsableKey) bool) {
		for from, to := 0, 0; from < len(keys); from = to {
			for to = from + 1; to < len(keys) && keys[to].Outlet == keys[from].Outlet; to++ {
			}
			if !yield(keys[from:to:to]) {
				return
			}
		}
	}
}

// join is a new list of both, of which a is wiped.
func join(a, b []keyservice.UsableKey) []keyservice.UsableKey {
	all := make([]keyservice.UsableKey, 0, len(a)+len(b))
	all = append(append(all, a...), b...)
	zero(a)
	return all
}

// finish adds the outlet that has become complete, unless it was looked at
// after the fill began.
func (f *filling) finish(complete []*outlet) []*outlet {
	o := f.rest
	f.rest = outlet{}
	if o.id == "" {
		return complete
	}
	f.unknownUpTo(o.id)
	f.outlets++
	f.keys += len(o.keys)
	if f.publisher.touched[o.id] {
		zero(o.keys)
		return complete
	}
	return append(complete, &o)
}

// unknownUpTo marks those who have a key in the segment and none in the store,
// up to an outlet; to the end if it is empty.
func (f *filling) unknownUpTo(id string) {
	for len(f.before) > 0 && (id == "" || f.before[0] <= id) {
		if f.before[0] != id {
			f.publisher.marks.add(f.before[0], nil)
		}
		f.before = f.before[1:]
	}
}

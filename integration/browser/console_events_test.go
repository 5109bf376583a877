package browser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"hufu/server/keyservice"
)

// listed are the numbers of the events that the page shows, from the top.
func (c *console) listed() []uint64 {
	c.t.Helper()
	return eval[[]uint64](c.tab, "return [...document.querySelectorAll('[data-test=event]')].map((e) => Number(e.dataset.n))")
}

// numbers of what the centre has recorded, newest first.
func (s *site) numbers(args ...string) (all []uint64) {
	s.t.Helper()
	for _, e := range s.events(args...) {
		all = append(all, e.N)
	}
	return all
}

// lists waits until the page shows exactly the events that the centre lists.
func (c *console) lists(args ...string) {
	c.t.Helper()
	what := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, want := c.listed(), c.s.numbers(args...)
		if slices.Equal(got, want) {
			return
		}
		what = difference(got, want)
	}
	c.t.Fatalf("the page lists %s", what)
}

// isNewest waits until the page shows the newest that the centre has, without a
// hole between them, and no more than it may read at once.
func (c *console) isNewest() {
	c.t.Helper()
	what := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got := c.listed()
		want := c.s.numbers("--limit", fmt.Sprint(max(len(got), 1)))
		if slices.Equal(got, want) {
			return
		}
		what = difference(got, want)
	}
	c.t.Fatalf("the page lists %s", what)
}

// difference says in short how a list is not what the centre has.
func difference(got, want []uint64) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("%d events, the centre has %d; from place %d on: %v, the centre %v", len(got), len(want), i, got[i:min(i+5, len(got))], want[i:min(i+5, len(want))])
}

// happen records that many changes, as somebody else's process would.
func happen(ctx context.Context, store keyservice.Store, id string, changes int, note string) error {
	for done := 0; done < changes; {
		part := min(100, changes-done)
		c := &keyservice.Change{Outlet: id, Decide: func(l *keyservice.Ledger) error {
			for range part {
				l.Writes.Changes = append(l.Writes.Changes, keyservice.ChangeRow{At: time.Now().UTC().Truncate(time.Millisecond), Kind: keyservice.KindRefused,
					Outlet: id, By: id, Note: note})
			}
			return nil
		}}
		err := store.Apply(ctx, []*keyservice.Change{c})
		if err = errors.Join(err, c.Err); err != nil {
			return err
		}
		done += part
	}
	return nil
}

// toTheEnd reads earlier events until there are none, of a list in which
// nothing moves any more.
func (c *console) toTheEnd() {
	c.t.Helper()
	c.run(`
		while (!document.querySelector('[data-test=end]')) {
			const before = document.querySelectorAll('[data-test=event]').length;
			document.querySelector('[data-test=earlier]').click();
			await new Promise((r) => setTimeout(r, 10));
			while (document.querySelectorAll('[data-test=event]').length === before && !document.querySelector('[data-test=end]')) await new Promise((r) => setTimeout(r, 10));
		}`)
}

// TestConsoleEvents: what happens is listed as it happens, selected as the
// address says, and kept back while the list is paused.
func TestConsoleEvents(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	c, operator := openStaff(t, s, "operator", "#/events")
	c.until("document.querySelector('[data-test=live][data-state=live]') && document.querySelectorAll('[data-test=event]').length > 0")
	m := newTerminal(t, s)
	m.enrol(token)
	m.hufu("negotiate")
	c.until("document.querySelector('[data-test=event][data-kind=verified]')")
	s.admin("key", "revoke", id, "1", "--reason", "2")
	c.until("document.querySelector('[data-test=event][data-kind=revoked]')")
	if text := c.text("events"); !strings.Contains(text, "key compromised") || !strings.Contains(text, id) || !strings.Contains(text, operator) {
		t.Errorf("the list says %q", text)
	}
	c.lists()

	t.Run("selected", func(t *testing.T) {
		c.click("kinds")
		c.click("kind-revoked")
		c.until("location.hash.includes('kinds=revoked')")
		c.click("kind-verified")
		c.until("location.hash.includes('kinds=verified%2Crevoked') || location.hash.includes('kinds=revoked%2Cverified')")
		c.lists("--kind", "revoked", "--kind", "verified")
		other, token := s.enrol()
		m := newTerminal(t, s)
		m.enrol(token)
		m.hufu("negotiate")
		c.lists("--kind", "revoked", "--kind", "verified")
		c.run("location.hash = '#/events?outlet=" + other + "'")
		c.until("document.querySelector('[data-test=filter-outlet]').value === " + quote(other))
		c.lists("--outlet", other)
		s.admin("outlet", "disable", id) // of no interest here
		s.admin("outlet", "disable", other)
		c.until("document.querySelector('[data-test=event][data-kind=disabled]')")
		c.lists("--outlet", other)
		c.click("filter-none")
		c.lists()
		c.run("location.hash = '#/events?to=2020-01-01'")
		c.until("document.querySelector('[data-test=events-empty]') && !document.querySelector('[data-test=live]')")
		c.run("location.hash = '#/events'")
		c.lists()
	})
	t.Run("paused", func(t *testing.T) {
		c.run("location.hash = '#/events?kinds=disabled%2Cenabled'") // who came and went is written down late
		c.lists("--kind", "disabled", "--kind", "enabled")
		before := c.listed()
		c.click("pause")
		s.admin("outlet", "enable", id)
		c.says("pause", "1 new")
		if got := c.listed(); !slices.Equal(got, before) {
			t.Errorf("paused, it lists %v", got)
		}
		c.click("pause")
		c.lists("--kind", "disabled", "--kind", "enabled")
	})
}

// TestConsoleEventsNoGap: whatever happens while the console has no connection,
// or cannot keep up, is in the list afterwards; where that is too much the list
// begins anew and says so, and what is before it follows below.
func TestConsoleEventsNoGap(t *testing.T) {
	s := newSite(t)
	id, _ := s.enrol()
	c, _ := openStaff(t, s, "auditor", "#/events")
	c.allow(offline...)
	c.until("document.querySelector('[data-test=live][data-state=live]') && document.querySelectorAll('[data-test=event]').length > 0")
	store := s.store()
	away := func(changes int, act ...string) {
		t.Helper()
		s.stop(syscall.SIGKILL)
		c.until("document.querySelector('[data-test=live][data-state=offline]')")
		for _, act := range act {
			s.admin("outlet", act, id)
		}
		must(0, happen(t.Context(), store, id, changes, fmt.Sprint(changes, " while away")))(t)
		s.start()
		// What it is told again may be there before it has read, and begun anew.
		c.until("document.querySelector('[data-test=events-page][aria-busy=false] [data-test=live][data-state=live]')")
	}
	away(37)
	c.lists()
	if strings.Contains(c.text("live"), "begins anew") {
		t.Error("it says that the list begins anew")
	}

	away(800)
	c.isNewest()
	c.toTheEnd()
	c.lists()

	c.run("location.hash = '#/help'")
	c.until("document.querySelector('[data-test=help]')")
	c.run("location.hash = '#/events'")
	c.until("document.querySelector('[data-test=event]')")
	away(10_100)
	c.says("live", "begins anew")
	c.isNewest()

	// Of so many, those that are selected are few.
	c.run("location.hash = '#/events?kinds=disabled%2Cenabled'")
	c.until("document.querySelector('[data-test=kind-disabled]')?.checked")
	c.lists("--kind", "disabled", "--kind", "enabled")
	s.admin("outlet", "disable", id)
	c.lists("--kind", "disabled", "--kind", "enabled")
	away(10_100, "enable")
	c.lists("--kind", "disabled", "--kind", "enabled")
	c.run("location.hash = '#/events'")
	c.isNewest()

	// A page that is busy for a while does not read; what overflows is read later.
	done := make(chan error, 1)
	go func() { done <- happen(t.Context(), store, id, 6000, strings.Repeat("busy ", 30)) }()
	c.run("for (const end = performance.now() + 4000; performance.now() < end;);")
	must(0, <-done)(t)
	c.isNewest()
}

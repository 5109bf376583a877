package browser

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
)

// TestWatch: events reach the page each once and none is left out, over a
// server's restart too, until it has said that it watches no more; and a new
// token comes opened.
func TestWatch(t *testing.T) {
	s := newSite(t)
	_, token := s.person("operator")
	tb := newTab(t, s)
	tb.allow(offline...)
	tb.run("globalThis.a = await openSession(" + quote(token) + "); globalThis.events = []")
	tb.run("await a.session.watch((e) => events.push(e))")
	enrolled := func(id string) {
		t.Helper()
		s.admin("outlet", "add", id, "--token-file", t.TempDir()+"/token")
	}
	seen := func(id string) {
		t.Helper()
		tb.run(fmt.Sprintf("await until('%s', () => events.some((e) => e.kind === 'enrolled' && e.outlet === '%s'))", id, id))
	}
	enrolled("w-1")
	seen("w-1")
	s.stop(syscall.SIGTERM)
	enrolled("w-2") // while nobody is there to tell
	s.start()
	seen("w-2")
	enrolled("w-3")
	seen("w-3")
	ns := eval[[]int](tb, "return events.map((e) => e.n)")
	if sorted := slices.Compact(slices.Sorted(slices.Values(ns))); len(sorted) != len(ns) || sorted[len(sorted)-1]-sorted[0] != len(sorted)-1 {
		t.Errorf("told %v", ns)
	}
	if kinds := eval[[]string](tb, "return events.map((e) => e.kind)"); slices.Contains(kinds, "lost") {
		t.Errorf("told %v", kinds)
	}

	// A token that is made in the page is opened there.
	tb.run("await a.session.negotiate()")
	made := eval[map[string]any](tb, "return a.session.administer({op: 'enrol', id: 'w-4', role: 1})")
	if info := eval[map[string]any](tb, "return hufu.inspect("+quote(fmt.Sprint(made["token"]))+")"); info["clientId"] != "w-4" || made["sealed"] != nil {
		t.Errorf("%v, of which the token says %v", made, info)
	}
	seen("w-4")

	tb.run("await a.session.administer({op: 'unwatch'})")
	enrolled("w-5")
	s.stop(syscall.SIGTERM)
	tb.run("await until('the loss', () => a.told.status.at(-1).state !== 'open')")
	s.start()
	tb.run("await a.session.opened()")
	enrolled("w-6")
	// Whoever would still be told of w-5 and w-6 would be so before w-7.
	tb.run("globalThis.again = []; await a.session.watch((e) => again.push(e))")
	enrolled("w-7")
	tb.run("await until('w-7', () => again.some((e) => e.outlet === 'w-7'))")
	if late := eval[[]string](tb, "return events.map((e) => e.outlet).filter((o) => o > 'w-4')"); len(late) != 0 {
		t.Errorf("after unwatch came %q", late)
	}
}

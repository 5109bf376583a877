package browser

import (
	"slices"
	"testing"
)

// TestExpiry: the page keeps a key's end by its own clock, and is told.
func TestExpiry(t *testing.T) {
	t.Parallel()
	s := newSite(t, "--lifetime", "60s", "--grace", "60s")
	_, token := s.enrol()
	tb := newTab(t, s)
	tb.run("globalThis.a = await openSession(" + quote(token) + "); await a.session.negotiate(); globalThis.sealed = await a.session.seal(1, 'x')")
	tb.run("await until('the end', () => a.told.keys.some((c) => c.kind === 'wiped'), 75000); await until('what follows', () => a.told.keys.at(-1).kind === 'needed')")
	if f := tb.failure("a.session.open(1, sealed)"); f.Code != "no-key" {
		t.Errorf("after its end: %+v", f)
	}
	told := eval[[]string](tb, "return a.told.keys.map((c) => `${c.kind} ${c.state ?? ''}`)")
	if !slices.Equal(told, []string{"entered ", "current ", "wiped expired", "needed "}) {
		t.Errorf("the page was told %q", told)
	}
	if held := eval[[]key](tb, "return a.session.keys()"); len(held) != 0 {
		t.Errorf("held are %+v", held)
	}
	tb.run("await a.session.close()")
}

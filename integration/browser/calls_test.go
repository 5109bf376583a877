package browser

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// failed is how a promise was rejected.
type failed struct {
	Real                       bool
	Name, Code, Check, Message string
	Resolved                   json.RawMessage
}

func (tb *tab) failure(promise string) failed {
	tb.t.Helper()
	return eval[failed](tb, "return failure((async () => "+promise+")())")
}

// TestTwoSessions: two outlets in one page keep apart.
func TestTwoSessions(t *testing.T) {
	s := newSite(t)
	idA, tokenA := s.enrol()
	idB, tokenB := s.enrol()
	tb := newTab(t, s)
	keys := eval[[]key](tb, fmt.Sprintf(`
		globalThis.a = await openSession(%q);
		globalThis.b = await openSession(%q);
		return Promise.all([a.session.negotiate(), b.session.negotiate()]);`, tokenA, tokenB))
	if s.record(idA, 1).Fingerprint != keys[0].Fingerprint || s.record(idB, 1).Fingerprint != keys[1].Fingerprint || keys[0].Fingerprint == keys[1].Fingerprint {
		t.Errorf("the two keys are %+v", keys)
	}
	tb.run("globalThis.sealed = await a.session.seal(1, 'for a alone, 网点')")
	if text := eval[string](tb, "return a.session.open(1, sealed)"); text != "for a alone, 网点" {
		t.Errorf("it opens to %q", text)
	}
	if f := tb.failure("b.session.open(1, sealed)"); f.Code != "sealed" {
		t.Errorf("the other's key: %+v", f)
	}
	tb.run("await a.session.close()")
	if f := tb.failure("a.session.open(1, sealed)"); f.Code != "closed" {
		t.Errorf("after close: %+v", f)
	}
	if held := eval[[]key](tb, "return [...a.session.keys(), ...b.session.keys()]"); len(held) != 1 {
		t.Errorf("held are %+v", held)
	}
	if again := eval[key](tb, "return b.session.verify(1)"); again.Fingerprint != keys[1].Fingerprint {
		t.Errorf("the other session: %+v", again)
	}
}

// TestSeal: only the current key seals, every held key opens, a changed or
// renumbered text does not open, and nothing opens when the key is revoked.
func TestSeal(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	tb := newTab(t, s)
	tb.run("globalThis.a = await openSession(" + quote(token) + "); await a.session.negotiate(); globalThis.first = await a.session.seal(1, 'first')")
	if n := eval[int](tb, "return first.length"); n != 12+5+16 {
		t.Errorf("it has %d bytes", n)
	}
	// In one call: five seconds later it is current.
	if f := tb.failure("a.session.negotiate().then(() => a.session.seal(2, 'too early'))"); f.Code != "no-key" {
		t.Errorf("a key that is not yet current: %+v", f)
	}
	tb.run("await until('the switch', () => a.session.keys()[0].current)")
	if f := tb.failure("a.session.seal(1, 'too late')"); f.Code != "no-key" {
		t.Errorf("a retired key: %+v", f)
	}
	if text := eval[string](tb, "return a.session.open(1, first)"); text != "first" {
		t.Errorf("it opens to %q", text)
	}
	for name, call := range map[string]string{
		"other key": "a.session.open(2, first)",
		"changed":   "a.session.open(1, first.with(20, first[20] ^ 1))",
		"short":     "a.session.open(1, first.slice(0, 11))",
		"empty":     "a.session.open(1, new Uint8Array())",
	} {
		if f := tb.failure(call); f.Code != "sealed" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	tb.run("await a.session.revoke(1, 1)")
	if f := tb.failure("a.session.open(1, first)"); f.Code != "no-key" {
		t.Errorf("a revoked key: %+v", f)
	}
}

// TestErrors: whatever fails is a real Error with the code that hufu.d.ts
// promises, and the runtime lives on.
func TestErrors(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	tb := newTab(t, s)
	tb.run("globalThis.token = " + quote(token) + "; globalThis.a = await openSession(token); await a.session.negotiate()")
	for call, code := range map[string]string{
		"hufu.inspect('hufu1_AAAA')":    "token",
		"hufu.inspect()":                "argument",
		"hufu.inspect('x'.repeat(2e6))": "argument",
		"hufu.connect()":                "argument",
		"hufu.connect(null)":            "argument",
		"hufu.connect({})":              "argument",
		"hufu.connect({token: token.slice(0, -1) + (token.at(-1) === 'A' ? 'Q' : 'A')})": "token",
		"hufu.connect({token, onKey: 5})":                                                "argument",
		"hufu.connect({token, url: 'http://127.0.0.1'})":                                 "argument",
		"hufu.connect({get token() { throw new Error('mine') }})":                        "internal",
		"a.session.verify('1')":                                                          "argument",
		"a.session.verify(1.5)":                                                          "argument",
		"a.session.verify(0)":                                                            "argument",
		"a.session.verify(2 ** 53)":                                                      "argument",
		"a.session.verify(NaN)":                                                          "argument",
		"a.session.verify(7)":                                                            "no-key",
		"a.session.revoke(7, 1)":                                                         "error-2",
		"a.session.revoke(1, 256)":                                                       "argument",
		"a.session.view({states: ['lost']}, 0, 1)":                                       "argument",
		"a.session.view({outlet: 'HQ'}, 0, 1)":                                           "error-8",
		"a.session.view({}, 0, 0)":                                                       "argument",
		"a.session.seal(1)":                                                              "argument",
		"a.session.open(1, 'text')":                                                      "argument",
		"a.session.open(1, new Uint8Array(2e6))":                                         "argument",
		"a.session.tamper('sideways', 'flip')":                                           "argument",
		"a.session.watch(5)":                                                             "argument",
		"a.session.administer({op: 'overview'})":                                         "error-8",
		"a.session.administer({op: null})":                                               "argument",
		"a.session.administer({op: -1})":                                                 "argument",
		"a.session.administer({op: [[[[[[]]]]]]})":                                       "argument",
		"a.session.administer({op: 'x'.repeat(3000)})":                                   "argument",
		"a.session.administer((() => { const loop = {}; loop.op = loop; return loop })())": "argument",
		"a.session.negotiate.call({})":                                                          "argument",
		"a.session.close.call(undefined)":                                                       "argument",
		"a.session.verify({[Symbol.toPrimitive]() { throw 1 }})":                                "argument",
		"a.session.view(new Proxy({}, {get() { throw new Error('mine') }}), 0, 1)":              "internal",
		"a.session.administer(new Proxy({}, {ownKeys() { throw new Error('mine') }}))":          "internal",
		"a.session.administer({op: 'outlets', query: {get bad() { throw new Error('mine') }}})": "internal",
	} {
		f := tb.failure(call)
		if !f.Real || f.Name != "HufuError" || f.Code != code || f.Message == "" {
			t.Errorf("%s: %+v, not %q", call, f, code)
		}
	}
	if k := eval[key](tb, "return a.session.verify(1)"); k.State != "active" {
		t.Errorf("after all that: %+v", k)
	}
	if eval[bool](tb, "return a.told.status.some((s) => s.state === 'waiting')") {
		t.Error("one of these has cost the connection")
	}
	if eval[int](tb, "return hufu.version") != 1 {
		t.Error("the version is another")
	}
	tb.run("await a.session.close(); await a.session.close()")
	for _, call := range []string{"opened()", "negotiate()", "verify(1)", "seal(1, '')", "tamper('up', 'none')"} {
		if f := tb.failure("a.session." + call); f.Code != "closed" {
			t.Errorf("%s after close: %+v", call, f)
		}
	}
}

// TestUnreachable: an address at which there is no server.
func TestUnreachable(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	tb := newTab(t, s)
	tb.allow("WebSocket connection to", "404")
	tb.run("globalThis.a = await openSession(" + quote(token) + ", {url: location.origin.replace('http', 'ws') + '/elsewhere'})")
	tb.run("globalThis.opened = failure(a.session.opened()); await until('a failure', () => a.told.status.some((s) => s.state === 'waiting'))")
	if code := eval[string](tb, "return a.told.status.find((s) => s.state === 'waiting').code"); code != "network" {
		t.Errorf("the code is %q", code)
	}
	tb.run("await a.session.close()")
	if f := eval[failed](tb, "return opened"); f.Code != "closed" {
		t.Errorf("opened: %+v", f)
	}
}

// TestCallbacks: they may call any method, and one that throws is reported and
// changes nothing.
func TestCallbacks(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	tb := newTab(t, s)
	tb.allow("as the page wants", "failed inside")
	got := eval[[]string](tb, fmt.Sprintf(`
		const order = [];
		const { session } = await openSession(%q, {
			onTrace(e) { order.push((e.sent ? '> ' : '< ') + e.name); throw new Error('as the page wants'); },
			onKey(c) { order.push(c.kind + ' ' + session.keys().length); session.seal(1, 'x').catch(() => {}); },
			onStatus(s) { order.push(s.state); },
		});
		await session.opened();
		await session.negotiate();
		order.push('done');
		await session.close();
		return order;`, token))
	want := "[connecting < hello > open < open open > negotiate < negotiate entered 1 > verify < verify current 1 done closed]"
	if fmt.Sprint(got) != want {
		t.Errorf("%v\nnot %s", got, want)
	}
}

// newTestTab is newTab with a client that was built for tests.
func newTestTab(t testing.TB, s *site) *tab {
	t.Helper()
	tb := openTab(t, s.console+built.page+"wasm_exec.js", "favicon.ico")
	wasm := must(os.ReadFile(filepath.Join(built.dir, "hufutest.wasm")))(t)
	tb.run(prelude)
	tb.run("await import('" + s.console + built.page + "wasm_exec.js'); await runs((imports) => WebAssembly.instantiate(Uint8Array.fromBase64('" +
		base64.StdEncoding.EncodeToString(wasm) + "'), imports))")
	return tb
}

// TestPanic: a panic inside becomes an Error, and the session goes on.
func TestPanic(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	tb := newTestTab(t, s)
	tb.run("globalThis.a = await openSession(" + quote(token) + ")")
	for range 3 {
		if f := tb.failure("hufu.panic()"); !f.Real || f.Code != "internal" {
			t.Errorf("%+v", f)
		}
	}
	if k := eval[key](tb, "return a.session.negotiate()"); k.State != "active" {
		t.Errorf("after a panic: %+v", k)
	}
}

// TestNothingLeft: a hundred sessions leave memory, goroutines and references
// to the page's objects where they were.
func TestNothingLeft(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	tb := newTestTab(t, s)
	type size struct{ Goroutines, Heap, Objects, References float64 }
	measure := func() size {
		return eval[size](tb, "await hufu.size(); await new Promise((r) => setTimeout(r, 100)); const s = await hufu.size(); return { ...s, references: go._ids.size }")
	}
	round := fmt.Sprintf(`for (let i = 0; i < 20; i++) {
		const { session } = await openSession(%q);
		await session.opened();
		if (i %% 5 === 0) { await session.negotiate(); await session.seal(session.keys()[0].seckeyid, 'x'); }
		await session.close();
	}`, token)
	tb.run(round)
	before := measure()
	for range 5 {
		tb.run(round)
	}
	after := measure()
	t.Logf("before %+v, after %+v", before, after)
	if after.Goroutines != before.Goroutines || after.References > before.References+20 || after.Heap > before.Heap+256<<10 {
		t.Errorf("before %+v, after a hundred sessions %+v", before, after)
	}
}

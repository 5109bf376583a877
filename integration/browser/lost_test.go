package browser

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// offline is what the browser says by itself of an address that nobody answers at.
var offline = []string{"ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_SOCKET_NOT_CONNECTED", "WebSocket connection to", "WebSocket is closed before"}

// TestReconnect: the session outlives the server, its keys stay, and what is
// asked meanwhile waits for the connection.
func TestReconnect(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	tb := newTab(t, s)
	tb.allow(offline...)
	tb.run("globalThis.a = await openSession(" + quote(token) + ")")
	before := eval[key](tb, "return a.session.negotiate()")
	s.stop(syscall.SIGKILL)
	tb.run("await until('the loss', () => a.told.status.at(-1).state === 'waiting')")
	if lost := eval[map[string]any](tb, "return a.told.status.find((s) => s.state === 'waiting')"); lost["code"] != "lost" || lost["closeCode"] != 1006.0 || lost["cause"] == "" {
		t.Errorf("the loss is told as %v", lost)
	}
	tb.run("globalThis.waiting = a.session.verify(1)")
	s.start()
	verified := eval[key](tb, "return waiting")
	if verified.Fingerprint != before.Fingerprint || verified.State != "active" || !verified.Current {
		t.Errorf("after the restart: %+v, before: %+v", verified, before)
	}
	if r := s.record(id, 1); r.Fingerprint != before.Fingerprint || r.State != "active" {
		t.Errorf("the centre has %+v", r)
	}
	states := eval[string](tb, "return a.told.status.map((s) => s.state).join(' ')")
	if !strings.HasPrefix(states, "connecting open waiting connecting") || !strings.HasSuffix(states, "connecting open") {
		t.Errorf("the states were %s", states)
	}
}

// TestCloseCodes: the page learns the code with which the server closed.
func TestCloseCodes(t *testing.T) {
	s := newSite(t, "--max-per-client", "2")
	id, token := s.enrol()
	lost := func(tb *tab, name string) (code float64) {
		tb.run("await until('the loss', () => " + name + ".told.status.some((s) => s.state === 'waiting'))")
		return eval[float64](tb, "return "+name+".told.status.find((s) => s.state === 'waiting').closeCode")
	}
	open := func(tb *tab, name string) {
		tb.run("globalThis." + name + " = await openSession(" + quote(token) + "); await " + name + ".session.opened()")
	}
	t.Run("4001 another connection", func(t *testing.T) {
		tb := newTab(t, s)
		for _, name := range []string{"a", "b", "c"} {
			open(tb, name)
		}
		if code := lost(tb, "a"); code != 4001 {
			t.Errorf("the oldest was closed with %v", code)
		}
		tb.run("await Promise.all([a, b, c].map((x) => x.session.close()))")
	})
	t.Run("1008 disabled", func(t *testing.T) {
		tb := newTab(t, s)
		open(tb, "a")
		s.admin("outlet", "disable", id)
		if code := lost(tb, "a"); code != 1008 {
			t.Errorf("it was closed with %v", code)
		}
		tb.run("await until('a refusal', () => a.told.status.some((s) => s.code === 'refused'))")
		s.admin("outlet", "enable", id)
		tb.run("await until('it is in again', () => a.told.status.at(-1).state === 'open'); await a.session.close()")
	})
	t.Run("1012 restart", func(t *testing.T) {
		tb := newTab(t, s)
		tb.allow(offline...)
		open(tb, "a")
		s.stop(syscall.SIGTERM)
		if code := lost(tb, "a"); code != 1012 {
			t.Errorf("it was closed with %v", code)
		}
		if in := eval[float64](tb, "return a.told.status.find((s) => s.state === 'waiting').retryIn"); in < 0 || in > 10000 {
			t.Errorf("it tries again in %v ms", in)
		}
		s.start()
		tb.run("await a.session.close()")
	})
}

// TestTamper: every trick of a proxy ends the connection, by the check that is
// to notice it; the session connects again and its keys are good.
func TestTamper(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		direction, action string
		signs             []string
	}{
		{"up", "flip", []string{"lost 1008"}},
		{"up", "replay", []string{"lost 1008"}},
		{"up", "drop", []string{"lost 1008"}},
		{"down", "flip", []string{"check authCode", "check frame"}}, // frame: the bit was one of a length
		{"down", "replay", []string{"check p"}},
		{"down", "drop", []string{"check p"}},
	} {
		t.Run(c.direction+" "+c.action, func(t *testing.T) {
			_, token := s.enrol() // with no key before, of whose end a push could be the next message
			tb := newTab(t, s)
			tb.run("globalThis.a = await openSession(" + quote(token) + "); await a.session.negotiate()")
			tb.run(fmt.Sprintf("await a.session.tamper(%q, %q)", c.direction, c.action))
			// Two requests: the second shows that the first, or its reply, was dropped.
			tb.run("const both = [a.session.view({}, 0, 1), a.session.view({}, 0, 1)]; await Promise.allSettled(both); " +
				"await until('it is noticed', () => a.told.status.some((s) => s.state === 'waiting'))")
			sign := eval[string](tb, "const s = a.told.status.find((s) => s.state === 'waiting'); return `${s.code} ${s.check ?? s.closeCode}`")
			if !slices.Contains(c.signs, sign) {
				t.Errorf("it was noticed by %q, not by %q", sign, c.signs)
			}
			if again := eval[key](tb, "return a.session.verify(a.session.keys()[0].seckeyid)"); again.State != "active" {
				t.Errorf("after it: %+v", again)
			}
			tb.run("await a.session.close()")
		})
	}
	t.Run("taken back", func(t *testing.T) {
		_, token := s.enrol()
		tb := newTab(t, s)
		tb.run("globalThis.a = await openSession(" + quote(token) + "); await a.session.opened(); " +
			"await a.session.tamper('up', 'flip'); await a.session.tamper('up', 'none'); await a.session.negotiate(); await a.session.close()")
		if eval[bool](tb, "return a.told.status.some((s) => s.state === 'waiting')") {
			t.Error("it was noticed")
		}
	})
}

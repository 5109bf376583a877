package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hufu/shm"
)

// happened is a line of the record as the centre lists it.
type happened struct {
	N        uint64
	At       time.Time
	Kind     string
	Outlet   string
	Seckeyid uint64
	State    string
	Reason   string
	By       string
	Note     string
}

// events is what the centre has recorded, newest first.
func (s *site) events(args ...string) (all []happened) {
	s.t.Helper()
	for line := range strings.Lines(s.admin(append([]string{"event", "list", "--json"}, args...)...)) {
		var e happened
		must(0, json.Unmarshal([]byte(line), &e))(s.t)
		all = append(all, e)
	}
	return all
}

// steps is the timeline that the page shows.
func (c *console) steps() []string {
	c.t.Helper()
	return eval[[]string](c.tab, "return [...document.querySelectorAll('[data-test=step]')].map((s) => s.dataset.step)")
}

// TestConsoleRevoke: an operator revokes the key that an agent holds. The agent
// wipes it from its segment and confirms it, and the page tells so by itself.
func TestConsoleRevoke(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	m := newTerminal(t, s)
	m.enrol(token)
	m.agent()
	eventually(t, "the agent holds a key", func() bool { out, ok := m.try("show"); return ok && strings.Contains(out, "active") })
	first := s.record(id, 1)
	reader := must(shm.OpenReader(shm.Options{Name: m.segment}))(t)
	defer reader.Close()
	if _, err := reader.Key(id, 1); err != nil {
		t.Fatalf("the segment has no key 1: %v", err)
	}

	c, operator := openStaff(t, s, "operator", "#/key/"+id+"/1")
	c.says("key-state", "active")
	if shown := c.fingerprint("key-fp"); shown != first.Fingerprint {
		t.Errorf("the page shows %s, the centre has %s", shown, first.Fingerprint)
	}
	if got := c.steps(); fmt.Sprint(got) != "[pending active]" {
		t.Errorf("its life is %v", got)
	}
	c.says("to-come", "ends by itself")
	c.click("key-revoke")
	if text := c.text("ask"); !strings.Contains(text, "Revoke key 1 of "+id) || !strings.Contains(text, "It is the current key") {
		t.Errorf("the question is %q", text)
	}
	must(0, chromedp.Do(c.ctx, chromedp.SetValue(hook("revoke-reason"), "2")))(t)
	c.keys("revoke-note", "laptop lost, 笔记本遗失")
	c.click("ask-yes")
	c.says("outcome", "is revoked")
	c.until("document.querySelector('[data-step=receipt]') && !document.querySelector('[data-test=key-revoke], [data-test=to-come]')") // over, and nothing is to come
	if got := c.steps(); fmt.Sprint(got) != "[pending active revoked receipt]" {
		t.Errorf("its life is %v", got)
	}
	if text := c.text("key-page"); !strings.Contains(text, "laptop lost, 笔记本遗失") || !strings.Contains(text, operator) || !strings.Contains(text, "key compromised") {
		t.Errorf("the page says %q", text)
	}
	eventually(t, "the segment has no key 1", func() bool { _, err := reader.Key(id, 1); return err != nil })
	eventually(t, "the agent agrees on the next", func() bool { e, err := reader.Current(id); return err == nil && e.SeckeyID == 2 })
	e := s.events("--kind", "revoked")
	if len(e) != 1 || e[0].Outlet != id || e[0].Seckeyid != 1 || e[0].By != operator || e[0].Reason != "key compromised" || e[0].Note != "laptop lost, 笔记本遗失" {
		t.Errorf("the record has %+v", e)
	}
}

// TestConsoleRevokeStale: whoever revokes what another has revoked meanwhile, or
// what has ended, is told so, and sees how it is.
func TestConsoleRevokeStale(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	m := newTerminal(t, s)
	m.enrol(token)
	m.hufu("negotiate")
	c, _ := openStaff(t, s, "operator", "#/key/"+id+"/1")
	other, _ := openStaff(t, s, "operator", "#/key/"+id+"/1")
	c.click("key-revoke")
	c.until("document.querySelector('#ask').open")
	other.click("key-revoke")
	other.keys("revoke-own", "77")
	other.click("ask-yes")
	other.says("outcome", "is revoked")
	other.says("key-page", "own reason 77")
	c.says("key-state", "revoked") // behind the question
	c.click("ask-yes")
	c.says("outcome", "had been revoked already")
	c.says("key-page", "own reason 77") // the first one stays
	c.run("location.hash = '#/key/" + id + "/9'")
	c.until("document.querySelector('[role=alert]')?.textContent.includes('There is no key 9')")
	c.run("location.hash = '#/key/nobody/1'")
	c.until("document.querySelector('[role=alert]')?.textContent.includes('There is no key 1 of nobody')")
	c.run("location.hash = '#/key/" + id + "/x'")
	c.until("document.querySelector('[role=alert]')?.textContent.includes('There is no key x of " + id + "')")
}

// TestAuditorRefused: an auditor's console has nothing that acts, and what an
// auditor or an outlet asks for by hand-made documents is refused and recorded.
func TestAuditorRefused(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	m := newTerminal(t, s)
	m.enrol(token)
	m.hufu("negotiate")
	auditor, eyes := s.person("auditor")
	c := openConsole(t, s, "")
	c.connect(eyes)
	for _, page := range []struct{ address, there string }{
		{"#/overview", "health"}, {"#/outlets", "outlet"}, {"#/outlet/" + id, "key-row"}, {"#/history", "row"}, {"#/key/" + id + "/1", "step"}, {"#/events", "event"}, {"#/help", "help"},
	} {
		c.run("location.hash = " + quote(page.address))
		c.until("document.querySelector(" + quote(hook(page.there)) + ")")
		for _, act := range []string{"enrol", "key-revoke", "secret", "enable", "cut", "row-enable", "row-secret"} {
			if c.there(act) {
				t.Errorf("the auditor's console has %s at %s", act, page.address)
			}
		}
	}

	acts := []string{
		"{op: 'enrol', id: 'NEW', role: 1}", "{op: 'newsecret', id: %q, cut: false}", "{op: 'newsecret', id: %q, cut: true}",
		"{op: 'disable', id: %q}", "{op: 'enable', id: %q}", "{op: 'revoke', outlet: %q, seckeyid: 1, reason: 2}", "{op: 'revoke', outlet: %q, seckeyid: 1, reason: 2, note: 'by hand'}",
	}
	reads := []string{"{op: 'overview'}", "{op: 'outlets', limit: 10}", "{op: 'outlet', id: %q}", "{op: 'key', outlet: %q, seckeyid: 1}", "{op: 'events', limit: 10}", "{op: 'watch'}", "{op: 'unwatch'}"}
	changes := func() int {
		return len(s.events("--kind", "enrolled", "--kind", "new-secret", "--kind", "cut", "--kind", "disabled", "--kind", "enabled", "--kind", "revoked"))
	}
	outlet, other := s.enrol()
	before := changes()
	tb := newTab(t, s)
	attempt := func(who, token string, docs []string) {
		t.Helper()
		tb.run("globalThis.a = await openSession(" + quote(token) + "); await a.session.opened()")
		for _, doc := range docs {
			if strings.Contains(doc, "%") {
				doc = fmt.Sprintf(doc, id)
			}
			if f := tb.failure("a.session.administer(" + doc + ")"); f.Code != "error-8" {
				t.Errorf("%s asks for %s and gets %+v", who, doc, f)
			}
		}
		tb.run("await a.session.close()")
		refused := s.events("--kind", "refused", "--outlet", who)
		if len(refused) != len(docs) {
			t.Errorf("%d attempts of %s are recorded, of %d: %+v", len(refused), who, len(docs), refused)
		}
		for _, e := range refused {
			if e.By != who {
				t.Errorf("recorded is %+v", e)
			}
		}
	}
	attempt(auditor, eyes, acts)
	attempt(outlet, other, append(acts, reads...))
	if after := changes(); after != before {
		t.Errorf("%d changes are recorded, and were %d", after, before)
	}
	if r := s.record(id, 1); r.State != "active" {
		t.Errorf("the key is %s", r.State)
	}
}

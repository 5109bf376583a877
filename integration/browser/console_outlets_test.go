package browser

import (
	"fmt"
	"strings"
	"testing"
)

// row is the expression of an outlet's row in the list, with a condition on it.
func row(id, condition string) string {
	return fmt.Sprintf("document.querySelector('[data-test=outlet][data-id=%q]%s')", id, condition)
}

// clickIn clicks something in an outlet's row, as a person does.
func (c *console) clickIn(id, name string) {
	c.t.Helper()
	c.clickOn(fmt.Sprintf("[data-test=outlet][data-id=%q] %s", id, hook(name)))
}

// issued reads the token that is shown, and closes its dialog.
func (c *console) issued() (token string) {
	c.t.Helper()
	c.until("document.querySelector('#token-once').open")
	token = eval[string](c.tab, "return document.querySelector('[data-test=new-token]').value")
	if !strings.HasPrefix(token, "hufu1_") {
		c.t.Fatalf("the token is %q", token)
	}
	c.click("token-close")
	c.says("token-done", "neither copied nor saved")
	c.click("token-close")
	c.until("!document.querySelector('#token-once').open")
	return token
}

// enrolled enrols an outlet from the page and returns its token.
func (c *console) enrolled(id, role string) (token string) {
	c.t.Helper()
	c.click("enrol")
	c.click("enrol-role-" + role)
	c.keys("enrol-id", id+"\r")
	return c.issued()
}

// TestConsoleEnrol: the operator enrols an outlet in the page, hufu takes the
// token and agrees on a key, and the page shows it. The token is nowhere but in
// the field, and not there any more once its dialog is closed.
func TestConsoleEnrol(t *testing.T) {
	s := newSite(t)
	c, _ := openStaff(t, s, "operator", "#/outlets", `
		globalThis.logged = [];
		for (const kind of ['log', 'debug', 'info', 'warn', 'error']) {
			const write = console[kind];
			console[kind] = (...args) => { logged.push(args.map(String).join(' ')); write.apply(console, args); };
		}`)
	c.until("document.querySelector('[data-test=outlets-empty]')")
	c.click("enrol")
	c.keys("enrol-id", "FRONT-01")
	c.click("ask-yes")
	c.until("document.querySelector('#token-once').open")
	token := eval[string](c.tab, "return document.querySelector('[data-test=new-token]').value")
	c.click("token-save")
	c.says("token-done", "Saved")
	c.click("token-close")
	c.until(row("FRONT-01", ""))
	c.says("outcome", "FRONT-01 is enrolled")
	for where, has := range map[string]string{
		"the page":       eval[string](c.tab, "return document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((f) => f.value).join()"),
		"what it stored": c.stored(),
		"what it logged": eval[string](c.tab, "return logged.join()"),
		"its address":    eval[string](c.tab, "return location.href"),
		"its variables":  eval[string](c.tab, "return Object.keys(globalThis).map((k) => { try { return JSON.stringify(globalThis[k]) } catch { return '' } }).join()"),
		"the log":        s.log.since(0),
	} {
		if strings.Contains(has, token) {
			t.Errorf("the token is in %s", where)
		}
	}

	m := newTerminal(t, s)
	m.enrol(token)
	m.hufu("negotiate")
	c.until(row("FRONT-01", " [data-fresh=fresh]"))
	r := s.record("FRONT-01", 1)
	c.until("document.querySelector('.at-key').textContent.replaceAll(' ', '').includes(" + quote(r.Fingerprint) + ")")
	if r.State != "active" {
		t.Errorf("the centre has %+v", r)
	}

	t.Run("taken", func(t *testing.T) {
		c.click("enrol")
		c.keys("enrol-id", "FRONT-01")
		c.click("ask-yes")
		c.says("enrol-failure", "FRONT-01 is enrolled already")
		c.click("ask-no")
	})
	t.Run("person", func(t *testing.T) {
		auditor := c.enrolled("EYES", "3")
		other := openConsole(t, s, "")
		other.connect(auditor)
		other.until("document.querySelector('[data-test=overview]')")
		other.says("peer", "EYES")
		other.run("location.hash = '#/outlets'")
		other.until(row("FRONT-01", ""))
		if other.there("enrol") || other.there("row-enable") || other.there("row-secret") {
			t.Error("the auditor's console has buttons that act")
		}
	})
}

// TestConsolePresence: an outlet is seen coming and going, and what becomes of
// its key, without anybody touching the page.
func TestConsolePresence(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	list, _ := openStaff(t, s, "auditor", "#/outlets")
	one, _ := openStaff(t, s, "auditor", "#/outlet/"+id)
	online, _ := openStaff(t, s, "auditor", "#/outlets?online=yes")
	overview, _ := openStaff(t, s, "auditor", "#/overview")
	online.until("document.querySelector('[data-test=outlets-empty]')")
	list.until(row(id, "[data-connected=no] [data-fresh=none]"))
	one.until("document.querySelector('[data-test=outlet-page] .presence[data-presence=offline]')")
	overview.until("document.querySelector('[data-test=figure-connected] b')?.textContent === '0'")
	overview.until("document.querySelector('[data-test=health][data-good=no]')")

	m := newTerminal(t, s)
	m.enrol(token)
	stop := m.agent()
	list.until(row(id, "[data-connected=yes] [data-fresh=fresh]"))
	online.until(row(id, "[data-connected=yes]"))
	one.until("document.querySelector('[data-test=outlet-page] .presence[data-presence=online]') && document.querySelector('[data-test=key-row][data-state=active]')")
	overview.until("document.querySelector('[data-test=figure-connected] b').textContent === '1'")
	overview.until("document.querySelector('[data-test=health][data-good=yes]') && document.querySelector('[data-test=figure-fresh] b').textContent === '1'")
	overview.says("verdict", "The outlet holds a good key")

	stop()
	list.until(row(id, "[data-connected=no] [data-fresh=fresh]"))
	one.until("document.querySelector('[data-test=outlet-page] .presence[data-presence=offline]')")
	overview.until("document.querySelector('[data-test=figure-connected] b').textContent === '0'")

	other, _ := s.enrol()
	list.until(row(other, "[data-connected=no]"))
	online.until(row(id, "[data-connected=no]"))
	m.agent()
	online.until(row(id, "[data-connected=yes]"))
	if eval[bool](online.tab, "return "+row(other, "")+" !== null") {
		t.Error("who is not connected is listed among those who are")
	}
}

// TestConsoleOutletMeanwhile: what happens to an outlet while its page is first
// read is shown.
func TestConsoleOutletMeanwhile(t *testing.T) {
	s := newSite(t)
	id, _ := s.enrol()
	c, _ := openStaff(t, s, "auditor", "#/outlets", withSession(`
		const later = new Promise((r) => { globalThis.comes = r; });
		return { administer: async (op) => {
			const answer = await session.administer(op);
			if (op.op === 'events') {
				globalThis.waits = true; // what else the page reads has come
				await later;
			}
			return answer;
		} };`))
	c.until(row(id, ""))
	s.admin("outlet", "disable", id)
	c.until(row(id, "[data-disabled=yes]")) // the page is told of what happens
	c.listens()
	c.run("location.hash = '#/outlet/" + id + "'")
	c.until("globalThis.waits")
	s.admin("outlet", "enable", id)
	c.until("told.some((e) => e.kind === 'enabled')")
	c.run("comes()")
	c.until("document.querySelector('[data-test=outlet-page] .presence[data-presence=offline]')")
}

// TestConsoleActs: what an operator does in the page holds for the real client.
func TestConsoleActs(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	m := newTerminal(t, s)
	m.enrol(token)
	m.hufu("negotiate")
	c, me := openStaff(t, s, "operator", "#/outlets")
	c.until(row(id, ""))

	c.clickIn(id, "row-enable")
	c.says("ask", "Disable "+id+"?")
	c.click("ask-no")
	c.until(row(id, "[data-disabled=no]"))
	c.clickIn(id, "row-enable")
	c.click("ask-yes")
	c.says("outcome", id+" is disabled")
	c.until(row(id, "[data-disabled=yes]"))
	if out, ok := m.try("verify"); ok {
		t.Errorf("a disabled outlet verifies: %s", out)
	}
	c.clickIn(id, "row-enable")
	c.says("ask", "Enable "+id+"?")
	c.click("ask-yes")
	c.says("outcome", id+" is enabled")
	m.hufu("verify")

	c.run("location.hash = '#/outlet/" + id + "'")
	c.click("secret")
	c.says("ask", "Make a new secret for "+id)
	c.click("ask-yes")
	second := c.issued()
	c.until("document.querySelector('[data-test=secret-row][data-epoch=\"2\"] .unused')")
	m.hufu("verify") // the old one is good until the new one is used
	other := newTerminal(t, s)
	other.enrol(second)
	c.until("document.querySelector('[data-test=secret-row][data-epoch=\"2\"]') && !document.querySelector('[data-test=secret-row] .unused') && document.querySelectorAll('[data-test=secret-row]').length === 1")
	if out, ok := m.try("verify"); ok {
		t.Errorf("the old secret is good still: %s", out)
	}

	c.click("cut")
	c.says("ask", "every key of it is revoked")
	c.click("ask-yes")
	third := c.issued()
	c.says("outcome", id+" is cut off")
	c.until("document.querySelector('[data-test=key-row][data-state=revoked]') && document.querySelector('.fresh[data-fresh=stale]')")
	if r := s.record(id, 1); r.State != "revoked" || r.Reason != "secret cut" {
		t.Errorf("the centre has %+v", r)
	}
	if out, ok := other.try("negotiate"); ok {
		t.Errorf("the secret that was cut is good still: %s", out)
	}
	last := newTerminal(t, s)
	last.enrol(third)
	last.hufu("negotiate")
	c.until("document.querySelector('[data-test=key-row][data-state=active]')")

	c.run("location.hash = '#/outlet/" + me + "'")
	c.until("document.querySelector('[data-test=outlet-page][data-id=" + quote(me) + "] .facts')")
	if c.there("enable") || c.there("cut") {
		t.Error("an operator may disable or cut off itself")
	}
}

// TestConsoleTwo: what one operator does the other sees; who acts on what was
// true before is told so, and sees what is.
func TestConsoleTwo(t *testing.T) {
	s := newSite(t)
	id, _ := s.enrol()
	first, name := openStaff(t, s, "operator", "#/outlet/"+id)
	second, _ := openStaff(t, s, "operator", "#/outlet/"+id)
	for _, c := range []*console{first, second} {
		c.until("document.querySelector('[data-test=secret-row][data-epoch=\"1\"]')")
	}
	second.click("enable")
	second.says("ask", "Disable "+id+"?")
	first.click("enable")
	first.click("ask-yes")
	first.says("outcome", id+" is disabled")
	second.until("document.querySelector('.presence[data-presence=disabled]')") // below the question
	second.click("ask-yes")
	second.says("outcome", "was disabled already")
	second.says("enable", "Enable")
	second.until("document.querySelector('[data-test=change][data-kind=disabled]')?.textContent.includes(" + quote(name) + ")")

	second.click("secret")
	second.says("ask", "Make a new secret")
	first.click("secret")
	first.click("ask-yes")
	first.issued()
	second.until("document.querySelector('[data-test=secret-row][data-epoch=\"2\"]')")
	second.click("ask-yes")
	second.says("outcome", "Nothing was done: somebody has made a new secret")
	if second.there("new-token") {
		t.Error("there is a token all the same")
	}
	if epochs := eval[[]string](second.tab, "return [...document.querySelectorAll('[data-test=secret-row]')].map((r) => r.dataset.epoch)"); fmt.Sprint(epochs) != "[2]" { // the first, which nobody used, went with it
		t.Errorf("the secrets are of the epochs %v", epochs)
	}
}

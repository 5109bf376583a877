package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// row is the expression of an outlet's row in the list, with a condition on it.
func row(id, condition string) string {
	return fmt.Sprintf("document.querySelector('[data-test=outlet][data-id=%q]%s')", id, condition)
}

// clickIn clicks something in an outlet's row, as a person does.
func (c *console) clickIn(id, name string) {
	c.t.Helper()
	selector := fmt.Sprintf("[data-test=outlet][data-id=%q] %s", id, hook(name))
	must(0, chromedp.Do(c.ctx, chromedp.WaitEnabled(selector), chromedp.Click(selector)))(c.t)
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
	c.until("!document.querySelector('#token-once').open")
	return token
}

// enrolled enrols an outlet from the page and returns its token.
func (c *console) enrolled(id, role string) (token string) {
	c.t.Helper()
	c.click("enrol")
	c.keys("enrol-id", id)
	c.click("enrol-role-" + role)
	c.click("ask-yes")
	return c.issued()
}

// TestConsoleEnrol: the operator enrols an outlet in the page, hufu takes the
// token and agrees on a key, and the page shows it. The token is nowhere but in
// the field, and not there any more once its dialog is closed.
func TestConsoleEnrol(t *testing.T) {
	s := newSite(t)
	c, _ := openStaff(t, s, "operator", "#/outlets")
	c.until("document.querySelector('[data-test=outlets-empty]')")
	c.click("enrol")
	c.keys("enrol-id", "FRONT-01")
	c.click("ask-yes")
	c.until("document.querySelector('#token-once').open")
	token := eval[string](c.tab, "return document.querySelector('[data-test=new-token]').value")
	c.click("token-close")
	c.until(row("FRONT-01", ""))
	c.says("outcome", "FRONT-01 is enrolled")
	for where, has := range map[string]string{
		"the page":       eval[string](c.tab, "return document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((f) => f.value).join()"),
		"what it stored": c.stored(),
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

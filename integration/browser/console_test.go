package browser

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// console is the page itself in a tab.
type console struct {
	*tab
	s *site
}

// openConsole opens the page, what follows its address included. Scripts run
// before any of the page's own.
func openConsole(t testing.TB, s *site, suffix string, before ...string) *console {
	t.Helper()
	c := &console{openTab(t, "about:blank"), s}
	for _, script := range before {
		must(chromedp.Call(c.ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script}))(t)
	}
	c.visit(suffix)
	return c
}

// openConnected opens the page and connects an outlet of its own.
func openConnected(t testing.TB, s *site, before ...string) (c *console, id, token string) {
	t.Helper()
	id, token = s.enrol()
	c = openConsole(t, s, "", before...)
	c.connect(token)
	return c, id, token
}

// withSession is a script for openConsole that gives the page sessions with some
// methods of the test's: those that the body, of a function of the real session,
// returns.
func withSession(body string) string {
	return `
		let hufu;
		const methods = (session) => {` + body + `};
		const connect = async (options) => {
			const session = await hufu.connect(options);
			const own = methods(session);
			return new Proxy(session, { get: (_, name) => own[name] ?? session[name]?.bind?.(session) ?? session[name] });
		};
		Object.defineProperty(globalThis, 'hufu', { get: () => ({ ...hufu, connect }), set: (real) => { hufu = real; } });`
}

func (c *console) visit(suffix string) {
	c.t.Helper()
	must(0, chromedp.Do(c.ctx, chromedp.Navigate(c.s.console+suffix)))(c.t)
}

func hook(name string) string { return "[data-test=" + name + "]" }

// click clicks what has that name, as a person does.
func (c *console) click(name string) {
	c.t.Helper()
	c.clickOn(hook(name))
}

// keys types into a field.
func (c *console) keys(name, text string) {
	c.t.Helper()
	must(0, chromedp.Do(c.ctx, chromedp.WaitEnabled(hook(name)), chromedp.SendKeys(hook(name), text)))(c.t)
}

// letters presses keys as on a keyboard, one quickly after the other by their
// events' times: what is prevented types nothing.
func (c *console) letters(keys string) {
	c.t.Helper()
	at := input.TimeSinceEpoch(float64(time.Now().UnixMilli()) / 1000)
	for _, key := range strings.Split(keys, "") {
		must(chromedp.Call(c.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key, Timestamp: at}))(c.t)
		must(chromedp.Call(c.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: key, Timestamp: at}))(c.t)
	}
}

// text is what an element says; empty if it is not there.
func (c *console) text(name string) string {
	c.t.Helper()
	return strings.TrimSpace(eval[string](c.tab, "return document.querySelector("+quote(hook(name))+")?.textContent ?? ''"))
}

func (c *console) there(name string) bool {
	c.t.Helper()
	return eval[bool](c.tab, "return document.querySelector("+quote(hook(name))+") !== null")
}

// until waits for an expression to hold in the page.
func (c *console) until(expression string) {
	c.t.Helper()
	c.within(patience, expression)
}

// within is until for what takes longer.
func (c *console) within(d time.Duration, expression string) {
	c.t.Helper()
	for end := time.Now().Add(d); !eval[bool](c.tab, "return Boolean("+expression+")"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("it did not come true in the page: %s\nwhich says: %s", expression, eval[string](c.tab, "return document.body.innerText"))
		}
	}
}

// says waits until an element says something with these words.
func (c *console) says(name, words string) {
	c.t.Helper()
	c.until(fmt.Sprintf("document.querySelector(%s)?.textContent.includes(%s)", quote(hook(name)), quote(words)))
}

const connected = "document.querySelector('[data-test=peer][data-open=yes]')"

func (c *console) connect(token string) {
	c.t.Helper()
	c.keys("token", token)
	c.click("connect")
	c.until(connected)
}

// prepared: the page has the texts of both languages, the last that it fetches
// by itself.
const prepared = "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('.json')).length === 2"

// loseServer kills the server, and waits until a prepared page has no connection.
func (c *console) loseServer() {
	c.t.Helper()
	c.until(prepared)
	c.allow(offline...)
	c.s.stop(syscall.SIGKILL)
	c.says("countdown", "Next attempt in")
}

// agree agrees on a key and waits until the halves fit.
func (c *console) agree() {
	c.t.Helper()
	c.click("negotiate")
	c.until("document.querySelector('.tally[data-fit=yes]') && !document.querySelector('[data-test=negotiate]').disabled")
}

// fingerprint is one that the page shows, without its spaces.
func (c *console) fingerprint(name string) string { return strings.ReplaceAll(c.text(name), " ", "") }

// idleMinutes says after how long without a touch the page locks by itself.
func (c *console) idleMinutes(minutes string) {
	c.t.Helper()
	c.run("document.querySelector('meta[name=hufu-idle-minutes]').content = " + quote(minutes))
}

// stored is all that the page keeps beyond itself.
func (c *console) stored() string {
	return eval[string](c.tab, "return JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])")
}

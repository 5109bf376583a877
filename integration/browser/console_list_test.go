package browser

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// idsOf reads the outlets that a query selects from the store.
func idsOf(t testing.TB, store keyservice.Store, q keyservice.OutletQuery) (ids []string) {
	t.Helper()
	q.Roles, q.Now = []wire.Role{wire.RoleOutlet}, time.Now()
	for q.Limit = 1000; ; {
		page := must(store.Outlets(t.Context(), q))(t)
		for _, o := range page {
			ids = append(ids, o.ID)
		}
		if len(page) < q.Limit {
			return ids
		}
		q.After = ids[len(ids)-1]
	}
}

// scrollThrough scrolls down to the end of the list, and notes each row as it
// comes into sight.
const scrollThrough = `
	const seen = new Map(), began = performance.now();
	let most = 0;
	while (performance.now() - began < 60000) {
		const rows = [...document.querySelectorAll('[data-test=outlet]')];
		most = Math.max(most, rows.length);
		rows.forEach((r) => seen.set(Number(r.ariaRowIndex ?? r.getAttribute('aria-rowindex')), r.dataset.id));
		const table = document.querySelector('[data-test=outlets]');
		const end = scrollY + innerHeight >= document.documentElement.scrollHeight - 1;
		if (end && table.dataset.more === 'no' && seen.has(Number(table.dataset.count) + 1)) break;
		scrollBy(0, innerHeight);
		await new Promise((r) => requestAnimationFrame(() => setTimeout(r)));
	}
	return { ids: [...seen].sort(([a], [b]) => a - b).map(([, id]) => id), most };`

// TestConsoleList: thousands of outlets are scrolled through with few of them
// drawn; what a filter shows is what the store selects by it, and the address
// says it.
func TestConsoleList(t *testing.T) {
	s := newSite(t)
	store := fillHistory(t, s, 3000, 8)
	c, _ := openStaff(t, s, "auditor", "#/outlets")
	c.until("document.querySelectorAll('[data-test=outlet]').length > 10")

	t.Run("scrolled", func(t *testing.T) {
		shown := eval[struct {
			IDs  []string
			Most int
		}](c.tab, scrollThrough)
		if want := idsOf(t, store, keyservice.OutletQuery{}); !slices.Equal(shown.IDs, want) {
			t.Errorf("%d outlets were in sight, the store has %d", len(shown.IDs), len(want))
		}
		if shown.Most > 100 {
			t.Errorf("%d rows were drawn at once", shown.Most)
		}
		c.run("scrollTo(0, 0)")
	})
	t.Run("typed", func(t *testing.T) {
		c.keys("search", "0029")
		want := idsOf(t, store, keyservice.OutletQuery{Contains: "0029"})
		c.says("count", fmt.Sprintf("%d found", len(want)))
		if hash := eval[string](c.tab, "return location.hash"); hash != "#/outlets?q=0029" {
			t.Errorf("the address is %s", hash)
		}
		c.keys("search", "9")
		c.says("count", fmt.Sprintf("%d found", len(idsOf(t, store, keyservice.OutletQuery{Contains: "00299"}))))
		c.keys("search", "x")
		c.until("document.querySelector('[data-test=outlets-empty]')")
	})
	yes, no := true, false
	for name, f := range map[string]struct {
		address string
		query   keyservice.OutletQuery
	}{
		"stale":    {"freshness=stale&disabled=no", keyservice.OutletQuery{Freshness: []keyservice.Freshness{keyservice.FreshnessStale}, Disabled: &no}},
		"soon":     {"freshness=soon", keyservice.OutletQuery{Freshness: []keyservice.Freshness{keyservice.FreshnessSoon}}},
		"none":     {"freshness=none", keyservice.OutletQuery{Freshness: []keyservice.Freshness{keyservice.FreshnessNone}}},
		"disabled": {"disabled=yes", keyservice.OutletQuery{Disabled: &yes}},
		"online":   {"online=yes", keyservice.OutletQuery{Connected: &yes}},
	} {
		t.Run(name, func(t *testing.T) {
			c.run("location.hash = '#/outlets?" + f.address + "'")
			c.until("document.querySelector('[data-test=count]')")
			want := idsOf(t, store, f.query)
			if len(want) == 0 && name != "online" && name != "soon" {
				t.Error("the store has none")
			}
			shown := strings.Join(want[:min(len(want), 10)], " ")
			c.until("[...document.querySelectorAll('[data-test=outlet]')].slice(0, 10).map((r) => r.dataset.id).join(' ') === " + quote(shown))
			c.says("count", fmt.Sprintf("%d found", len(want)))
		})
	}
	t.Run("back", func(t *testing.T) {
		c.run("location.hash = '#/outlets?disabled=yes'")
		c.until("document.querySelector('[data-test=filter-disabled]').value === 'yes'")
		must(0, chromedp.Do(c.ctx, chromedp.SetValue(hook("filter-freshness"), "stale")))(t)
		c.run("document.querySelector('[data-test=filter-freshness]').dispatchEvent(new Event('change', {bubbles: true}))")
		c.until("location.hash === '#/outlets?freshness=stale&disabled=yes'")
		c.run("history.back()")
		c.until("location.hash === '#/outlets?disabled=yes' && document.querySelector('[data-test=filter-freshness]').value === ''")
	})
	t.Run("place", func(t *testing.T) {
		c.run("location.hash = '#/outlets'")
		c.until("document.querySelectorAll('[data-test=outlet]').length > 10 && document.querySelector('[data-test=filter-disabled]').value === ''")
		c.run("while (scrollY <= 10000) { scrollBy(0, 2000); await new Promise((r) => setTimeout(r, 50)); }") // as far as it is loaded
		was := eval[map[string]any](c.tab, `
			const link = [...document.querySelectorAll('[data-test=outlet] a')].find((a) => a.getBoundingClientRect().top > 100);
			const at = { id: link.textContent, y: scrollY };
			link.click();
			return at;`)
		c.until("document.querySelector('[data-test=outlet-page] .facts') && scrollY === 0")
		c.run("history.back()")
		c.until(fmt.Sprintf("Math.abs(scrollY - %v) < 100 && %s", was["y"], row(was["id"].(string), "")))
	})
	t.Run("overview", func(t *testing.T) {
		c.run("location.hash = '#/overview'")
		c.until("document.querySelector('[data-test=figure-stale]')")
		counts := must(store.Counts(t.Context(), time.Now()))(t)
		for name, want := range map[string]int{"connected": counts.Connected, "fresh": counts.Fresh, "soon": counts.Soon, "stale": counts.Stale,
			"none": counts.None, "disabled": counts.Disabled, "active": counts.Active, "retired": counts.Retired, "pending": counts.Pending} {
			got := eval[string](c.tab, "return document.querySelector('[data-test=figure-"+name+"] b').textContent.replace(/\\s/g, '')")
			if got != strconv.Itoa(want) {
				t.Errorf("%s is %s, the store has %d", name, got, want)
			}
		}
		c.click("figure-stale")
		c.says("count", fmt.Sprintf("%d found", counts.Stale))
	})
}

// TestConsoleListOnce: an outlet is listed once, also if a page that was asked for
// before the rows in sight were read again comes after them.
func TestConsoleListOnce(t *testing.T) {
	s := newSite(t)
	fillHistory(t, s, 300, 1)
	c, _ := openStaff(t, s, "auditor", "#/outlets", withSession(`
		const later = new Promise((r) => { globalThis.comes = r; });
		return { administer: async (op) => {
			const answer = await session.administer(op);
			if (op.op === 'outlets' && op.after === 'net-000259') await later;
			return answer;
		} };`))
	has := func(condition string) string {
		return "Number(document.querySelector('[data-test=outlets]')?.dataset.count) " + condition
	}
	c.until(has("=== 260")) // two pages
	c.run("scrollTo(0, document.documentElement.scrollHeight)")
	c.until("document.querySelector('.outlets[aria-busy=true]')")
	c.loseServer()
	s.start()
	c.until(has("> 260"))
	c.run("comes()")
	c.until("document.querySelector('.outlets[aria-busy=false]') && " + has("=== 300"))
}

// TestConsoleOverview: what the chart shows stands in a table, hour by hour,
// and is what happened.
func TestConsoleOverview(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	m := newTerminal(t, s)
	m.enrol(token)
	c, _ := openStaff(t, s, "auditor", "#/overview")
	c.until("document.querySelector('[data-test=chart-table]')")
	for range 3 {
		m.hufu("negotiate")
	}
	note := `"stolen" \ 虎符 </q> ` + "\u2028"
	s.admin("key", "revoke", id, "3", "--reason", "2", "--note", note)
	sum := func(column int) string {
		return fmt.Sprintf("[...document.querySelectorAll('[data-test=chart-table] tbody tr')].reduce((n, r) => n + Number(r.cells[%d].textContent), 0)", column)
	}
	c.until(sum(2) + " === 3 && " + sum(5) + " === 1")
	if hours := eval[int](c.tab, "return document.querySelectorAll('[data-test=chart-table] tbody tr').length"); hours != 24 {
		t.Errorf("the table has %d hours", hours)
	}
	c.says("chart-text", "3 keys agreed and verified, 0 failures")
	c.until("document.querySelector('[data-test=last] li')?.dataset.kind === 'revoked'")
	c.until("document.querySelector('[data-test=last] q').textContent === " + quote(note)) // as it was written
	if pixels := eval[int](c.tab, `
		const canvas = document.querySelector('hufu-bars canvas');
		const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
		const [r, g, b] = getComputedStyle(canvas).getPropertyValue('--bronze').match(/\w\w/g).map((x) => parseInt(x, 16));
		let n = 0;
		for (let i = 0; i < data.length; i += 4) n += data[i] === r && data[i + 1] === g && data[i + 2] === b;
		return n;`); pixels < 100 {
		t.Errorf("the chart has %d pixels of bars", pixels)
	}
}

// TestConsoleAgain: after the server was away the console goes on by itself:
// what changed meanwhile is shown, and new tokens can be had, also when the key
// under which they travel is gone.
func TestConsoleAgain(t *testing.T) {
	s := newSite(t)
	id, _ := s.enrol()
	c, operator := openStaff(t, s, "operator", "#/outlets")
	c.until(row(id, "[data-disabled=no]"))
	c.loseServer()
	if eval[bool](c.tab, "return !document.querySelector('[data-test=enrol]').disabled") {
		t.Error("an outlet can be enrolled without a connection")
	}
	s.admin("outlet", "disable", id)
	s.start()
	c.until(connected)
	c.until(row(id, "[data-disabled=yes]"))
	if token := c.enrolled("AFTER-01", "1"); !strings.HasPrefix(token, "hufu1_") {
		t.Errorf("the token is %q", token)
	}
	c.until(row("AFTER-01", ""))
	s.admin("key", "revoke", operator, fmt.Sprint(s.newest(operator)))
	if token := c.enrolled("AFTER-02", "1"); !strings.HasPrefix(token, "hufu1_") {
		t.Errorf("after a revocation the token is %q", token)
	}
}

// TestConsoleLock: the lock takes all of the console away, a token that is
// shown included, and the address stays for the next who unlocks it.
func TestConsoleLock(t *testing.T) {
	s := newSite(t)
	id, _ := s.enrol()
	c, _ := openStaff(t, s, "operator", "#/outlet/"+id)
	c.click("secret")
	c.click("ask-yes")
	c.until("document.querySelector('#token-once').open")
	shown := eval[string](c.tab, "return document.querySelector('[data-test=new-token]').value")
	c.idleMinutes("0.02")
	c.says("token-message", "nobody touched the page")
	if html := eval[string](c.tab, "return document.documentElement.outerHTML"); strings.Contains(html, shown) || strings.Contains(html, id) || c.there("nav-outlets") {
		t.Error("something of the console is there still")
	}
	if title := eval[string](c.tab, "return document.title"); strings.Contains(title, id) {
		t.Errorf("the title is %q", title)
	}
	c.idleMinutes("10")
	_, token := s.person("operator")
	c.connect(token)
	c.until("document.querySelector('[data-test=outlet-page][data-id=" + quote(id) + "]')")
}

// TestConsoleKeyboard: all of it goes without a mouse; single keys can be
// turned off.
func TestConsoleKeyboard(t *testing.T) {
	s := newSite(t)
	id, _ := s.enrol()
	c, _ := openStaff(t, s, "operator", "#/overview")
	c.until("document.querySelector('[data-test=overview]')")
	press := func(keys string) { must(0, chromedp.Do(c.ctx, chromedp.KeyEvent(keys)))(t) }
	c.letters("gl")
	c.until(row(id, ""))
	c.until("document.activeElement.id === 'main'")
	c.letters("/")
	c.until("document.activeElement.matches('[data-test=search]')")
	c.letters("go") // is text here
	c.until("location.hash === '#/outlets?q=go' && document.querySelector('[data-test=outlets-empty]')")
	press("\b")
	press("\b")
	c.until("location.hash === '#/outlets' && " + row(id, ""))
	for range 12 { // through the filters to the first row's name
		press("\t")
		if eval[bool](c.tab, "return document.activeElement.closest('[data-test=outlet]') !== null") {
			break
		}
	}
	press("\r")
	c.until("document.querySelector('[data-test=outlet-page]')")
	c.until("document.querySelector('[data-test=cut]')")
	c.run("document.querySelector('[data-test=cut]').focus()")
	press("\r")
	c.until("document.querySelector('#ask').open && document.activeElement.closest('#ask')")
	press("\u001b")
	c.until("!document.querySelector('#ask').open && document.activeElement.matches('[data-test=cut]')")
	c.letters("?")
	c.until("location.hash === '#/help'")
	c.run("localStorage.setItem('hufu.shortcuts', 'off')")
	c.letters("go")
	c.run("await new Promise((r) => setTimeout(r, 200))")
	if hash := eval[string](c.tab, "return location.hash"); hash != "#/help" {
		t.Errorf("the keys that are turned off lead to %s", hash)
	}
}

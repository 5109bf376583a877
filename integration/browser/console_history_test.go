package browser

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"hufu/integration/fill"
	"hufu/server/keyservice"
	"hufu/server/store/sqlite"
	"hufu/shared/wire"
)

// openStaff opens the console at one of its pages as a person of that role.
func openStaff(t testing.TB, s *site, role, page string, before ...string) (c *console, id string) {
	t.Helper()
	id, token := s.person(role)
	c = openConsole(t, s, "", before...)
	c.connect(token)
	c.run("location.hash = " + quote(page))
	return c, id
}

// person enrols an operator or an auditor.
func (s *site) person(role string) (id, token string) {
	s.t.Helper()
	id = fmt.Sprintf("%s-%d", role[:2], serial.Add(1))
	file := filepath.Join(s.dir, id)
	s.admin("operator", "add", id, "--role", role, "--token-file", file, "--url", "http://"+s.address)
	return id, strings.TrimSpace(string(must(os.ReadFile(file))(s.t)))
}

// store opens the store of a site, beside its server.
func (s *site) store() keyservice.Store {
	s.t.Helper()
	store := must(sqlite.Open(s.t.Context(), filepath.Join(s.dir, "data", "hufu.db")))(s.t)
	s.t.Cleanup(func() { _ = store.Close() }) // of what was only read
	return store
}

// fillHistory has the site's store hold the history of a network, of which
// nothing ends within the next minutes.
func fillHistory(t testing.TB, s *site, outlets, keys int) keyservice.Store {
	t.Helper()
	store := s.store()
	must(0, fill.History(t.Context(), store, fill.Plan{Outlets: outlets, Keys: keys, Now: time.Now().Add(15 * time.Minute)}))(t)
	return store
}

// rowsOf reads all keys that a query selects from the store.
func rowsOf(t testing.TB, store keyservice.Store, q keyservice.KeyQuery) (rows []keyservice.KeyRow) {
	t.Helper()
	for q.Limit = 1000; ; {
		page := must(store.Keys(t.Context(), q))(t)
		rows = append(rows, page...)
		if len(page) < q.Limit {
			return rows
		}
		q.BeforeN = page[len(page)-1].N
	}
}

// csvLine is a key as the export is to have it.
func csvLine(k *keyservice.KeyRow) []string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	reason, why := "", ""
	if k.State >= wire.StateRetired {
		reason, why = strconv.Itoa(int(k.Reason)), k.Reason.String()
	}
	fp := fmt.Sprintf("%x", k.FP)
	return []string{strconv.FormatUint(k.N, 10), k.Outlet, strconv.FormatUint(k.Seckeyid, 10), k.State.String(), at(k.Negotiated), at(k.Verified),
		at(k.Retired), at(k.Expires), at(k.Ended), reason, why, k.By, at(k.Receipt), strings.Join([]string{fp[:4], fp[4:8], fp[8:12], fp[12:]}, " ")}
}

// compareCSV holds an export against the store, row by row.
func compareCSV(t *testing.T, file []byte, rows []keyservice.KeyRow) {
	t.Helper()
	lines := must(csv.NewReader(strings.NewReader(string(file))).ReadAll())(t)
	if len(lines) != len(rows)+1 {
		t.Fatalf("the file has %d lines for %d keys", len(lines), len(rows))
	}
	head := "n outlet seckeyid state negotiated verified retired expires ended reason why by receipt fingerprint"
	if strings.Join(lines[0], " ") != head {
		t.Errorf("the file begins with %q", lines[0])
	}
	for i := range rows {
		if want := csvLine(&rows[i]); !slices.Equal(lines[i+1], want) {
			t.Fatalf("line %d is %q, the store has %q", i+1, lines[i+1], want)
		}
	}
}

// pageThrough clicks from page to page, to the end or for a while, and returns
// each row that was shown as the table has it: n, outlet, key, state, fingerprint;
// and the address of the page that comes next, empty at the end.
const pageThrough = `
	const rows = [], began = performance.now();
	while (performance.now() - began < 45000) {
		const shown = [...document.querySelectorAll('[data-test=row]')];
		rows.push(...shown.map((r) => [r.dataset.n, r.cells[1].textContent.trim(), r.cells[2].textContent.trim(), r.dataset.state, r.cells[6].textContent.replaceAll(' ', '')].join(' ')));
		const earlier = document.querySelector('[data-test=earlier]');
		if (!earlier) return { rows, next: '' };
		const top = shown[0].dataset.n;
		earlier.click();
		while (document.querySelector('[data-test=row]')?.dataset.n === top) await new Promise((r) => setTimeout(r));
	}
	return { rows, next: location.hash };`

// TestConsoleHistory: 100,000 keys are paged to the end and exported, and both
// are what the store has, row by row.
func TestConsoleHistory(t *testing.T) {
	s := newSite(t)
	store := fillHistory(t, s, 10_240, 10)
	rows := rowsOf(t, store, keyservice.KeyQuery{})
	if len(rows) < 100_000 {
		t.Fatalf("the store has %d keys", len(rows))
	}
	open := func(t *testing.T, address string, before ...string) *console {
		c, _ := openStaff(t, s, "auditor", address, before...)
		c.until("document.querySelector('[data-test=row]')")
		return c
	}

	t.Run("paged", func(t *testing.T) {
		var shown []string
		for address := "#/history"; address != ""; {
			t.Run("on", func(t *testing.T) { // a tab that lives too long is ended
				c := open(t, address)
				part := eval[struct {
					Rows []string
					Next string
				}](c.tab, pageThrough)
				shown, address = append(shown, part.Rows...), part.Next
			})
			if t.Failed() {
				return
			}
		}
		if len(shown) != len(rows) {
			t.Errorf("%d rows were shown, the store has %d", len(shown), len(rows))
		}
		for i := range min(len(shown), len(rows)) {
			k := &rows[i]
			if want := fmt.Sprintf("%d %s %d %s %x", k.N, k.Outlet, k.Seckeyid, k.State, k.FP); shown[i] != want {
				t.Fatalf("row %d is %s, the store has %s", i, shown[i], want)
			}
		}
	})
	t.Run("address", func(t *testing.T) {
		id := fill.ID(7)
		c := open(t, "#/history?outlet="+id+"&states=active,retired")
		shows := func(q keyservice.KeyQuery) {
			t.Helper()
			want := rowsOf(t, store, q)
			c.until(fmt.Sprintf("document.querySelectorAll('[data-test=row][data-outlet=%q]').length === %d && document.querySelectorAll('[data-test=row]').length === %[2]d", id, len(want)))
			if len(want) == 0 {
				t.Errorf("the store has none of %+v", q)
			}
		}
		shows(keyservice.KeyQuery{Outlet: id, States: []wire.State{wire.StateActive, wire.StateRetired}})
		if !eval[bool](c.tab, "return document.querySelector('[data-test=filter-active]').checked && !document.querySelector('[data-test=filter-revoked]').checked && document.querySelector('[data-test=filter-outlet]').value === "+quote(id)) {
			t.Error("the form does not say what the address says")
		}
		c.click("filter-active")
		c.click("filter-retired")
		c.until("!location.hash.includes('states')")
		shows(keyservice.KeyQuery{Outlet: id})

		from := time.Now().AddDate(0, 0, -2)
		from = time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.Local)
		day := from.Format(time.DateOnly)
		c.run(fmt.Sprintf("location.hash = '#/history?outlet=%s&from=%s&to=%s'", id, day, day))
		c.says("summary", "on "+day)
		shows(keyservice.KeyQuery{Outlet: id, From: from, To: from.AddDate(0, 0, 1)})

		c.run("location.hash = '#/history?outlet=nobody'")
		c.until("document.querySelector('[data-test=history-empty]')")
		c.run("location.hash = '#/history?outlet=no+body'")
		c.until("document.querySelector('[role=alert]')?.textContent.includes('identifier')")
	})
	t.Run("downloaded", func(t *testing.T) {
		folder := t.TempDir()
		c := open(t, "#/history", "delete globalThis.showSaveFilePicker")
		must(chromedp.Call(c.ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
			Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder,
			BrowserContextID: chromedp.FromContext(c.ctx).BrowserContextID}))(t)
		c.click("export-csv")
		c.within(2*time.Minute, "document.querySelector('[data-test=export][data-state=done]')")
		c.says("export", grouped(len(rows)))
		name := filepath.Join(folder, "hufu-HQ.csv")
		eventually(t, "the file is there", func() bool { _, err := os.Stat(name); return err == nil })
		compareCSV(t, must(os.ReadFile(name))(t), rows)
	})
	// The browser's own files of a page stand in for those that a person
	// chooses: a test cannot answer the browser's dialog. The disk has other work
	// after so many writes, until it is told to go on.
	choose := func(writes int) string {
		return fmt.Sprintf(`
		let goesOn;
		const room = new Promise((r) => { goesOn = r; });
		Object.assign(globalThis, { goesOn, givenUp: 0 });
		globalThis.showSaveFilePicker = async ({ suggestedName }) => {
			const folder = await navigator.storage.getDirectory();
			const file = await folder.getFileHandle(suggestedName, { create: true });
			let left = %d;
			return { createWritable: async () => {
				const stream = await file.createWritable();
				return {
					write: async (text) => { if (left-- <= 0) await room; return stream.write(text); },
					close: () => stream.close(),
					abort: () => stream.abort().then(() => { givenUp++; }),
				};
			} };
		};`, writes)
	}
	content := func(c *console) string {
		return eval[string](c.tab, `
			const folder = await navigator.storage.getDirectory();
			return (await (await folder.getFileHandle('hufu-HQ.csv')).getFile()).text();`)
	}
	t.Run("streamed", func(t *testing.T) {
		c := open(t, "#/history", choose(4))
		c.allow(offline...)
		c.click("export-csv")
		c.until("document.querySelector('[data-test=export-rows]')?.textContent.includes('keys')")
		s.stop(syscall.SIGKILL)
		c.run("goesOn()")
		c.until("document.querySelector('[data-test=export][data-state=waiting]')")
		s.start()
		c.within(2*time.Minute, "document.querySelector('[data-test=export][data-state=done]')")
		compareCSV(t, []byte(content(c)), rows)
	})
	t.Run("cancelled", func(t *testing.T) {
		c := open(t, "#/history", choose(0)) // before anything is written
		c.click("export-csv")
		c.click("export-cancel")
		c.run("goesOn()")
		c.until("document.querySelector('[data-test=export][data-state=cancelled]')")
		if left := content(c); left != "" {
			t.Errorf("%d bytes were left", len(left))
		}
	})
	t.Run("locked", func(t *testing.T) {
		c := open(t, "#/history", choose(4))
		c.click("export-csv")
		c.until("document.querySelector('[data-test=export-rows]')?.textContent.includes('keys')")
		c.click("lock")
		c.until("document.querySelector('[data-test=token]')")
		c.run("goesOn()")
		c.until("givenUp === 1")
		if left := content(c); left != "" {
			t.Errorf("%d bytes were written behind the lock", len(left))
		}
	})
}

// TestConsoleHistoryPages: the page that the address names is shown, also if it
// was asked for without a connection, and the way back leads to the one before.
func TestConsoleHistoryPages(t *testing.T) {
	s := newSite(t)
	fillHistory(t, s, 100, 8)
	c, _ := openStaff(t, s, "auditor", "#/history")
	c.until("document.querySelector('[data-test=row]')")
	top := eval[string](c.tab, "return document.querySelector('[data-test=row]').dataset.n")
	c.loseServer()
	c.click("earlier")
	c.until("location.hash !== '#/history'")
	s.start()
	c.until("Number(document.querySelector('[data-test=row]').dataset.n) < " + top)
	c.run("history.back()")
	c.until("document.querySelector('[data-test=row]').dataset.n === " + quote(top))
}

// TestConsoleHistoryLive: what is shown changes where it stands, and what is new
// is offered on top.
func TestConsoleHistoryLive(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	m := newTerminal(t, s)
	m.enrol(token)
	c, _ := openStaff(t, s, "auditor", "#/outlet/"+id)
	c.until("document.querySelector('[data-test=outlet-page] .facts')")
	m.hufu("negotiate")
	c.until("document.querySelector('[data-test=key-row][data-state=active]')") // it is told of what happens
	c.run("location.hash = '#/history?outlet=" + id + "'")
	shows := func(want ...string) {
		t.Helper()
		rows := strings.Join(want, " ")
		c.until("[...document.querySelectorAll('[data-test=row]')].map((r) => r.dataset.key + ':' + r.dataset.state).join(' ') === " + quote(rows))
	}
	shows("1:active")
	c.click("filter-outlet") // a person is typing
	m.hufu("negotiate")
	c.says("newer", "1 newer key")
	shows("1:retired")
	s.admin("key", "revoke", id, "1", "--reason", "3")
	shows("1:revoked")
	if row := c.text("keys"); !strings.Contains(row, "outlet closed") {
		t.Errorf("the row says %q", row)
	}
	c.click("newer")
	shows("2:active", "1:revoked")
	if c.there("newer") {
		t.Error("what is shown is still offered")
	}
	c.run("location.hash = '#/history?outlet=" + id + "&states=revoked'")
	shows("1:revoked")
	c.listens()
	s.admin("key", "revoke", id, "2")
	m.hufu("negotiate")
	c.until("told.some((e) => e.kind === 'negotiated' && e.seckeyid === 3)")
	if c.there("newer") {
		t.Error("an active key is offered where revoked ones are asked for")
	}
}

// TestConsoleHistoryNewer: a key is either shown or offered, whether the page was
// told of it before it read its rows, after it, or not at all.
func TestConsoleHistoryNewer(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	m := newTerminal(t, s)
	m.enrol(token)
	m.hufu("negotiate")
	// The page watches no sooner than it is let to.
	c, _ := openStaff(t, s, "auditor", "#/history?outlet="+id, withSession(`
		const later = new Promise((r) => { globalThis.watches = r; });
		return { watch: (...args) => later.then(() => session.watch(...args)) };`))
	shows := func(want string) {
		t.Helper()
		c.until("[...document.querySelectorAll('[data-test=row]')].map((r) => r.dataset.key).join(' ') === " + quote(want))
	}
	shows("1")
	m.hufu("negotiate")
	c.run("watches()")
	shows("2 1")

	// What another process writes the server tells a little later.
	c.listens()
	c.run("location.hash = '#/help'")
	c.until("document.querySelector('[data-test=help]')")
	fillHistory(t, s, 1, 1)
	c.run("location.hash = '#/history'")
	shows("1 2 1")
	c.until("told.some((e) => e.kind === 'negotiated' && e.outlet === " + quote(fill.ID(0)) + ")")
	if c.there("newer") {
		t.Errorf("what is shown is offered: %s", c.text("newer"))
	}
}

// listens keeps what the page is told from now on, in the order in which its
// parts have heard it before.
func (c *console) listens() {
	c.t.Helper()
	c.run("const { onChange } = await import(" + quote(c.s.console+built.page+"console/app.js") + "); globalThis.told = []; onChange((e) => told.push(e))")
}

// grouped is a number as the page writes it.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

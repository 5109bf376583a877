package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestPageToken: a token comes by paste, by file and by the address, and is
// kept nowhere unless the person says so.
func TestPageToken(t *testing.T) {
	s := newSite(t)
	forgets := func(t *testing.T, c *console, token string) {
		t.Helper()
		if kept := c.stored(); strings.Contains(kept, "hufu1_") || strings.Contains(kept, token) {
			t.Errorf("the page has stored %s", kept)
		}
		if html := eval[string](c.tab, "return document.documentElement.outerHTML"); strings.Contains(html, token) {
			t.Error("the token is in the document")
		}
		if url := eval[string](c.tab, "return location.href"); url != s.console {
			t.Errorf("the address is %s", url)
		}
		if left := eval[[]string](c.tab, "return Object.keys(globalThis).filter((k) => String(globalThis[k]).includes('hufu1_'))"); len(left) > 0 {
			t.Errorf("the token is in %v", left)
		}
	}
	t.Run("paste", func(t *testing.T) {
		c, id, token := openConnected(t, s)
		if peer := c.text("peer"); !strings.Contains(peer, id) || !strings.Contains(peer, "HQ") {
			t.Errorf("the page is connected as %q", peer)
		}
		forgets(t, c, token)
	})
	t.Run("file", func(t *testing.T) {
		_, token := s.enrol()
		file := filepath.Join(t.TempDir(), "token")
		must(0, os.WriteFile(file, []byte(token+"\n"), 0o600))(t)
		c := openConsole(t, s, "")
		must(0, chromedp.Do(c.ctx, chromedp.SetUploadFiles(hook("token-file"), []string{file})))(t)
		c.until("document.querySelector('[data-test=token]').value !== ''")
		c.click("connect")
		c.until(connected)
		forgets(t, c, token)
	})
	t.Run("file that is none", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "film")
		must(0, os.WriteFile(file, make([]byte, 1<<20), 0o600))(t)
		c := openConsole(t, s, "")
		must(0, chromedp.Do(c.ctx, chromedp.SetUploadFiles(hook("token-file"), []string{file})))(t)
		c.says("token-message", "too large")
	})
	t.Run("address", func(t *testing.T) {
		_, token := s.enrol()
		// What runs when the address changes: nothing but the page's first script is there.
		c := openConsole(t, s, "#"+token, `
			const replace = history.replaceState;
			history.replaceState = function (...args) {
				globalThis.whenReplaced ??= { scripts: document.scripts.length, body: document.body !== null };
				return replace.apply(this, args);
			};`)
		c.says("token-message", "taken out")
		if at := eval[map[string]any](c.tab, "return whenReplaced"); at["scripts"] != 1.0 || at["body"] != false {
			t.Errorf("the address was cleaned when there were %v", at)
		}
		c.click("connect")
		c.until(connected)
		forgets(t, c, token)
		if entries := must(chromedp.Run(c.ctx, chromedp.NavigationEntries()))(t); strings.Contains(fmt.Sprint(entries), token) {
			t.Error("the token is in the history of the tab")
		}
	})
	t.Run("address of the open page", func(t *testing.T) {
		c, _, _ := openConnected(t, s)
		id, token := s.enrol()
		c.run("location.hash = " + quote(token))
		c.says("token-message", "taken out")
		c.click("connect")
		c.says("peer", id)
		forgets(t, c, token)
	})
	t.Run("not whole", func(t *testing.T) {
		_, token := s.enrol()
		c := openConsole(t, s, "")
		c.keys("token", token[:len(token)-1])
		c.click("connect")
		c.says("token-message", "not a whole token")
	})
	t.Run("remembered", func(t *testing.T) {
		id, token := s.enrol()
		c := openConsole(t, s, "")
		c.click("remember")
		c.connect(token)
		c.until("sessionStorage.length === 1 && localStorage.length === 0")
		c.visit("")
		c.says("peer", id)
		c.click("lock")
		c.until("sessionStorage.length === 0")
	})
}

// TestPageKey: a key is agreed, verified, used and revoked; what the page shows
// is what the centre has recorded.
func TestPageKey(t *testing.T) {
	s := newSite(t)
	c, id, _ := openConnected(t, s)
	c.until("document.querySelector('[data-test=history-empty]')")
	if eval[bool](c.tab, "return !document.querySelector('[data-test=verify]').disabled") {
		t.Error("there is something to verify without a key")
	}
	c.agree()
	r := s.record(id, 1)
	if mine, theirs := c.fingerprint("fp-browser"), c.fingerprint("fp-server"); mine != r.Fingerprint || theirs != r.Fingerprint {
		t.Errorf("the page shows %s and %s, the centre has %s", mine, theirs, r.Fingerprint)
	}
	if c.text("key") != "1" || c.text("state") != r.State || r.State != "active" {
		t.Errorf("the page shows key %s, %s; the centre has %s", c.text("key"), c.text("state"), r.State)
	}

	t.Run("picture", func(t *testing.T) {
		type message struct {
			Name, Way, Text string
		}
		messages := eval[[]message](c.tab, `return [...document.querySelectorAll('[data-kind=negotiate] [data-test=message]')]
			.map((m) => ({ name: m.dataset.name, way: m.dataset.way, text: m.textContent }))`)
		want := []struct{ name, way, has string }{
			{"negotiate", "sent", "r1"}, {"negotiate", "received", "r2"}, {"verify", "sent", "confirm"}, {"verify", "received", "confirm"},
			{"view", "sent", "doc"}, {"view", "received", "doc"},
		}
		if len(messages) != len(want) {
			t.Fatalf("the picture has %v", messages)
		}
		for i, m := range messages {
			if m.Name != want[i].name || m.Way != want[i].way || !strings.Contains(m.Text, want[i].has) || !strings.Contains(m.Text, " ms") {
				t.Errorf("message %d is %+v, not %v", i, m, want[i])
			}
		}
		if !strings.Contains(messages[0].Text, "1\u202f216 B") || !strings.Contains(messages[1].Text, "1\u202f120 B") {
			t.Errorf("the sizes of the shares are not in %q", messages[:2])
		}
		for _, words := range []string{"both halves", "both public shares", "the key, 256 bits"} {
			if !strings.Contains(c.text("ledger"), words) {
				t.Errorf("%q is not in what was seen and not: %s", words, c.text("ledger"))
			}
		}
	})
	t.Run("verify", func(t *testing.T) {
		c.click("verify")
		c.says("said", "Key 1 is verified")
		if !eval[bool](c.tab, "return document.querySelector('.tally').dataset.fit === 'yes'") {
			t.Error("the halves do not fit")
		}
	})
	const secret = "Meet me at the north gate"
	t.Run("sealed word", func(t *testing.T) {
		c.keys("word", secret)
		c.click("seal")
		c.until("document.querySelector('[data-test=sealed]')")
		if strings.Contains(c.text("sealed"), fmt.Sprintf("%x", secret)) {
			t.Error("the word is not sealed")
		}
		c.click("open-word")
		c.says("word-outcome", secret)
	})
	t.Run("revoke", func(t *testing.T) {
		c.click("revoke")
		must(0, chromedp.Do(c.ctx, chromedp.SetValue("#revoke select", "2")))(t)
		c.click("revoke-yes")
		c.says("said", "Key 1 is revoked")
		c.until("document.querySelector('[data-test=row][data-state=revoked]')")
		if r := s.record(id, 1); r.State != "revoked" || r.Reason != "key compromised" || c.text("state") != "revoked" {
			t.Errorf("the page shows %s, the centre has %+v", c.text("state"), r)
		}
		if row := c.text("row"); !strings.Contains(row, "key compromised") || !strings.Contains(strings.ReplaceAll(row, " ", ""), r.Fingerprint) {
			t.Errorf("the history says %q", row)
		}
		if eval[bool](c.tab, "return document.querySelector('.tally').dataset.fit === 'yes'") {
			t.Error("the halves of a revoked key fit")
		}
		c.click("open-word")
		c.says("word-outcome", "no longer opens")
		if strings.Contains(c.text("word-outcome"), secret) {
			t.Error("a revoked key opens")
		}
	})
	t.Run("revoked by the centre", func(t *testing.T) {
		c.agree()
		s.admin("key", "revoke", id, "2")
		c.says("said", "Key 2 has ended")
		c.says("state", "revoked")
	})
	t.Run("history by date", func(t *testing.T) {
		c.until("document.querySelectorAll('[data-test=row]').length === 2")
		day := func(offset int) string { return time.Now().AddDate(0, 0, offset).Format("2006-01-02") }
		set := func(name, date string) {
			c.run("const f = document.querySelector(" + quote(hook(name)) + "); f.value = " + quote(date) + "; f.dispatchEvent(new Event('change', {bubbles: true}))")
		}
		set("from", day(2))
		c.says("history-empty", "No key lived")
		set("from", day(-2))
		c.until("document.querySelectorAll('[data-test=row]').length === 2")
		set("to", day(-2)) // and not the day before: the keys are of that one if midnight has passed
		c.says("history-empty", "No key lived")
	})
}

// TestPageHurry: who is faster than the history that a connection begins with
// sees all of what they did in one picture.
func TestPageHurry(t *testing.T) {
	s := newSite(t)
	c, _, _ := openConnected(t, s, `
		new MutationObserver(() => {
			const button = document.querySelector('[data-test=negotiate]:enabled');
			if (!button || globalThis.hurried) return;
			globalThis.hurried = true;
			button.click();
		}).observe(document, { subtree: true, childList: true, attributes: true });`)
	c.says("said", "Key 1 is agreed")
	messages := eval[[]string](c.tab, `return [...document.querySelectorAll('[data-kind=negotiate] [data-test=message]')]
		.map((m) => m.dataset.name + ' ' + m.dataset.way).filter((m) => !m.startsWith('view'))`)
	if want := []string{"negotiate sent", "negotiate received", "verify sent", "verify received"}; !slices.Equal(messages, want) {
		t.Errorf("the picture has %q, not %q", messages, want)
	}
}

// TestPageHistoryPages: a long history comes page by page.
func TestPageHistoryPages(t *testing.T) {
	s := newSite(t)
	c, _, token := openConnected(t, s)
	bridge := newTab(t, s)
	bridge.run("const { session } = await openSession(" + quote(token) + "); for (let i = 0; i < 30; i++) await session.negotiate(); await session.close()")
	c.agree()
	c.until("document.querySelectorAll('[data-test=row]').length === 25")
	c.click("more")
	c.until("document.querySelectorAll('[data-test=row]').length === 31 && !document.querySelector('[data-test=more]')")
	if first, last := eval[string](c.tab, "return [...document.querySelectorAll('[data-test=row]')].at(0).dataset.key"),
		eval[string](c.tab, "return [...document.querySelectorAll('[data-test=row]')].at(-1).dataset.key"); first != "31" || last != "1" {
		t.Errorf("the history is from %s to %s", first, last)
	}
}

// TestPageTamper: whatever the person does as the proxy is noticed, and the
// page says by whom and how.
func TestPageTamper(t *testing.T) {
	for _, trick := range []struct{ what, verdict, sign, mark string }{
		{"up flip", "The server noticed: the message did not fit its authCode", "1008", "one bit flipped"},
		{"up replay", "The server noticed: a message with this number had come already", "1008", "sent twice"},
		{"up drop", "The browser noticed: no answer came", "silent", "dropped"},
		{"down flip", "The browser noticed: the answer did not pass its check", "", "one bit flipped"},
		{"down replay", "The browser noticed: an answer came that was not due", "", "sent twice"},
		{"down drop", "The browser noticed: the answer never came", "silent", "dropped"},
	} {
		t.Run(trick.what, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c, id, _ := openConnected(t, s)
			c.agree()
			must(0, chromedp.Do(c.ctx, chromedp.SetValue(hook("tamper-what"), trick.what)))(t)
			c.run("document.querySelector('[data-test=tamper-what]').dispatchEvent(new Event('change', {bubbles: true}))")
			c.click("tamper")
			c.says("tamper-verdict", trick.verdict)
			if verdict := c.text("tamper-verdict"); !strings.Contains(verdict, trick.sign) {
				t.Errorf("the verdict is %q, without %q", verdict, trick.sign)
			}
			if marks := eval[string](c.tab, "return [...document.querySelectorAll('.mark')].map((m) => m.textContent).join()"); marks != trick.mark {
				t.Errorf("the picture is marked %q, not %q", marks, trick.mark)
			}
			if kind := eval[string](c.tab, "return document.querySelector('.mark').closest('[data-test=run]').dataset.kind"); kind != "verify" {
				t.Errorf("the mark stands in the run %s", kind)
			}
			c.until("!document.querySelector('[data-test=negotiate]').disabled") // connected by itself, anew
			if c.text("said") != "" && !strings.Contains(c.text("said"), "is verified") {
				t.Errorf("beside the verdict the page says %q", c.text("said"))
			}
			c.agree()
			if r := s.record(id, 2); r.Fingerprint != c.fingerprint("fp-browser") || r.State != "active" {
				t.Errorf("the page then agreed on %s, the centre has %+v", c.fingerprint("fp-browser"), r)
			}
		})
	}
}

// TestPageLock: the lock, by button and by itself, wipes the session and the
// token, and asks for the token again.
func TestPageLock(t *testing.T) {
	s := newSite(t)
	wiped := func(t *testing.T, c *console, why string) {
		t.Helper()
		c.says("token-message", why)
		if kept := c.stored(); strings.Contains(kept, "hufu1_") {
			t.Errorf("the page has kept %s", kept)
		}
		for _, name := range []string{"message", "row", "fp-browser", "sealed"} {
			if c.there(name) {
				t.Errorf("%s is still there", name)
			}
		}
		if eval[string](c.tab, "return document.querySelector('[data-test=token]').value") != "" {
			t.Error("the token is in the field")
		}
		eventually(t, "the focus is on the token", func() bool {
			return eval[string](c.tab, "return document.activeElement.dataset.test ?? ''") == "token"
		})
	}
	t.Run("button", func(t *testing.T) {
		id, token := s.enrol()
		c := openConsole(t, s, "")
		c.click("remember")
		c.connect(token)
		c.agree()
		c.click("lock")
		wiped(t, c, "Locked. The keys")
		c.visit("")
		c.until("document.querySelector('[data-test=token]')")
		c.connect(token)
		c.says("peer", id)
		if c.fingerprint("fp-browser") != "notknownyet" {
			t.Errorf("the page still knows %s", c.fingerprint("fp-browser"))
		}
	})
	t.Run("idle", func(t *testing.T) {
		c, _, _ := openConnected(t, s)
		c.agree()
		c.idleMinutes("0.9")
		c.until("document.querySelector('[data-test=lock-soon]')")
		c.idleMinutes("0.01")
		wiped(t, c, "nobody touched the page")
	})
	t.Run("after sleep", func(t *testing.T) {
		c, _, _ := openConnected(t, s)
		c.run("const now = Date.now; Date.now = () => now() + 3600e3; dispatchEvent(new Event('pointermove'))")
		wiped(t, c, "nobody touched the page")
	})
}

// TestPageLanguage: the language is that of the address, of an earlier choice,
// or the browser's, and can be switched without losing anything.
func TestPageLanguage(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	c := openConsole(t, s, "?lang=zh")
	c.says("connect", "连接")
	if lang := eval[string](c.tab, "return document.documentElement.lang + ' ' + document.title"); lang != "zh-Hans 虎符：协商密钥" {
		t.Errorf("the document is %s", lang)
	}
	c.connect(token)
	c.agree()
	c.says("said", "密钥 1 已协商并校验")
	c.click("language")
	c.says("negotiate", "Agree on a new key")
	if !eval[bool](c.tab, "return document.querySelector('.tally').dataset.fit === 'yes'") {
		t.Error("the key was lost with the language")
	}
	c.visit("")
	c.says("connect", "Connect")
	c.click("language")
	c.says("connect", "连接")
	c.visit("")
	c.says("connect", "连接")
	for _, lang := range []string{"en", "zh"} {
		c.visit("?lang=" + lang)
		c.until("document.querySelector('[data-test=connect]')")
		if left := eval[string](c.tab, "return document.body.innerText.match(/page_\\w*/)?.[0] ?? ''"); left != "" {
			t.Errorf("%s: there is no text for %s", lang, left)
		}
	}
}

// TestPageOffline: when the server goes, the page says so, counts down, and is
// connected again by itself with the same key.
func TestPageOffline(t *testing.T) {
	s := newSite(t)
	c, id, _ := openConnected(t, s)
	c.agree()
	c.loseServer()
	c.says("peer", "not connected to")
	if eval[bool](c.tab, "return !document.querySelector('[data-test=negotiate]').disabled") {
		t.Error("a key can be asked for without a connection")
	}
	s.start()
	c.until(connected)
	c.click("verify")
	c.says("said", "Key 1 is verified")
	if r := s.record(id, 1); r.Fingerprint != c.fingerprint("fp-browser") {
		t.Errorf("the page has %s, the centre %s", c.fingerprint("fp-browser"), r.Fingerprint)
	}
}

// TestPageBasePath: the page works below a path, as behind a proxy.
func TestPageBasePath(t *testing.T) {
	s := newSite(t, "--base-path", "/deep/below")
	if !strings.HasSuffix(s.console, "/deep/below/") {
		t.Fatalf("the page is at %s", s.console)
	}
	c, id, _ := openConnected(t, s)
	c.agree()
	if r := s.record(id, 1); r.Fingerprint != c.fingerprint("fp-browser") {
		t.Errorf("the page agreed on %s, the centre has %+v", c.fingerprint("fp-browser"), r)
	}
}

// TestPageKeyboard: all of it goes without a mouse, and the focus is where a
// person goes on.
func TestPageKeyboard(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	c := openConsole(t, s, "")
	press := func(keys string) { must(0, chromedp.Do(c.ctx, chromedp.KeyEvent(keys)))(t) }
	focus := func(name string) {
		t.Helper()
		c.until("document.activeElement.matches(" + quote(hook(name)) + ")")
	}
	c.keys("token", token)
	press("\r")
	c.until(connected)
	focus("negotiate")
	press("\r")
	c.says("said", "Key 1 is agreed")
	press("\t")
	focus("verify")
	press("\r")
	c.says("said", "Key 1 is verified")
	press("\t")
	focus("revoke")
	press("\r")
	c.until("document.querySelector('#revoke').open && document.activeElement.closest('#revoke')")
	press("\u001b")
	c.until("!document.querySelector('#revoke').open")
	focus("revoke")
	c.until("document.querySelector('[data-test=state]').textContent === 'active'")
}

// TestPageLoads: what the page needs is asked for at once and not module by
// module, and the client not before it is needed.
func TestPageLoads(t *testing.T) {
	c := openConsole(t, newSite(t), "")
	c.until("document.querySelector('[data-test=connect]')")
	c.until(prepared)
	for _, name := range eval[[]string](c.tab, `
		const named = new Set([...document.querySelectorAll('[src], link[href]')].map((e) => e.src || e.href));
		return performance.getEntriesByType('resource').map((e) => e.name).filter((n) => !n.endsWith('.json') && !named.has(n));`) {
		t.Errorf("%s is not named by the page", name)
	}
	if loaded := eval[[]string](c.tab, "return performance.getEntriesByType('resource').map((e) => e.name).filter((n) => /wasm/.test(n))"); len(loaded) > 0 {
		t.Errorf("the page has loaded %v before anybody connected", loaded)
	}
}

// TestPageWithoutScript: who has no scripts is told why there is nothing.
func TestPageWithoutScript(t *testing.T) {
	s := newSite(t)
	tb := openTab(t, "about:blank")
	must(chromedp.Call(tb.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))(t)
	must(0, chromedp.Do(tb.ctx, chromedp.Navigate(s.console)))(t)
	if text := must(chromedp.Run(tb.ctx, chromedp.Text("noscript")))(t); !strings.Contains(text, "needs JavaScript") || !strings.Contains(text, "需要 JavaScript") {
		t.Errorf("the page says %q", text)
	}
}

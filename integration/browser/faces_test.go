package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	_ "embed"
)

// face is a state that the page can be in, and how it gets there.
type face struct {
	name  string
	bring func(t *testing.T) *console
}

// faces are the states of the page for an outlet.
var faces = []face{
	{"start", func(t *testing.T) *console { return openConsole(t, newSite(t), "") }},
	{"token-from-address", func(t *testing.T) *console {
		s := newSite(t)
		_, token := s.enrol()
		c := openConsole(t, s, "#"+token)
		c.says("token-message", "taken out")
		return c
	}},
	{"token-not-whole", func(t *testing.T) *console {
		c := openConsole(t, newSite(t), "")
		c.keys("token", "hufu1_AAAA")
		c.click("connect")
		c.says("token-message", "not a whole token")
		return c
	}},
	{"loading", func(t *testing.T) *console {
		s := newSite(t)
		_, token := s.enrol()
		c := openConsole(t, s, "", `const get = fetch; globalThis.fetch = (url, ...rest) => String(url).endsWith('.wasm') ? new Promise(() => {}) : get(url, ...rest)`)
		c.keys("token", token)
		c.click("connect")
		c.until("document.querySelector('[data-test=loading]')")
		return c
	}},
	{"refused", func(t *testing.T) *console {
		s := newSite(t)
		id, token := s.enrol()
		s.admin("outlet", "disable", id)
		c := openConsole(t, s, "")
		c.keys("token", token)
		c.click("connect")
		c.until("document.querySelector('[data-test=waiting][data-code=refused]')")
		return c
	}},
	{"connected-empty", func(t *testing.T) *console {
		c, _, _ := openConnected(t, newSite(t))
		c.until("document.querySelector('[data-test=history-empty]')")
		return c
	}},
	{"agreed", agreed},
	{"sealed", func(t *testing.T) *console {
		c := agreed(t)
		c.keys("word", "Meet me at the north gate at nine.")
		c.click("seal")
		c.click("open-word")
		c.says("word-outcome", "north gate")
		return c
	}},
	{"revoke-asked", func(t *testing.T) *console {
		c := agreed(t)
		c.click("revoke")
		c.until("document.querySelector('#revoke').open")
		return c
	}},
	{"revoked", func(t *testing.T) *console {
		c := agreed(t)
		c.keys("word", "Meet me at the north gate at nine.")
		c.click("seal")
		c.click("revoke")
		c.click("revoke-yes")
		c.says("said", "is revoked")
		c.click("open-word")
		c.says("word-outcome", "no longer opens")
		return c
	}},
	{"tampered", func(t *testing.T) *console {
		c := agreed(t)
		c.click("tamper")
		c.says("tamper-verdict", "The server noticed")
		c.until(connected)
		return c
	}},
	{"busy", func(t *testing.T) *console {
		c, _, _ := openConnected(t, newSite(t, "--max-rate", "0.01", "--max-burst", "1"))
		c.agree()
		c.click("negotiate")
		c.says("said", "The server is busy")
		return c
	}},
	{"offline", func(t *testing.T) *console {
		c := agreed(t)
		c.loseServer()
		return c
	}},
	{"clock-off", func(t *testing.T) *console {
		c, _, _ := openConnected(t, newSite(t), `
			const Real = Date;
			const behind = 185000;
			globalThis.Date = class extends Real {
				constructor(...args) { super(...(args.length ? args : [Real.now() - behind])); }
				static now() { return Real.now() - behind; }
			};`)
		c.says("clock-off", "behind")
		return c
	}},
	{"lock-soon", func(t *testing.T) *console {
		c := agreed(t)
		c.idleMinutes("0.9")
		c.until("document.querySelector('[data-test=lock-soon]')")
		return c
	}},
	{"locked", func(t *testing.T) *console {
		c := agreed(t)
		c.click("lock")
		c.says("token-message", "Locked")
		return c
	}},
	{"old-browser", func(t *testing.T) *console {
		c := openConsole(t, newSite(t), "", "delete globalThis.WebAssembly")
		c.until("document.querySelector('#old').offsetHeight > 0 && document.querySelector('#page').offsetHeight === 0")
		return c
	}},
}

func agreed(t *testing.T) *console {
	c, _, _ := openConnected(t, newSite(t))
	c.agree()
	return c
}

// looks are how a face is seen: by a narrow screen, in the dark, in Chinese.
var looks = []struct {
	name          string
	width, height int64
	scheme        string
	chinese       bool
}{
	{"light", 1440, 1000, "light", false},
	{"dark", 1440, 1000, "dark", false},
	{"narrow", 320, 640, "light", false},
	{"chinese", 1024, 800, "dark", true},
}

//go:embed testdata/axe/axe.min.js
var axe string

// TestFaces: in no state and no look does axe find a violation of WCAG 2.2 AA,
// and nothing reaches beyond a narrow screen. SCREENSHOTS names a folder for
// pictures of all of it.
func TestFaces(t *testing.T) {
	for _, face := range slices.Concat(faces, consoleFaces, recordFaces) {
		t.Run(face.name, func(t *testing.T) {
			t.Parallel()
			c := face.bring(t)
			shots := os.Getenv("SCREENSHOTS")
			c.run(axe)
			chinese := false
			for _, look := range looks {
				must(0, chromedp.Do(c.ctx, chromedp.EmulateViewport(look.width, look.height)))(t)
				must(chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: look.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}))(t)
				if look.chinese != chinese && c.there("language") {
					c.run("document.querySelector('[data-test=language]').click()") // also below a dialog
					c.until("document.documentElement.lang === 'zh-Hans'")
					chinese = true
				}
				for _, v := range eval[[]string](c.tab, `
					scrollTo(0, 0);
					const found = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
					return found.violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + n.html + ': ' + n.failureSummary));`) {
					t.Errorf("%s: %s", look.name, v)
				}
				if over := eval[float64](c.tab, "return document.documentElement.scrollWidth - innerWidth"); over > 0 {
					t.Errorf("%s: it is %v pixels wider than the screen", look.name, over)
				}
				if shots != "" {
					c.shoot(filepath.Join(shots, face.name+"-"+look.name+".png"))
				}
			}
		})
	}
}

// shoot takes a picture of the screen, and of the whole page where it is longer.
func (c *console) shoot(path string) {
	c.t.Helper()
	must(0, os.WriteFile(path, must(chromedp.Run(c.ctx, chromedp.CaptureScreenshot()))(c.t), 0o644))(c.t)
	size := eval[json.RawMessage](c.tab, "return [document.documentElement.scrollHeight, innerHeight, innerWidth]")
	var heights [3]int64
	must(0, json.Unmarshal(size, &heights))(c.t)
	if heights[0] <= heights[1] {
		return
	}
	must(0, chromedp.Do(c.ctx, chromedp.EmulateViewport(heights[2], heights[0])))(c.t)
	whole := fmt.Sprintf("%s-whole.png", path[:len(path)-len(".png")])
	must(0, os.WriteFile(whole, must(chromedp.Run(c.ctx, chromedp.CaptureScreenshot()))(c.t), 0o644))(c.t)
}

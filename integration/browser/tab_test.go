package browser

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	_ "embed"
)

// chromium is the one browser of this run, started when it is first needed.
var chromium struct {
	once sync.Once
	ctx  context.Context
	end  []context.CancelFunc
	err  error
}

func needChromium(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("it needs a browser")
	}
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Fatal("chromium is missing; install the package chromium")
	}
}

func startChromium() {
	allocator, end := chromedp.NewExecAllocator(context.Background(), chromedp.ExecPath("chromium"), chromedp.Headless, chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-renderer-backgrounding", true))
	ctx, close := chromedp.NewContext(allocator)
	chromium.ctx, chromium.end = ctx, []context.CancelFunc{close, end}
	chromium.err = chromedp.Do(ctx)
}

func stopChromium() {
	for _, end := range chromium.end {
		end()
	}
}

// tab is a page in a profile of its own. Whatever the console complains of
// fails the test.
type tab struct {
	t   testing.TB
	ctx context.Context

	mu         sync.Mutex
	allowed    []string // parts of complaints that are expected
	complaints []string
}

//go:embed testdata/prelude.js
var prelude string

// newTab opens a page of the console's origin, under the console's policy, that
// has nothing in it, and loads the bridge there.
func newTab(t testing.TB, s *site) *tab {
	t.Helper()
	tb := openTab(t, s.console+built.page+"wasm_exec.js", "favicon.ico") // it has no link to one
	tb.run(prelude)
	tb.run("await load('" + s.console + built.page + "')")
	return tb
}

const lastWord = "that was all"

// openTab opens an address. Complaints with one of the allowed parts are
// expected.
func openTab(t testing.TB, url string, allowed ...string) *tab {
	t.Helper()
	needChromium(t)
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatal(chromium.err)
	}
	ctx, closeTab := chromedp.NewContext(chromium.ctx, chromedp.WithNewBrowserContext())
	within, cancel := context.WithTimeout(ctx, 3*time.Minute)
	tb := &tab{t: t, ctx: within, allowed: allowed}
	listening := make(chan struct{})
	messages := chromedp.Console(within)
	go func() {
		defer close(listening)
		for m, err := range messages {
			if err != nil || m.Text == lastWord {
				return
			}
			if m.Type != chromedp.ConsoleLog && m.Type != chromedp.ConsoleInfo && m.Type != chromedp.ConsoleDebug {
				tb.complain(m.String() + " " + m.URL)
			}
		}
	}()
	t.Cleanup(func() {
		// What was said before the last word has been read when that is.
		if _, err := chromedp.Run(within, chromedp.Evaluate[chromedp.Void]("console.debug('"+lastWord+"')")); err != nil {
			cancel()
		}
		<-listening
		cancel()
		closeTab()
		for _, c := range tb.complaints {
			t.Errorf("the console says: %s", c)
		}
	})
	must(0, chromedp.Do(within, chromedp.Navigate(url)))(t)
	return tb
}

// allow expects complaints that contain one of these, such as what the browser
// itself says of an address that nobody answers at.
func (tb *tab) allow(parts ...string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.allowed = append(tb.allowed, parts...)
}

func (tb *tab) complain(what string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, part := range tb.allowed {
		if strings.Contains(what, part) {
			return
		}
	}
	tb.complaints = append(tb.complaints, what)
}

// run runs the body of an async function to its end.
func (tb *tab) run(body string) {
	tb.t.Helper()
	eval[json.RawMessage](tb, body)
}

// eval runs the body of an async function and returns what it returns.
func eval[T any](tb *tab, body string) (v T) {
	tb.t.Helper()
	raw, err := chromedp.Run(tb.ctx, chromedp.Evaluate[[]byte]("(async () => {"+body+"\n})().then((v) => JSON.stringify(v ?? null))",
		chromedp.EvalAwaitPromise))
	if err != nil {
		tb.t.Fatalf("%v, in: %s", err, body)
	}
	var text string
	must(0, json.Unmarshal(raw, &text))(tb.t)
	must(0, json.Unmarshal([]byte(text), &v))(tb.t)
	return v
}

//go:embed testdata/click.js
var aim string

// clickOn presses the mouse where an element stands, once it can be clicked,
// and again if the page moved it from under the mouse.
func (tb *tab) clickOn(selector string) {
	tb.t.Helper()
	for end := time.Now().Add(patience); ; {
		at := eval[*struct{ X, Y float64 }](tb, "const selector = "+quote(selector)+";\n"+aim)
		if at != nil {
			must(0, chromedp.Do(tb.ctx, chromedp.MouseClickXY(at.X, at.Y)))(tb.t)
			if eval[bool](tb, "return globalThis.missed !== true") { // on another page by now, it is not known
				return
			}
		}
		if time.Now().After(end) {
			tb.t.Fatalf("%s cannot be clicked; the page says: %s", selector, eval[string](tb, "return document.body.innerText"))
		}
	}
}

// quote makes a JavaScript string.
func quote(s string) string {
	b, _ := json.Marshal(s) // of a string, which does not fail
	return string(b)
}

package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"

	"hufu/integration/fill"
	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/server/store/sqlite"
)

// largeSite has the history of a large network, of which nothing ends within
// the next hour, on either store.
func largeSite(b *testing.B, store string) *site {
	needChromium(b)
	build(b)
	s := &site{t: b, dir: b.TempDir(), address: "127.0.0.1:0", flags: []string{"--max-rate", "1000", "--max-burst", "1000"}}
	open := func() (keyservice.Store, error) {
		return sqlite.Open(b.Context(), filepath.Join(s.dir, "data", "hufu.db"))
	}
	if store == "postgres" {
		cluster := must(pgtest.Start(b.Context(), pgtest.FSync()))(b)
		b.Cleanup(func() { must(0, cluster.Stop())(b) })
		must(0, cluster.CreateDatabase(b.Context(), "large", ""))(b)
		must(0, postgres.Migrate(b.Context(), cluster.URL("large")))(b)
		s.database = filepath.Join(s.dir, "database-url")
		must(0, os.WriteFile(s.database, []byte(cluster.URL("large")), 0o600))(b)
		open = func() (keyservice.Store, error) {
			return postgres.Open(b.Context(), cluster.URL("large"), postgres.Options{})
		}
	}
	s.start() // makes the installation
	s.stop(syscall.SIGTERM)
	outlets, keys := fill.Network()
	filled := must(open())(b)
	began := time.Now()
	must(0, fill.History(b.Context(), filled, fill.Plan{Outlets: outlets, Keys: keys, Now: time.Now().Add(time.Hour)}))(b)
	must(0, filled.Close())(b)
	b.Logf("%s: %d outlets with %d keys each were written in %v", store, outlets, keys, time.Since(began).Round(time.Second))
	s.start()
	b.Cleanup(func() { s.stop(syscall.SIGTERM) })
	return s
}

// asked is one question: as a page of the console asks it, and as hufu-server
// does on the command line.
type asked struct {
	name, page, there string // there: what is seen once the first data are
	command           []string
}

func questions() []asked {
	outlets, keys := fill.Network()
	id, number := fill.ID(outlets/2), fmt.Sprint(keys)
	day := time.Now().AddDate(0, 0, -2).Format(time.DateOnly)
	return []asked{
		{"overview", "#/overview", "[data-test=verdict]", []string{"overview"}},
		{"outlets", "#/outlets", "[data-test=outlet]", []string{"outlet", "list", "--limit", "100"}},
		{"stale", "#/outlets?freshness=stale", "[data-test=outlet]", []string{"outlet", "list", "--freshness", "stale", "--limit", "100"}},
		{"search", "#/outlets?q=" + id[6:], "[data-test=outlet]", []string{"outlet", "list", "--search", id[6:], "--limit", "100"}},
		{"outlet", "#/outlet/" + id, "[data-test=key-row]", []string{"outlet", "show", id}},
		{"history", "#/history", "[data-test=row]", []string{"key", "list", "--limit", "100"}},
		{"day", "#/history?from=" + day + "&to=" + day, "[data-test=row]", []string{"key", "list", "--from", day, "--to", day, "--limit", "100"}},
		{"outlet-day", "#/history?outlet=" + id + "&from=" + day + "&to=" + day, "[data-test=row]", []string{"key", "list", "--outlet", id, "--from", day, "--to", day}},
		{"key", "#/key/" + id + "/" + number, "[data-test=step]", []string{"key", "show", id, number}},
		{"events", "#/events", "[data-test=event]", []string{"event", "list", "--limit", "100"}},
	}
}

// firstData goes from another page to one, until its first data are seen.
const firstData = `
	const [page, there] = %s;
	location.hash = '#/help';
	while (document.querySelector(there)) await new Promise((r) => setTimeout(r));
	await new Promise((r) => requestAnimationFrame(() => setTimeout(r)));
	const began = performance.now();
	location.hash = page;
	while (!document.querySelector(there)) {
		if (performance.now() - began > 20000) throw new Error('no data: ' + page);
		await new Promise((r) => setTimeout(r));
	}
	return performance.now() - began;`

// BenchmarkConsolePages measures how long every page of the console takes to
// its first data, by turns with the same question asked by hufu-server on the
// command line, and reports the ratio of both medians, which is to stay under
// 3. Then it scrolls through the list of outlets, more of which are loaded on
// the way, and reports the frames drawn a second by Chromium's trace, which are
// to be 50 at least. Run with SPEED=full for the network that it is about:
//
//	SPEED=full go test ./integration/browser -run '^$' -bench ConsolePages -benchtime 1x -timeout 60m
func BenchmarkConsolePages(b *testing.B) {
	for _, store := range []string{"sqlite", "postgres"} {
		b.Run(store, func(b *testing.B) {
			s := largeSite(b, store)
			c, _ := openStaff(b, s, "auditor", "#/help")
			inPage, onTerminal := map[string][]time.Duration{}, map[string][]time.Duration{}
			for b.Loop() {
				for range 5 {
					for _, q := range questions() {
						inPage[q.name] = append(inPage[q.name], c.firstData(q))
						onTerminal[q.name] = append(onTerminal[q.name], s.ask(q))
					}
				}
			}
			for _, q := range questions() {
				page, terminal := median(inPage[q.name]), median(onTerminal[q.name])
				b.Logf("%-10s page %8v  at least %8v  command %8v", q.name, page.Round(time.Millisecond), inPage[q.name][0].Round(time.Millisecond), terminal.Round(time.Millisecond))
				b.ReportMetric(float64(page)/float64(terminal), q.name+"-ratio")
			}
			b.ReportMetric(c.scrolls(b), "frames/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func (c *console) firstData(q asked) time.Duration {
	c.t.Helper()
	args := must(json.Marshal([]string{q.page, q.there}))(c.t)
	return time.Duration(eval[float64](c.tab, fmt.Sprintf(firstData, args)) * float64(time.Millisecond))
}

// ask runs hufu-server and waits for the whole of its answer.
func (s *site) ask(q asked) time.Duration {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(built.dir, "hufu-server"), append(q.command, "--json")...)
	cmd.Env = s.env()
	began := time.Now()
	out, err := cmd.Output()
	took := time.Since(began)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		s.t.Fatalf("hufu-server %v: %v: %s", q.command, err, exit.Stderr)
	}
	must(0, err)(s.t)
	if len(out) == 0 {
		s.t.Fatalf("hufu-server %v has no answer", q.command)
	}
	return took
}

// scrolled is how far, in CSS pixels, and at how many a second.
const scrolled, scrollSpeed = 24_000, 4000

// scrolls scrolls down the outlets three times and returns the median.
func (c *console) scrolls(b *testing.B) float64 {
	b.Helper()
	c.run("location.hash = '#/outlets'")
	c.until("document.querySelector('[data-test=outlet]')")
	var drawn []float64
	for range 3 {
		c.run("scrollTo(0, 0)")
		drawn = append(drawn, c.scrollTraced(b))
	}
	slices.Sort(drawn)
	b.Logf("scrolled to %s", eval[string](c.tab, "return document.querySelector('[data-test=outlet]').dataset.id"))
	return drawn[1]
}

// scrollTraced scrolls and returns the frames that were drawn a second meanwhile.
func (c *console) scrollTraced(b *testing.B) float64 {
	b.Helper()
	var mu sync.Mutex
	var drawn []float64 // microseconds
	must(0, chromedp.Listen(c.ctx, func(e any) {
		part, is := e.(*tracing.EventDataCollected)
		if !is {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, raw := range part.Value {
			var frame struct {
				Name string
				TS   float64
			}
			if json.Unmarshal(raw, &frame) == nil && frame.Name == "DrawFrame" {
				drawn = append(drawn, frame.TS)
			}
		}
	}))(b)
	must(chromedp.Call(c.ctx, tracing.Start, tracing.StartParams{TransferMode: tracing.StartTransferModeReportEvents,
		TraceConfig: &tracing.TraceConfig{IncludedCategories: []string{"devtools.timeline.frame", "disabled-by-default-devtools.timeline.frame"}}}))(b)
	must(chromedp.Call(c.ctx, input.SynthesizeScrollGesture, input.SynthesizeScrollGestureParams{X: 300, Y: 300, YDistance: -scrolled,
		Speed: scrollSpeed, GestureSourceType: input.GestureSourceTypeMouse}))(b)
	must(chromedp.Run(c.ctx, chromedp.WaitEvent(tracing.TracingComplete, nil, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, tracing.End, cdp.Empty{})
	})))(b)
	mu.Lock()
	defer mu.Unlock()
	if len(drawn) < 2 {
		b.Fatal("the trace has no frames")
	}
	slices.Sort(drawn)
	return float64(len(drawn)-1) / (drawn[len(drawn)-1] - drawn[0]) * 1e6
}

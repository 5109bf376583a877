package web_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/server/session"
	"hufu/server/store/sqlite"
	"hufu/server/web"
	"hufu/shared/wire"
)

// counted is the real store, which may fail to count, and remembers how often
// it was asked to.
type counted struct {
	keyservice.Store
	mu   sync.Mutex
	n    int
	fail error
}

func (c *counted) Counts(ctx context.Context, now time.Time) (keyservice.Counts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.fail != nil {
		return keyservice.Counts{}, c.fail
	}
	return c.Store.Counts(ctx, now)
}

// metered is a service with metrics, and how to read them.
func metered(t *testing.T, fail error) (s *keyservice.Service, store *counted, scrape func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hufu.db")
	if err := sqlite.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	file := must(sqlite.Open(t.Context(), path))(t)
	store = &counted{Store: file, fail: fail}
	ring := must(seal.Create(filepath.Join(t.TempDir(), "ring.json"), "centre"))(t)
	metrics := web.NewMetrics()
	cfg := keyservice.Config{ServerID: "centre", Meter: metrics}
	s = must(keyservice.New(cfg, store, ring))(t)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	must(s.Lookup(t.Context(), "nobody", 1))(t) // answers once it follows the changes
	metrics.Attach(s, session.New(s, session.Limits{}, quiet))
	server := httptest.NewServer(metrics.Handler())
	t.Cleanup(server.Close)
	return s, store, func() string {
		r := must(server.Client().Get(server.URL + "/metrics"))(t)
		defer r.Body.Close()
		body := string(must(io.ReadAll(r.Body))(t))
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", r.Status, body)
		}
		return body
	}
}

// has waits until the metrics have all lines.
func has(t *testing.T, scrape func() string, lines ...string) {
	t.Helper()
	var body string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		body = scrape()
		if !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(body, "\n"+line+"\n") }) {
			return
		}
	}
	t.Fatalf("no %q in:\n%s", lines, body)
}

func TestMetrics(t *testing.T) {
	began := time.Now()
	s, store, scrape := metered(t, nil)
	for _, id := range []string{"T-1", "T-2"} {
		must(s.Enrol(t.Context(), id, wire.RoleOutlet))(t)
	}
	if err := s.SetDisabled(t.Context(), "T-2", true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Administer(t.Context(), &keyservice.Peer{ClientID: "T-1", Role: wire.RoleOutlet}, &wire.Administer{}, 0); !errors.Is(err, wire.CodeNotPermitted) {
		t.Fatal(err)
	}
	has(t, scrape, `hufu_changes_total{kind="enrolled"} 2`, `hufu_changes_total{kind="disabled"} 1`, `hufu_changes_total{kind="refused"} 1`,
		`hufu_changes_total{kind="revoked"} 0`, `hufu_change_age_seconds_count 4`, `hufu_commit_changes_count 4`, `hufu_commit_seconds_count 4`,
		`hufu_commit_failures_total 0`, `hufu_store_failures_total 0`, `hufu_mac_failures_total 0`, `hufu_sessions_open 0`, `hufu_sessions_waiting 0`,
		`hufu_presence_waiting 0`,
		`hufu_outlets 2`, `hufu_outlets_disabled 1`, `hufu_outlets_connected 0`, `hufu_outlets_freshness{freshness="none"} 1`,
		`hufu_outlets_freshness{freshness="fresh"} 0`, `hufu_keys{state="active"} 0`)
	body := scrape()
	if strings.Contains(body, "T-1") {
		t.Error("an outlet's name is among the metrics")
	}
	for _, name := range []string{"go_goroutines", "process_open_fds", "hufu_changes_behind_seconds"} {
		if !strings.Contains(body, "\n"+name+" ") {
			t.Errorf("no %s", name)
		}
	}
	store.mu.Lock()
	defer store.mu.Unlock()
	if took := time.Since(began); store.n > 1+int(took/(15*time.Second)) {
		t.Errorf("the outlets were counted %d times within %s", store.n, took)
	}
}

// TestMetricsWhileTheStoreFails: what cannot be counted is left out, and all
// else is there.
func TestMetricsWhileTheStoreFails(t *testing.T) {
	_, _, scrape := metered(t, errors.New("away"))
	has(t, scrape, `hufu_store_failures_total 1`, `hufu_sessions_open 0`)
	if body := scrape(); strings.Contains(body, "hufu_outlets") || strings.Contains(body, "hufu_keys") {
		t.Errorf("counted without a store:\n%s", body)
	}
}

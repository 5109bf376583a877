package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/server/session"
	"hufu/server/store/sqlite"
	"hufu/server/web"
	"hufu/shared/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// faulty is the real store; a test may break its Probe.
type faulty struct {
	keyservice.Store
	mu     sync.Mutex
	err    error
	probes int
}

func (f *faulty) Probe(ctx context.Context, at time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.probes++
	if f.err != nil {
		return f.err
	}
	return f.Store.Probe(ctx, at)
}

func (f *faulty) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

type site struct {
	*httptest.Server
	store *faulty
}

func newSite(t *testing.T, cfg web.Config, limits session.Limits) *site {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hufu.db")
	if err := sqlite.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	store := must(sqlite.Open(t.Context(), path))(t)
	ring := must(seal.Create(filepath.Join(t.TempDir(), "ring.json"), "centre"))(t)
	s := &site{store: &faulty{Store: store}}
	cfg.Log = slog.New(slog.DiscardHandler)
	service := must(keyservice.New(keyservice.Config{ServerID: "centre", Log: cfg.Log}, s.store, ring))(t)
	sessions := session.New(service, limits, cfg.Log)
	s.Server = httptest.NewServer(web.New(cfg, service, sessions))
	t.Cleanup(func() {
		s.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		sessions.Shutdown(ctx)
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// get asks with headers, given as name and value in turn.
func (s *site) get(t *testing.T, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil))(t)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response := must(s.Client().Do(r))(t)
	defer response.Body.Close()
	body := must(io.ReadAll(response.Body))(t)
	return response, string(body)
}

func (s *site) dial(t *testing.T, path string, header http.Header) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	conn, response, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+path,
		&websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}, HTTPHeader: header})
	if conn != nil {
		t.Cleanup(func() { conn.CloseNow() })
	}
	return conn, response, err
}

// TestNotASession: a request that cannot become a session is told why, in one line.
func TestNotASession(t *testing.T) {
	s := newSite(t, web.Config{}, session.Limits{})
	upgrade := []string{"Connection", "keep-alive, Upgrade", "Upgrade", "WebSocket"}
	for name, test := range map[string]struct {
		headers []string
		says    string
	}{
		"plain GET":           {nil, "no upgrade"},
		"Connection only":     {upgrade[:2], "no upgrade"},
		"Upgrade only":        {upgrade[2:], "no upgrade"},
		"h2c":                 {[]string{"Connection", "Upgrade", "Upgrade", "h2c"}, "no upgrade"},
		"no subprotocol":      {upgrade, "subprotocol hufu1"},
		"another subprotocol": {append([]string{"Sec-WebSocket-Protocol", "hufu2, hufu"}, upgrade...), "subprotocol hufu1"},
	} {
		response, body := s.get(t, "/ws", test.headers...)
		if response.StatusCode != http.StatusUpgradeRequired || response.Header.Get("Upgrade") != "websocket" {
			t.Errorf("%s: %s, Upgrade %q", name, response.Status, response.Header.Get("Upgrade"))
		}
		if strings.Count(body, "\n") != 1 || !strings.HasSuffix(body, "\n") || !strings.Contains(body, test.says) {
			t.Errorf("%s: %q", name, body)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, base := range []string{"", "/hufu", "/a/b/"} {
		t.Run(base, func(t *testing.T) {
			s := newSite(t, web.Config{BasePath: base}, session.Limits{})
			base := strings.TrimSuffix(base, "/")
			if response, body := s.get(t, base+"/healthz"); response.StatusCode != http.StatusOK || body != "ok\n" {
				t.Errorf("healthz: %s %q", response.Status, body)
			}
			if response, body := s.get(t, base+"/readyz"); response.StatusCode != http.StatusOK || body != "ok\n" {
				t.Errorf("readyz: %s %q", response.Status, body)
			}
			conn, _, err := s.dial(t, base+"/ws", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, frame, err := conn.Read(t.Context()); err != nil || conn.Subprotocol() != wire.Subprotocol {
				t.Errorf("hello: %v, subprotocol %q", err, conn.Subprotocol())
			} else if _, err := wire.DecodeHello(frame); err != nil {
				t.Error(err)
			}
			elsewhere := []string{"/", base + "/nothing", base + "/ws/", base + "/ws/more", base + "/../etc/passwd", base + "/healthz/%00"}
			if base != "" {
				elsewhere = append(elsewhere, "/ws", "/healthz")
			}
			for _, path := range elsewhere {
				if response, body := s.get(t, path); response.StatusCode != http.StatusNotFound || body != "Not Found\n" {
					t.Errorf("%s: %s %q", path, response.Status, body)
				}
			}
			response := must(s.Client().Post(s.URL+base+"/ws", "text/plain", strings.NewReader("x")))(t)
			response.Body.Close()
			if response.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("POST: %s", response.Status)
			}
		})
	}
}

// TestReady: readyz tells whether the store can be written, asked for real but
// not as often as anyone likes.
func TestReady(t *testing.T) {
	s := newSite(t, web.Config{}, session.Limits{})
	s.store.fail(errors.New("disk /secret/path is full"))
	response, body := s.get(t, "/readyz")
	if response.StatusCode != http.StatusServiceUnavailable || body != "the store cannot be written\n" {
		t.Errorf("%s %q", response.Status, body)
	}
	if response, _ := s.get(t, "/healthz"); response.StatusCode != http.StatusOK {
		t.Errorf("healthz: %s", response.Status)
	}
	s.store.fail(nil)
	var wg sync.WaitGroup
	began := time.Now()
	for range 50 {
		wg.Go(func() { s.get(t, "/readyz") })
	}
	wg.Wait()
	s.store.mu.Lock()
	probes := s.store.probes
	s.store.mu.Unlock()
	if most := 2 + int(time.Since(began)/time.Second); probes > most {
		t.Errorf("51 questions in %v made the store write %d times", time.Since(began), probes)
	}
	time.Sleep(1100 * time.Millisecond)
	if response, _ := s.get(t, "/readyz"); response.StatusCode != http.StatusOK {
		t.Errorf("a second after it was mended: %s", response.Status)
	}
}

// TestForwardedFor: who a connection is counted for.
func TestForwardedFor(t *testing.T) {
	_, loopback, _ := net.ParseCIDR("127.0.0.0/8")
	_, elsewhere, _ := net.ParseCIDR("10.0.0.0/8")
	from := func(addresses ...string) http.Header { return http.Header{"X-Forwarded-For": addresses} }
	for name, test := range map[string]struct {
		trusted []*net.IPNet
		headers []http.Header
		admits  []bool
	}{
		"nobody is trusted": {nil,
			[]http.Header{from("1.1.1.1"), from("2.2.2.2"), from("3.3.3.3")}, []bool{true, false, false}},
		"another is trusted": {[]*net.IPNet{elsewhere},
			[]http.Header{from("1.1.1.1"), from("10.1.1.1"), from("10.1.1.1, 10.1.1.2")}, []bool{true, false, false}},
		"the proxy is trusted": {[]*net.IPNet{loopback},
			[]http.Header{from("1.1.1.1"), from("2.2.2.2"), from("1.1.1.1")}, []bool{true, true, false}},
		"the client forges what the proxy adds to": {[]*net.IPNet{loopback},
			[]http.Header{from("1.1.1.1, 9.9.9.9"), from("2.2.2.2, 9.9.9.9"), from("3.3.3.3", "9.9.9.9")}, []bool{true, false, false}},
		"and claims to be the proxy": {[]*net.IPNet{loopback},
			[]http.Header{from("127.0.0.1, 9.9.9.9"), from("127.0.0.2, 9.9.9.9")}, []bool{true, false}},
		"the proxy does not say for whom": {[]*net.IPNet{loopback},
			[]http.Header{nil, nil, nil}, []bool{true, true, true}},
		"other headers do not count": {nil,
			[]http.Header{{"X-Real-Ip": {"1.1.1.1"}}, {"X-Real-Ip": {"2.2.2.2"}}, {"Forwarded": {"for=3.3.3.3"}}}, []bool{true, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			admits := admitted(t, test.trusted, test.headers)
			for n := 0; n < 5 && time.Since(began) > 4*time.Second; n++ { // a session that has not opened counts for 5 s
				began = time.Now()
				admits = admitted(t, test.trusted, test.headers)
			}
			if !slices.Equal(admits, test.admits) {
				t.Errorf("admitted: %v, want %v", admits, test.admits)
			}
		})
	}
}

// admitted tells which of several connections are let in where each address may
// have one.
func admitted(t *testing.T, trusted []*net.IPNet, headers []http.Header) (admits []bool) {
	s := newSite(t, web.Config{Trusted: trusted}, session.Limits{WaitingAddress: 1})
	for i, header := range headers {
		_, response, err := s.dial(t, "/ws", header)
		if err != nil && (response == nil || response.StatusCode != http.StatusServiceUnavailable) {
			t.Errorf("connection %d: %v", i, err)
		}
		admits = append(admits, err == nil)
	}
	return admits
}

// TestOrigin: a page of another site cannot open a session from a browser.
func TestOrigin(t *testing.T) {
	s := newSite(t, web.Config{}, session.Limits{WaitingAddress: 2})
	for range 5 { // a refused one does not stay counted
		if _, response, err := s.dial(t, "/ws", http.Header{"Origin": {"https://evil.example"}}); err == nil || response.StatusCode != http.StatusForbidden {
			t.Fatalf("another origin: %v", err)
		}
	}
	if _, _, err := s.dial(t, "/ws", http.Header{"Origin": {s.URL}}); err != nil {
		t.Errorf("its own origin: %v", err)
	}
	if _, _, err := s.dial(t, "/ws", nil); err != nil {
		t.Errorf("no origin, as native clients: %v", err)
	}
}

// TestBrokenHandshake: what the WebSocket library refuses is not counted either.
func TestBrokenHandshake(t *testing.T) {
	s := newSite(t, web.Config{}, session.Limits{WaitingAddress: 1})
	good := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Protocol", "hufu1"}
	for name, headers := range map[string][]string{
		"no version": {"Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="},
		"no key":     {"Sec-WebSocket-Version", "13"},
		"a bad key":  {"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "x"},
	} {
		if response, _ := s.get(t, "/ws", append(headers, good...)...); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, response.Status)
		}
	}
	if _, _, err := s.dial(t, "/ws", nil); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// must returns v, or fails the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

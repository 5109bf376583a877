package integration

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// TestFronts shows the same of every proxy that deploy/ has a file for.
func TestFronts(t *testing.T) {
	for _, name := range frontNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "sqlite", behind...)
			f := newFront(t, name, s.address, extras{})
			t.Run("path", func(t *testing.T) { frontPath(t, s, f) })
			t.Run("addresses", func(t *testing.T) { frontAddresses(t, s, f) })
			t.Run("origin", func(t *testing.T) { frontOrigin(t, f) })
			t.Run("elsewhere", func(t *testing.T) { frontElsewhere(t, s, f) })
			t.Run("console", func(t *testing.T) { frontConsole(t, s, f) })
			t.Run("client certificates", func(t *testing.T) { frontClients(t, s, name) })
			t.Run("headers", func(t *testing.T) { frontHeaders(t, name) })
			t.Run("no retry", func(t *testing.T) { frontNoRetry(t, name) })
		})
	}
}

// frontPath walks through the life of a key, by the programs alone.
func frontPath(t *testing.T, s *site, f *front) {
	o := s.outlet(t, wire.RoleOutlet)
	o.env = append(o.env, "HUFU_CA="+f.ca.file)
	file := filepath.Join(o.home, "given")
	write(t, file, ascii(t, o.tokenAt(f.url)))
	for _, args := range [][]string{{"enrol", "--token-file", file}, {"negotiate"}, {"verify"}, {"view"}, {"revoke"}} {
		if r := o.must(args...); r.err != "" {
			t.Errorf("hufu %s complains: %s", args[0], r.err)
		}
	}
	if got := o.history(); got != "1 revoked" {
		t.Errorf("the centre has recorded %q", got)
	}
	if got := o.shared(); got != "1 revoked wiped" {
		t.Errorf("the segment holds %q", got)
	}
}

// claims are headers by which a client may pretend to be another.
var claims = http.Header{
	"X-Forwarded-For":   {"203.0.113.9", "198.51.100.7, 127.0.0.1"},
	"X-Forwarded-Proto": {"gopher"},
	"X-Forwarded-Host":  {"elsewhere.test"},
	"X-Real-Ip":         {"203.0.113.9"},
	"Forwarded":         {"for=203.0.113.9"},
}

// frontAddresses: through the proxy the log names the true client, whatever it
// claims; past the proxy nobody is believed.
func frontAddresses(t *testing.T, s *site, f *front) {
	for _, c := range []struct{ name, url, ip string }{
		{"through the proxy", f.url, "127.0.0.2"},
		{"past the proxy", s.url + "/hufu", "127.0.0.3"},
	} {
		o, mark := s.outlet(t, wire.RoleOutlet), s.server.log.mark()
		o.open(t, c.url, client.DialOptions{HTTP: f.from(t, c.ip), Header: claims}).Close()
		eventually(t, "the server logs the session", func() bool {
			line := s.server.log.find(mark, func(line string) bool {
				return strings.Contains(line, "msg=open") && attribute(line, "client") == o.id
			})
			if line != "" && attribute(line, "peer") != c.ip {
				t.Errorf("%s from %s, the server logs %s", c.name, c.ip, line)
			}
			return line != ""
		})
	}
}

// upgrade is a handshake by hand.
func upgrade(t *testing.T, url string, more http.Header) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+wire.Path, nil)
	must(t, err)
	r.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {wire.Subprotocol}}
	for name, values := range more {
		r.Header[name] = values
	}
	return r
}

// answer sends a request through the proxy and tells the status.
func (f *front) answer(t *testing.T, r *http.Request) int {
	t.Helper()
	response, err := f.from(t, "127.0.0.1").Do(r)
	must(t, err)
	response.Body.Close()
	return response.StatusCode
}

// frontOrigin: a page from the proxy's own address may connect, another not.
func frontOrigin(t *testing.T, f *front) {
	own := strings.TrimSuffix(f.url, "/hufu")
	for origin, want := range map[string]int{own: http.StatusSwitchingProtocols, "https://elsewhere.test": http.StatusForbidden,
		"https://localhost": http.StatusForbidden} { // it is another port
		if got := f.answer(t, upgrade(t, f.url, http.Header{"Origin": {origin}})); got != want {
			t.Errorf("with the origin %s the answer is %d, expected %d", origin, got, want)
		}
	}
}

// frontElsewhere: what is no session comes back in words.
func frontElsewhere(t *testing.T, s *site, f *front) {
	get := func(url string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t, err)
		return r
	}
	root := strings.TrimSuffix(f.url, "/hufu")
	for _, c := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"health", get(f.url + "/healthz"), http.StatusOK},
		{"readiness", get(f.url + "/readyz"), http.StatusOK},
		{"no upgrade", get(f.url + wire.Path), http.StatusUpgradeRequired},
		{"no subprotocol", upgrade(t, f.url, http.Header{"Sec-Websocket-Protocol": nil}), http.StatusUpgradeRequired},
		{"another path", upgrade(t, f.url+"/other", nil), http.StatusNotFound},
		{"past the base path", upgrade(t, root, nil), http.StatusNotFound},
		{"a name that begins alike", upgrade(t, root+"/hufus", nil), http.StatusNotFound},
	} {
		if got := f.answer(t, c.r); got != c.want {
			t.Errorf("%s: the answer is %d, expected %d", c.name, got, c.want)
		}
	}
	o := s.enrolled(t)
	o.via(root + "/other")
	if r := o.hufu("--ca", f.ca.file, "view"); r.code != 4 || !strings.Contains(r.err, "404") || !strings.Contains(r.err, "--base-path") {
		t.Errorf("a wrong base path ends with %d: %s", r.code, r.err)
	}
}

// frontConsole: the page is reached under the base path if the server has one,
// as the server sends it, and without the path's last slash too.
func frontConsole(t *testing.T, s *site, f *front) {
	has := s.server.log.find(0, func(line string) bool { return strings.Contains(line, "msg=console") }) != ""
	get := func(url string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		must(t, err)
		r.Header.Set("Accept-Encoding", "br")
		response, err := f.from(t, "127.0.0.1").Do(r)
		must(t, err)
		response.Body.Close()
		return response
	}
	page := get(f.url + "/")
	if !has {
		if page.StatusCode != http.StatusNotFound {
			t.Errorf("without a console the answer is %d", page.StatusCode)
		}
		return
	}
	if page.StatusCode != http.StatusOK || page.Header.Get("Content-Encoding") != "br" || page.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("the page is answered %d with %v", page.StatusCode, page.Header)
	}
	if page := get(f.url); page.Request.URL.String() != f.url+"/" || page.StatusCode != http.StatusOK {
		t.Errorf("without the slash, %s answers %d", page.Request.URL, page.StatusCode)
	}
}

// frontClients: a proxy that demands client certificates lets in who has one,
// and hufu says what others lack.
func frontClients(t *testing.T, s *site, name string) {
	f := newFront(t, name, s.address, extras{clients: true})
	o := s.enrolled(t)
	o.via(f.url)
	own, foreign := f.ca.issue(nil), newAuthority(t).issue(nil)
	o.must("view", "--ca", f.ca.file, "--tls-cert", own.cert, "--tls-key", own.key)
	if r := o.hufu("view", "--ca", f.ca.file); r.code != 4 || !strings.Contains(r.err, "certificate") || !strings.Contains(r.err, "--tls-cert") {
		t.Errorf("without a certificate hufu ends with %d: %s", r.code, r.err)
	}
	if r := o.hufu("view", "--ca", f.ca.file, "--tls-cert", foreign.cert, "--tls-key", foreign.key); r.code != 4 || !strings.Contains(r.err, "certificate") {
		t.Errorf("with a stranger's certificate hufu ends with %d: %s", r.code, r.err)
	}
}

// recorder stands in for the server and keeps what the proxy sends it.
type recorder struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (rec *recorder) add(r *http.Request) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.requests = append(rec.requests, r)
}

func (rec *recorder) all() []*http.Request {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.requests
}

// frontHeaders looks at what reaches the server of a request that claims much.
func frontHeaders(t *testing.T, name string) {
	var rec recorder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec.add(r)
		http.Error(w, "no", http.StatusTeapot)
	}))
	defer server.Close()
	f := newFront(t, name, server.Listener.Addr().String(), extras{})
	response, err := f.from(t, "127.0.0.2").Do(upgrade(t, f.url, claims))
	must(t, err)
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil || response.StatusCode != http.StatusTeapot || len(rec.all()) != 1 {
		t.Fatalf("%d requests came through, answered %d %q %v", len(rec.all()), response.StatusCode, body, err)
	}
	r := rec.all()[0]
	host := strings.TrimSuffix(strings.TrimPrefix(f.url, "https://"), "/hufu")
	if r.Proto != "HTTP/1.1" || r.URL.Path != "/hufu"+wire.Path || r.Host != host {
		t.Errorf("%s %s at %s came through", r.Proto, r.URL, r.Host)
	}
	for header, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.2", "X-Forwarded-Proto": "https", "X-Forwarded-Host": host, "X-Real-Ip": "", "Forwarded": "",
		"Connection": "upgrade", "Upgrade": "websocket", "Sec-Websocket-Protocol": wire.Subprotocol, "Sec-Websocket-Version": "13",
		"Sec-Websocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		if got := strings.Join(r.Header.Values(header), " and "); !strings.EqualFold(got, want) {
			t.Errorf("%s came through as %q, expected %q", header, got, want)
		}
	}
}

// frontNoRetry: a server that breaks off is asked once.
func frontNoRetry(t *testing.T, name string) {
	var rec recorder
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		rec.add(r)
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	f := newFront(t, name, server.Listener.Addr().String(), extras{})
	status := f.answer(t, upgrade(t, f.url, nil))
	if n := len(rec.all()); n != 1 || status != http.StatusBadGateway {
		t.Errorf("the server was asked %d times, and the answer was %d", n, status)
	}
	server.Close()
	if status := f.answer(t, upgrade(t, f.url, nil)); status != http.StatusBadGateway && status != http.StatusServiceUnavailable {
		t.Errorf("with no server the answer is %d", status)
	}
}

package browser

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// status asks for an address.
func status(t testing.TB, address string) int {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	response := must(client.Get(address))(t)
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// agree negotiates in the tab, by the WebSocket beside the page, and compares
// with what the centre has.
func (tb *tab) agree(s *site, id, token, page string) {
	tb.t.Helper()
	k := eval[key](tb, `
		const { session } = await openSession(`+quote(token)+`, { url: new URL('ws', `+quote(page)+`).href.replace('http', 'ws') });
		const key = await session.negotiate();
		await session.close();
		return key;`)
	if r := s.record(id, k.Seckeyid); r.Fingerprint != k.Fingerprint || r.State != "active" {
		tb.t.Errorf("the page agreed on %+v, the centre has %+v", k, r)
	}
}

// TestConsoleApart: on a listener of its own the page is there alone, and
// connects to where it came from.
func TestConsoleApart(t *testing.T) {
	s := newSite(t, "--console-listen", "127.0.0.1:0")
	public := "http://" + s.address + "/"
	if public == s.console || s.console == "" {
		t.Fatalf("the console is at %q", s.console)
	}
	if got := status(t, public); got != http.StatusNotFound {
		t.Errorf("the public listener answers %d", got)
	}
	if got := status(t, public+built.page+"hufu.wasm"); got != http.StatusNotFound {
		t.Errorf("the public listener has assets: %d", got)
	}
	for _, path := range []string{"", "healthz"} {
		if got := status(t, s.console+path); got != http.StatusOK {
			t.Errorf("the console's listener answers %d for %q", got, path)
		}
	}
	id, token := s.enrol()
	newTab(t, s).agree(s, id, token, s.console)
}

func TestConsoleLeftOut(t *testing.T) {
	s := newSite(t, "--no-console")
	if got := status(t, "http://"+s.address+"/"); got != http.StatusNotFound || s.console != "" {
		t.Errorf("it answers %d, and says %q", got, s.console)
	}
	cmd := exec.Command(filepath.Join(built.dir, "hufu-server"), "serve", "--no-console", "--console-listen", "127.0.0.1:0")
	cmd.Env = s.env()
	out, _ := cmd.CombinedOutput() // its exit code is checked
	if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "console-listen") {
		t.Errorf("both: exit code %d, %s", cmd.ProcessState.ExitCode(), out)
	}
}

// TestBasePath: the page works wherever it is put, by the server itself or by a
// proxy that knows it under another path.
func TestBasePath(t *testing.T) {
	s := newSite(t, "--base-path", "/keys/hufu")
	id, token := s.enrol()
	if !strings.HasSuffix(s.console, "/keys/hufu/") {
		t.Fatalf("the console is at %q", s.console)
	}
	if got := status(t, strings.TrimSuffix(s.console, "/")); got != http.StatusPermanentRedirect {
		t.Errorf("without its slash it answers %d", got)
	}
	newTab(t, s).agree(s, id, token, s.console)

	inner := must(url.Parse(s.console))(t)
	proxy := httptest.NewServer(http.StripPrefix("/outside", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(inner)
		r.Out.Host = r.In.Host
	}}))
	defer proxy.Close()
	outside := proxy.URL + "/outside/"
	tb := openTab(t, outside+built.page+"wasm_exec.js", "favicon.ico")
	tb.run(prelude)
	tb.run("await load(" + quote(outside+built.page) + ")")
	tb.agree(s, id, token, outside)
}

// TestOtherOrigin: a page that came from elsewhere gets no connection.
func TestOtherOrigin(t *testing.T) {
	s := newSite(t)
	_, token := s.enrol()
	inner := must(url.Parse(s.console))(t)
	elsewhere := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(inner) }})
	defer elsewhere.Close()
	tb := openTab(t, elsewhere.URL+"/"+built.page+"wasm_exec.js", "favicon.ico", "WebSocket connection to", "403")
	tb.run(prelude)
	tb.run("await load(" + quote(elsewhere.URL+"/"+built.page) + "); globalThis.a = await openSession(" + quote(token) + "); " +
		"await until('a failure', () => a.told.status.some((s) => s.state === 'waiting'))")
	if code := eval[string](tb, "return a.told.status.find((s) => s.state === 'waiting').code"); code != "network" {
		t.Errorf("the code is %q", code)
	}
	eventually(t, "the server says that it has refused", func() bool { return s.log.find(0, "upgrade refused") != "" })
	tb.run("await a.session.close()")
}

// TestPolicy: what the policy forbids, the browser refuses.
func TestPolicy(t *testing.T) {
	s := newSite(t)
	tb := newTab(t, s)
	tb.allow("Content Security Policy", "TrustedHTML", "TrustedScript", "Refused to", "violates the following", "ERR_BLOCKED")
	got := eval[map[string]string](tb, `
		const refused = {};
		addEventListener('securitypolicyviolation', (e) => { refused[e.effectiveDirective] = e.blockedURI; });
		const tries = [
			() => fetch('http://127.0.0.1:1/'),
			() => document.head.append(Object.assign(document.createElement('base'), { href: '/x/' })),
			() => { document.body.innerHTML = '<p>'; },
			() => document.body.append(Object.assign(document.createElement('img'), { src: 'http://127.0.0.1:1/x.png' })),
			() => document.body.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: 'http://127.0.0.1:1/x.css' })),
			() => document.body.append(Object.assign(document.createElement('iframe'), { src: '/' })),
		];
		for (const one of tries) await (async () => one())().catch(() => {});
		await until('all are refused', () => Object.keys(refused).length >= tries.length);
		return refused;`)
	for _, directive := range []string{"connect-src", "base-uri", "require-trusted-types-for", "img-src", "style-src-elem", "frame-src"} {
		if _, refused := got[directive]; !refused {
			t.Errorf("%s was not refused: %v", directive, got)
		}
	}
	if !eval[bool](tb, "return crossOriginIsolated") {
		t.Error("the page is not isolated")
	}
}

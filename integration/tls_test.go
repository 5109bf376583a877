package integration

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hufu/shared/wire"
)

// terminator ends TLS in front of a handler, and returns its port.
func terminator(t testing.TB, h http.Handler, config *tls.Config) (port string) {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of handshakes that are to fail
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	return portOf(t, server.Listener.Addr().String())
}

func portOf(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	return port
}

// passOn is the handler that passes everything on to the site's server.
func (s *site) passOn(t testing.TB) *httputil.ReverseProxy {
	t.Helper()
	target, err := url.Parse(s.url)
	must(t, err)
	p := httputil.NewSingleHostReverseProxy(target)
	p.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of connections that end
	return p
}

func answers(status int, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if len(header) == 2 {
			w.Header().Set(header[0], header[1])
		}
		w.WriteHeader(status)
	})
}

// TestTLS has hufu meet every kind of server, and say in both languages what
// is wrong.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", behind...)
	ca, stranger := newAuthority(t), newAuthority(t)
	good := ca.issue(nil)
	expired := ca.issue(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	other := ca.issue(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"other.test"}, nil })
	client, foreign := ca.issue(nil), stranger.issue(nil)

	pass := s.passOn(t)
	deaf := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Upgrade")
		pass.ServeHTTP(w, r)
	})
	with := func(c *certificate, more ...func(*tls.Config)) *tls.Config {
		config := &tls.Config{Certificates: []tls.Certificate{c.Certificate}}
		for _, f := range more {
			f(config)
		}
		return config
	}
	mutual := func(c *tls.Config) { c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool }
	atMost := func(version uint16) func(*tls.Config) {
		return func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, version }
	}
	trusts := []string{"--ca", ca.file}
	shows := func(c *certificate) []string { return append(trusts, "--tls-cert", c.cert, "--tls-key", c.key) }
	https := func(port string) string { return "https://localhost:" + port + "/hufu" }
	at := func(h http.Handler, config *tls.Config) string { return https(terminator(t, h, config)) }

	for _, c := range []struct {
		name, url string
		args      []string
		code      int
		en, zh    string // parts of what it says; empty: nothing is said
	}{
		{"an authority of one's own", at(pass, with(good)), trusts, 0, "", ""},
		{"TLS 1.2", at(pass, with(good, atMost(tls.VersionTLS12))), trusts, 0, "", ""},
		{"TLS 1.1", at(pass, with(good, atMost(tls.VersionTLS11))), trusts, 4, "broke TLS off", "中断了 TLS"},
		{"an unknown authority", at(pass, with(good)), nil, 4, "--ca FILE", "--ca 文件"},
		{"another authority", at(pass, with(good)), []string{"--ca", stranger.file}, 4, "--ca FILE", "--ca 文件"},
		{"an expired certificate", at(pass, with(expired)), trusts, 4, "not valid now", "当前无效"},
		{"another's certificate", at(pass, with(other)), trusts, 4, "for another name than the token's: x509: certificate is valid for other.test, not localhost", "名称与令牌中的地址不符"},
		{"a client certificate", at(pass, with(good, mutual)), shows(client), 0, "", ""},
		{"no client certificate", at(pass, with(good, mutual)), trusts, 4, "demands a client certificate: --tls-cert FILE and --tls-key FILE", "要求客户端证书"},
		{"no client certificate, TLS 1.2", at(pass, with(good, mutual, atMost(tls.VersionTLS12))), trusts, 4, "may demand a client certificate (--tls-cert, --tls-key)", "可能要求客户端证书"},
		{"a stranger's client certificate, TLS 1.2", at(pass, with(good, mutual, atMost(tls.VersionTLS12))), shows(foreign), 4, "does not accept this client's certificate", "不接受客户端证书"},
		{"no TLS", https(portOf(t, s.address)), trusts, 4, "does not speak TLS", "不使用 TLS"},
		{"TLS, but not in the token", "http://localhost:" + terminator(t, pass, with(good)) + "/hufu", nil, 4, "answered 400 Bad Request: it may want TLS", "可能需要 TLS"},
		{"a wrong path", strings.TrimSuffix(at(pass, with(good)), "/hufu") + "/tiger", trusts, 4, "answered 404 Not Found: there is no Hufu under that path", "--base-path"},
		{"no upgrade", at(deaf, with(good)), trusts, 4, "answered 426 Upgrade Required: a proxy on the way does not pass", "没有转发 Upgrade"},
		{"no server", at(answers(502), with(good)), trusts, 4, "answered 502 Bad Gateway: the proxy is there", "其后的服务器未运行"},
		{"a server that is too slow", at(answers(504), with(good)), trusts, 4, "answered 504 Gateway Timeout: the proxy is there", "其后的服务器未运行"},
		{"a busy server", at(answers(503), with(good)), trusts, 4, "answered 503 Service Unavailable: the server is busy", "服务器忙"},
		{"a redirect", at(answers(301, "Location", "https://elsewhere.test/\u202e"), with(good)), trusts, 4, `it points to "https://elsewhere.test/`, "客户端不跟随重定向"},
		{"a login", at(answers(401), with(good)), trusts, 4, "answered 401 Unauthorized: check the token's address", "请检查令牌中的地址"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := s.outlet(t, wire.RoleOutlet)
			o.keep(o.tokenAt(c.url))
			for lang, want := range map[string]string{"en": c.en, "zh": c.zh} {
				r := o.hufu(append([]string{"view", "--lang", lang}, c.args...)...)
				if r.code != c.code || !strings.Contains(r.err, want) || want == "" && r.err != "" {
					t.Errorf("hufu ends with %d, expected %d and %q: %s", r.code, c.code, want, r.err)
				}
				if strings.ContainsRune(r.err, '\u202e') {
					t.Errorf("what the server sent reaches the terminal: %q", r.err)
				}
			}
		})
	}
}

// TestTLSFiles gives hufu files that it cannot use, each of which it names,
// before it makes anything.
func TestTLSFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite")
	ca := newAuthority(t)
	a, b := ca.issue(nil), ca.issue(nil)
	open := ca.write("open.key", []byte("it does not matter"))
	must(t, os.Chmod(open, 0o640))
	empty := ca.write("empty.pem", nil)
	absent := filepath.Join(ca.dir, "absent.pem")
	o := s.enrolled(t)
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"no such authority", []string{"--ca", absent}, "--ca: open " + absent},
		{"an authority without a certificate", []string{"--ca", empty}, "--ca " + empty},
		{"a key alone", []string{"--tls-key", a.key}, "--tls-key needs --tls-cert"},
		{"a certificate alone", []string{"--tls-cert", a.cert}, "--tls-cert needs --tls-key"},
		{"no such certificate", []string{"--tls-cert", absent, "--tls-key", a.key}, "--tls-cert: open " + absent},
		{"no such key", []string{"--tls-cert", a.cert, "--tls-key", absent}, absent},
		{"a key that others can read", []string{"--tls-cert", a.cert, "--tls-key", open}, "--tls-key: " + open + " can be read by others (mode 0640); run: chmod 600 " + open},
		{"another's key", []string{"--tls-cert", a.cert, "--tls-key", b.key}, "--tls-cert " + a.cert + " with --tls-key " + b.key},
		{"an empty certificate", []string{"--tls-cert", empty, "--tls-key", a.key}, "--tls-cert " + empty},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, command := range []string{"view", "negotiate"} {
				if r := o.hufu(append([]string{command}, c.args...)...); r.code != 2 || !strings.Contains(r.err, c.want) {
					t.Errorf("hufu %s ends with %d: %s; expected was %q", command, r.code, r.err, c.want)
				}
			}
			if _, err := os.Stat(o.path()); err == nil {
				t.Error("a segment was made")
			}
		})
	}
}

// TestPlain: over a network without TLS, hufu warns once a command and goes
// on; 0.0.0.0 is this machine to the kernel, and not loopback to hufu.
func TestPlain(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite")
	o := s.enrolled(t)
	o.via("http://0.0.0.0:" + portOf(t, s.address))
	for lang, want := range map[string]string{"en": "hufu: warning: the way to 0.0.0.0 is not encrypted", "zh": "hufu: 警告：到 0.0.0.0 的连接未加密"} {
		for _, command := range []string{"negotiate", "verify", "view"} {
			if r := o.must(command, "--lang", lang); !strings.HasPrefix(r.err, want) || strings.Count(r.err, "\n") != 1 {
				t.Errorf("hufu %s says %q", command, r.err)
			}
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		o.via("http://" + host + ":" + portOf(t, s.address))
		if r := o.must("verify"); r.err != "" {
			t.Errorf("at %s, hufu says %q", host, r.err)
		}
	}
}

// tunnels is a proxy that knows CONNECT alone. Every name leads to one port.
type tunnels struct {
	t        testing.TB
	to       string
	password string // user:password; empty: it asks for none
	status   int    // it answers in place of a tunnel; 0: it makes one
	mu       sync.Mutex
	asked    []string
	wg       sync.WaitGroup
}

func (p *tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.wg.Add(1) // before the connection is taken over, for which its server does not wait
	defer p.wg.Done()
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.mu.Unlock()
	if p.password != "" && r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(p.password)) {
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	if p.status != 0 {
		w.WriteHeader(p.status)
		return
	}
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		p.t.Error(err)
		return
	}
	// Taken over before it is answered: the client speaks as soon as it is.
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.t.Error(err)
		return
	}
	fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n")
	p.wg.Go(func() { splice(server, client) })
	p.wg.Go(func() { splice(client, server) })
}

// splice copies until one side ends, and ends both.
func splice(to, from net.Conn) {
	io.Copy(to, from)
	to.Close()
	from.Close()
}

// take returns what was asked since it was last called.
func (p *tunnels) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// start starts the proxy and returns its address.
func (p *tunnels) start() (address string) {
	server := httptest.NewServer(p)
	p.t.Cleanup(func() {
		server.Close()
		p.wg.Wait()
	})
	return server.Listener.Addr().String()
}

// TestHTTPSProxy: hufu reaches a server whose name only the proxy of
// HTTPS_PROXY knows, and tells the proxy's failures from the server's.
func TestHTTPSProxy(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", behind...)
	ca := newAuthority(t)
	cert := ca.issue(func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = append(c.DNSNames, "hufu.test"), append(c.IPAddresses, net.IPv4zero)
	})
	port := terminator(t, s.passOn(t), &tls.Config{Certificates: []tls.Certificate{cert.Certificate}})
	free := &tunnels{t: t, to: "127.0.0.1:" + port}
	locked := &tunnels{t: t, to: "127.0.0.1:" + port, password: "someone:tallies"}
	closed := &tunnels{t: t, status: http.StatusForbidden}
	nowhere, zero, loopback := "https://hufu.test/hufu", "https://0.0.0.0:"+port+"/hufu", "https://localhost:"+port+"/hufu"
	freeAt, lockedAt, closedAt, dead := free.start(), locked.start(), closed.start(), freeAddress(t)
	one := []string{"CONNECT hufu.test:443"}

	for _, c := range []struct {
		name, url string
		env       []string
		proxy     *tunnels
		asked     []string
		code      int
		en, zh    string
	}{
		{"a proxy", nowhere, []string{"HTTPS_PROXY=http://" + freeAt}, free, one, 0, "", ""},
		{"its name in lower case", nowhere, []string{"https_proxy=" + freeAt}, free, one, 0, "", ""},
		{"another port", zero, []string{"HTTPS_PROXY=http://" + freeAt}, free, []string{"CONNECT 0.0.0.0:" + port}, 0, "", ""},
		{"a server that NO_PROXY excepts", zero, []string{"HTTPS_PROXY=http://" + freeAt, "NO_PROXY=0.0.0.0"}, free, nil, 0, "", ""},
		{"loopback", loopback, []string{"HTTPS_PROXY=http://" + freeAt}, free, nil, 0, "", ""},
		{"HTTP_PROXY, which is for http://", zero, []string{"HTTP_PROXY=http://" + freeAt}, free, nil, 0, "", ""},
		{"a password", nowhere, []string{"HTTPS_PROXY=http://someone:tallies@" + lockedAt}, locked, one, 0, "", ""},
		{"a wrong password", nowhere, []string{"HTTPS_PROXY=http://someone:tally@" + lockedAt}, locked, one, 4,
			"the proxy " + lockedAt + ", which HTTPS_PROXY names, did not open a way to the server: 407 Proxy Authentication Required", "拒绝连接服务器：407"},
		{"a refusal", nowhere, []string{"HTTPS_PROXY=http://" + closedAt}, closed, one, 4,
			"did not open a way to the server: 403 Forbidden", "拒绝连接服务器：403"},
		{"a dead proxy", nowhere, []string{"HTTPS_PROXY=http://" + dead}, free, nil, 4,
			"the proxy that HTTPS_PROXY names cannot be reached", "无法连接 HTTPS_PROXY 指定的代理"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := s.outlet(t, wire.RoleOutlet)
			o.keep(o.tokenAt(c.url))
			o.env = append(append(o.env, "HUFU_CA="+ca.file), c.env...)
			for lang, want := range map[string]string{"en": c.en, "zh": c.zh} {
				r := o.hufu("view", "--lang", lang)
				if r.code != c.code || !strings.Contains(r.err, want) || want == "" && r.err != "" {
					t.Errorf("hufu ends with %d, expected %d and %q: %s", r.code, c.code, want, r.err)
				}
				if strings.Contains(r.err, "tall") {
					t.Errorf("hufu tells the password: %s", r.err)
				}
				if asked := c.proxy.take(); !slices.Equal(asked, c.asked) {
					t.Errorf("the proxy was asked %q, expected %q", asked, c.asked)
				}
			}
		})
	}
}

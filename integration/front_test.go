package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"hufu/shared/client"
	"hufu/shared/kex"
	"hufu/shared/wire"
)

// front is a real proxy before a server: TLS ends there, and it runs with its
// file of deploy/ as that stands.
type front struct {
	*process
	t       testing.TB
	dir     string
	address string
	url     string // for tokens
	ca      *authority
	cert    *certificate
	args    []string
	command func(args ...string) *exec.Cmd // of the proxy's program
}

// frontNames are Debian's packages, and the programs in them.
var frontNames = []string{"nginx", "haproxy", "caddy"}

// behind are the server's flags when a front stands before it.
var behind = []string{"--base-path", "/hufu", "--trusted-proxy", "127.0.0.1/32"}

// extras are what a person may want besides the file of deploy/.
type extras struct {
	location string // nginx: settings for /hufu/
	clients  bool   // client certificates are demanded
}

// newFront starts a proxy in front of what listens on upstream.
func newFront(t testing.TB, name, upstream string, more extras) *front {
	t.Helper()
	path := program(t, name)
	f := &front{t: t, dir: t.TempDir(), address: freeAddress(t), ca: newAuthority(t)}
	f.cert = f.ca.issue(nil)
	_, port, err := net.SplitHostPort(f.address)
	must(t, err)
	f.url = "https://localhost:" + port + "/hufu"
	f.renew()
	prepare := map[string]func(upstream string, more extras) (args, env []string){"nginx": f.nginx, "haproxy": f.haproxy, "caddy": f.caddy}
	var env []string
	f.args, env = prepare[name](upstream, more)
	f.command = func(args ...string) *exec.Cmd {
		cmd := exec.Command(path, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // SIGKILL would leave workers behind
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + f.dir}, env...)
		return cmd
	}
	f.start()
	t.Cleanup(func() {
		f.stop()
		if t.Failed() {
			t.Logf("%s says:\n%s", f.name, strings.Join(f.log.since(0), "\n"))
		}
	})
	return f
}

// start starts the proxy, again at the address that it had.
func (f *front) start() {
	f.t.Helper()
	f.process = start(f.t, f.command(f.args...))
	eventually(f.t, f.name+" listens", func() bool {
		select {
		case <-f.done:
			f.t.Fatalf("%s ended: %s", f.name, strings.Join(f.log.since(0), "\n"))
		default:
		}
		c, err := net.Dial("tcp", f.address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// reload has the proxy read its files anew, as its service in Debian does.
func (f *front) reload() {
	f.t.Helper()
	switch f.name {
	case "nginx":
		must(f.t, f.cmd.Process.Signal(syscall.SIGHUP))
	case "haproxy":
		// Over its socket: it may lose a signal while it is starting.
		eventually(f.t, "haproxy takes an order", func() bool {
			c, err := net.Dial("unix", f.socket())
			if err != nil {
				return false
			}
			defer c.Close()
			_, err = c.Write([]byte("reload\n"))
			io.Copy(io.Discard, c)
			return err == nil
		})
	case "caddy":
		cmd := f.command("reload", "--force", "--config", filepath.Join(f.dir, "Caddyfile"), "--adapter", "caddyfile")
		if out, err := cmd.CombinedOutput(); err != nil {
			f.t.Fatalf("caddy reload: %v: %s", err, out)
		}
	}
}

// stop ends it with all connections. HAProxy dies of the signal.
func (f *front) stop() {
	code := f.process.stop(f.t, syscall.SIGTERM)
	status, _ := f.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if code != 0 && status.Signal() != syscall.SIGTERM {
		f.t.Errorf("%s ended with %d: %s", f.name, code, strings.Join(f.log.since(0), "\n"))
	}
}

// nginxConf stands in for Debian's nginx.conf, which includes conf.d alike.
const nginxConf = `daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events {}
http {
	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	include conf.d/*.conf;
}
`

func (f *front) nginx(upstream string, more extras) (args, env []string) {
	f.write("nginx.conf", nginxConf)
	f.deploy("nginx.conf", "conf.d/hufu.conf")
	f.write("hufu/upstream.conf", "server "+upstream+";\n")
	site := "listen " + f.address + " ssl;\nserver_name localhost;\nssl_certificate hufu/site.crt;\nssl_certificate_key hufu/site.key;\n"
	if more.clients {
		site += "ssl_client_certificate " + f.ca.file + ";\nssl_verify_client on;\n"
	}
	f.write("hufu/site.conf", site)
	if more.location != "" {
		f.write("hufu/location-more.conf", more.location)
	}
	return []string{"-p", f.dir, "-c", filepath.Join(f.dir, "nginx.conf"), "-e", "stderr"}, nil
}

// renew puts the certificate where the proxy reads it; HAProxy wants one file.
func (f *front) renew() {
	f.t.Helper()
	for file, from := range map[string]string{"hufu/site.crt": f.cert.cert, "hufu/site.key": f.cert.key, "hufu/site.pem": f.cert.both} {
		text, err := os.ReadFile(from)
		must(f.t, err)
		f.write(file, string(text))
	}
}

func (f *front) haproxy(upstream string, more extras) (args, env []string) {
	f.deploy("haproxy.cfg", "haproxy.cfg")
	env = []string{"HUFU_BIND=" + f.address, "HUFU_CERT=" + filepath.Join(f.dir, "hufu/site.pem"), "HUFU_SERVER=" + upstream}
	if more.clients {
		env = append(env, "HUFU_BIND_OPTIONS=ca-file "+f.ca.file+" verify required")
	}
	return []string{"-W", "-db", "-S", f.socket(), "-f", filepath.Join(f.dir, "haproxy.cfg")}, env
}

// socket is where HAProxy and Caddy take orders.
func (f *front) socket() string { return filepath.Join(f.dir, "orders") }

func (f *front) caddy(upstream string, more extras) (args, env []string) {
	f.deploy("Caddyfile", "Caddyfile")
	clients := ""
	if more.clients {
		clients = "client_auth {\nmode require_and_verify\ntrusted_ca_cert_file " + f.ca.file + "\n}\n"
	}
	f.write("hufu/tls.caddy", fmt.Sprintf("tls %[1]s/hufu/site.crt %[1]s/hufu/site.key {\n%[2]s}\n", f.dir, clients))
	site := strings.TrimSuffix(strings.TrimPrefix(f.url, "https://"), "/hufu")
	return []string{"run", "--config", filepath.Join(f.dir, "Caddyfile"), "--adapter", "caddyfile"},
		[]string{"HUFU_SITE=" + site, "HUFU_SERVER=" + upstream, "HUFU_CADDY_ADMIN=unix/" + f.socket(),
			"XDG_CONFIG_HOME=" + f.dir, "XDG_DATA_HOME=" + f.dir}
}

// deploy copies a file of deploy/ to where its head says that it goes.
func (f *front) deploy(name, to string) {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", name))
	must(f.t, err)
	f.write(to, string(text))
}

func (f *front) write(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	must(f.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(f.t, os.WriteFile(path, []byte(text), 0o644))
}

// program finds one of Debian's, which may stand where only root looks.
func program(t testing.TB, name string) string {
	t.Helper()
	for _, path := range []string{name, filepath.Join("/usr/sbin", name)} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("this test needs %s: on Debian, apt-get install %s", name, name)
	return ""
}

// from is an HTTP client at an address of its own, 127.0.0.x, to which every
// name is this machine's.
func (f *front) from(t testing.TB, ip string) *http.Client {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return d.DialContext(ctx, "tcp4", "127.0.0.1:"+port)
		},
		TLSClientConfig:       &tls.Config{RootCAs: f.ca.pool},
		ResponseHeaderTimeout: patience,
		DisableKeepAlives:     true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// tokenAt is the outlet's token, for the server at another address.
func (o *outlet) tokenAt(url string) *wire.Token {
	moved := *o.token
	moved.URL = url
	return &moved
}

// longTerm derives the outlet's keys.
func (o *outlet) longTerm() *kex.LongTerm {
	return kex.Derive(&o.token.Secret, kex.Identity{ClientID: o.token.ClientID, ServerID: o.token.ServerID, Epoch: o.token.Epoch})
}

// open opens a session with the outlet's token at an address.
func (o *outlet) open(t testing.TB, url string, d client.DialOptions) *client.Session {
	t.Helper()
	transport, err := client.DialWith(d)(t.Context(), o.tokenAt(url).Dial())
	must(t, err)
	keys := o.longTerm()
	defer keys.Zero()
	s, err := client.Open(t.Context(), transport, keys, client.Options{})
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

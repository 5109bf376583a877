package integration

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// resident is an outlet that stays connected, and connects anew when it must.
// It keeps its keys in memory.
type resident struct {
	*outlet
	holder *client.MemoryHolder
	keeper *client.Keeper
	ready  chan *client.Session // that have opened, and whose keys are verified
	ended  chan error           // why a connection ended or none came
}

// stay connects the outlet to an address until the test ends.
func (o *outlet) stay(t *testing.T, url string, h *http.Client) *resident {
	t.Helper()
	clock := client.ElapsedClock()
	r := &resident{outlet: o, holder: client.NewMemoryHolder(clock), ready: make(chan *client.Session, 1000), ended: make(chan error, 1000)}
	r.keeper = client.NewKeeper(r.holder, client.KeeperOptions{Clock: clock})
	keys := o.longTerm()
	c := client.Client{
		Addresses: []string{o.tokenAt(url).Dial()}, Keys: keys, Dial: client.DialWith(client.DialOptions{HTTP: h}),
		Options: r.keeper.Attach(client.Options{Jitter: func() float64 { return 0.02 }}), // it waits no longer than it must
		Ready:   r.begin,
		Report: func(s client.Status) {
			if s.Err != nil {
				r.ended <- s.Err
			}
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- c.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-stopped
		r.keeper.Close()
		keys.Zero()
	})
	return r
}

// begin is what every connection begins with.
func (r *resident) begin(ctx context.Context, s *client.Session) error {
	needed, err := r.keeper.Reverify(ctx, s)
	if err == nil && needed {
		_, err = r.keeper.Negotiate(ctx, s)
	}
	if err == nil {
		r.ready <- s
	}
	return err
}

// session is the next connection that opens.
func (r *resident) session(t *testing.T) *client.Session {
	t.Helper()
	select {
	case s := <-r.ready:
		return s
	case <-time.After(patience):
		t.Fatalf("the client does not connect; it met %s", r.met())
		return nil
	}
}

// met is what the client has met with since it was last asked.
func (r *resident) met() string {
	var all []string
	for {
		select {
		case err := <-r.ended:
			all = append(all, err.Error())
		default:
			return strings.Join(all, "; ")
		}
	}
}

// key names the current key by number and fingerprint.
func (r *resident) key(t *testing.T) string {
	t.Helper()
	n, held, err := r.holder.Current()
	must(t, err)
	defer held.Zero()
	return fmt.Sprint(n, " ", held.Key.Fingerprint())
}

// verifies checks that a session works and the outlet's one key is the same at
// both ends.
func (r *resident) verifies(t *testing.T, s *client.Session, key string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if state, err := r.keeper.Verify(ctx, s, 1); err != nil || state != wire.StateActive {
		t.Errorf("key 1 is verified as %s, %v", state, err)
	}
	if got := r.key(t); got != key {
		t.Errorf("the key is %s, and was %s", got, key)
	}
	if got := r.history(); got != "1 active" {
		t.Errorf("the centre has recorded %q", got)
	}
}

// TestFrontIdle: what keeps a silent session's way through nginx open is the
// server's WebSocket ping every 30 s; a request comes every 300 s here.
func TestFrontIdle(t *testing.T) {
	t.Parallel()
	const timeout, silence = 50 * time.Second, 57 * time.Second
	s := newSite(t, "sqlite", append([]string{"--idle", "900s"}, behind...)...)
	f := newFront(t, "nginx", s.address, patient(timeout))
	r := s.outlet(t, wire.RoleOutlet).stay(t, f.url, f.from(t, "127.0.0.2"))
	session := r.session(t)
	key := r.key(t)
	select {
	case <-session.Done():
		t.Fatalf("after %s the session ended: %v", time.Since(session.Opened()), session.Err())
	case <-time.After(silence):
	}
	r.verifies(t, session, key)
	if met := r.met(); met != "" {
		t.Errorf("the client met %s", met)
	}
}

// patient has nginx wait for so long.
func patient(timeout time.Duration) extras {
	return extras{location: fmt.Sprintf("proxy_read_timeout %ds;\n", int(timeout.Seconds()))}
}

// TestFrontImpatient: a proxy whose timeout is too short for the pings breaks
// sessions off, both ends notice, and the client goes on with the same key.
func TestFrontImpatient(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", behind...)
	f := newFront(t, "nginx", s.address, patient(8*time.Second))
	mark := s.server.log.mark()
	r := s.outlet(t, wire.RoleOutlet).stay(t, f.url, f.from(t, "127.0.0.2"))
	session := r.session(t)
	key := r.key(t)
	for range 2 {
		select {
		case <-session.Done():
		case <-time.After(patience):
			t.Fatal("the proxy does not break off")
		}
		session = r.session(t) // every connection begins with a verify
		if got := r.key(t); got != key {
			t.Errorf("the key is %s, and was %s", got, key)
		}
	}
	if got := r.history(); got != "1 active" {
		t.Errorf("the centre has recorded %q", got)
	}
	eventually(t, "the server sees both ends", func() bool {
		ends := 0
		for _, line := range s.server.log.since(mark) {
			if strings.Contains(line, "connection lost") || strings.Contains(line, "closed") {
				ends++
			}
		}
		return ends >= 2
	})
}

// TestFrontReload: every proxy takes a new certificate while it runs. A session
// does not notice, but with Caddy, which sends the client away and sees it back
// at once.
func TestFrontReload(t *testing.T) {
	for _, name := range frontNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "sqlite", behind...)
			f := newFront(t, name, s.address, extras{})
			r := s.outlet(t, wire.RoleOutlet).stay(t, f.url, f.from(t, "127.0.0.2"))
			session := r.session(t)
			key := r.key(t)

			f.cert = f.ca.issue(nil)
			f.renew()
			f.reload()
			eventually(t, "the new certificate is shown", func() bool {
				c, err := tls.Dial("tcp", f.address, &tls.Config{RootCAs: f.ca.pool, ServerName: "localhost"})
				if err != nil {
					return false // Caddy drops connections that are just being made
				}
				defer c.Close()
				return c.ConnectionState().PeerCertificates[0].SerialNumber.Cmp(f.cert.Leaf.SerialNumber) == 0
			})
			if name == "caddy" {
				<-session.Done()
				if closed := new(client.CloseError); !errors.As(session.Err(), &closed) || closed.Code != 1001 {
					t.Errorf("the reload ended the session with %v", session.Err())
				}
				session = r.session(t)
				r.met()
			}
			r.verifies(t, session, key)
			o := s.enrolled(t)
			o.via(f.url)
			o.must("--ca", f.ca.file, "view")
			if met := r.met(); met != "" {
				t.Errorf("the client met %s", met)
			}
		})
	}
}

// TestFrontRestarts: the server behind nginx restarts, then nginx itself; each
// time the client comes back, and its key is verified again, the same one.
func TestFrontRestarts(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", behind...)
	f := newFront(t, "nginx", s.address, extras{})
	o := s.outlet(t, wire.RoleOutlet)
	o.keep(o.tokenAt(f.url))
	r := o.stay(t, f.url, f.from(t, "127.0.0.2"))
	session := r.session(t)
	key := r.key(t)

	s.stop(t, syscall.SIGTERM)
	<-session.Done()
	if closed := new(client.CloseError); !errors.As(session.Err(), &closed) || closed.Code != 1012 {
		t.Errorf("the server's stop ended the session with %v", session.Err())
	}
	if h := o.hufu("--ca", f.ca.file, "view"); h.code != 4 || !strings.Contains(h.err, "502 Bad Gateway: the proxy is there, the server behind it is not") {
		t.Errorf("without a server, hufu ends with %d: %s", h.code, h.err)
	}
	s.start()
	session = r.session(t)
	r.verifies(t, session, key)

	s.server.stop(t, syscall.SIGKILL)
	<-session.Done()
	s.start()
	session = r.session(t)
	r.verifies(t, session, key)

	f.stop()
	<-session.Done()
	if h := o.hufu("--ca", f.ca.file, "view"); h.code != 4 || !strings.Contains(h.err, "connection refused") {
		t.Errorf("without nginx, hufu ends with %d: %s", h.code, h.err)
	}
	f.start()
	r.verifies(t, r.session(t), key)
	if met := r.met(); !strings.Contains(met, "code 1012") || !strings.Contains(met, "code 1006") {
		t.Errorf("the client met only %s", met)
	}
}

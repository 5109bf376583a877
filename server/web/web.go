// Package web is the HTTP side of the server: the upgrade to WebSocket, health,
// and the console. It decides nothing about keys.
package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/labstack/echo/v4"

	"hufu/server/keyservice"
	"hufu/server/session"
	"hufu/shared/wire"
)

// Config is what the HTTP side needs to know.
type Config struct {
	BasePath string       // such as /hufu; empty: the root
	Trusted  []*net.IPNet // proxies whose X-Forwarded-For is believed; nil: none
	Console  *Console     // nil: none here
	Log      *slog.Logger
}

// handlers are thin: they translate between HTTP and the rules.
type handlers struct {
	service  *keyservice.Service
	sessions *session.Server
	trusted  []*net.IPNet
	log      *slog.Logger

	readiness readiness
}

// New returns the server's routes.
func New(cfg Config, service *keyservice.Service, sessions *session.Server) http.Handler {
	h := &handlers{service: service, sessions: sessions, trusted: cfg.Trusted, log: cfg.Log}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = clientAddress(cfg.Trusted)
	e.HTTPErrorHandler = h.failed

	basePath := strings.TrimSuffix(cfg.BasePath, "/")
	base := e.Group(basePath)
	base.GET(wire.Path, h.upgrade)
	base.GET("/healthz", h.healthz)
	base.GET("/readyz", h.readyz)
	if cfg.Console != nil {
		cfg.Console.routes(base, basePath)
	}
	return e
}

// clientAddress believes X-Forwarded-For from trusted proxies alone. echo's
// default would believe it from anyone.
func clientAddress(trusted []*net.IPNet) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, n := range trusted {
		options = append(options, echo.TrustIPRange(n))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

// upgrade accepts a WebSocket and hands it to the sessions, which go on after
// this handler has returned.
func (h *handlers) upgrade(c echo.Context) error {
	if why := notOurs(c.Request()); why != "" {
		c.Response().Header().Set("Connection", "Upgrade")
		c.Response().Header().Set("Upgrade", "websocket")
		return c.String(http.StatusUpgradeRequired, why+"\n")
	}
	address := c.RealIP()
	release, ok := h.sessions.Admit(address, h.isTrusted(address))
	if !ok {
		return c.String(http.StatusServiceUnavailable, "too many connections are waiting to open; try later\n")
	}
	w := &taken{ResponseWriter: c.Response()}
	conn, err := websocket.Accept(w, c.Request(), &websocket.AcceptOptions{
		Subprotocols:    []string{wire.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		release()
		h.log.Warn("upgrade refused", "peer", address, "error", err)
		return nil // Accept has answered
	}
	h.sessions.Serve(conn, w.socket, address, release)
	return nil
}

// taken remembers the socket that a WebSocket takes over.
type taken struct {
	http.ResponseWriter
	socket net.Conn
}

// buffered is as much as one request or one reply has, but for pages of the
// history. What net/http gives has twice that, for as long as a session lasts.
const buffered = wire.MaxRequest

// Hijack implements http.Hijacker.
func (t *taken) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	t.socket, rw, err = http.NewResponseController(t.ResponseWriter).Hijack()
	if err == nil && rw.Reader.Buffered() == 0 {
		rw = bufio.NewReadWriter(bufio.NewReaderSize(t.socket, buffered), bufio.NewWriterSize(t.socket, buffered))
	}
	return t.socket, rw, err
}

// isTrusted reports whether an address is that of a trusted proxy, which
// happens only if the proxy does not say for whom it comes.
func (h *handlers) isTrusted(address string) bool {
	ip := net.ParseIP(address)
	return slices.ContainsFunc(h.trusted, func(n *net.IPNet) bool { return n.Contains(ip) })
}

// notOurs says in one line why a request cannot become a session; empty: it can.
func notOurs(r *http.Request) string {
	if !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket") {
		return "this address speaks WebSocket: the request has no upgrade; if a proxy is in front, let it pass Upgrade and Connection on"
	}
	if !hasToken(r.Header, "Sec-WebSocket-Protocol", wire.Subprotocol) {
		return "this address speaks the WebSocket subprotocol " + wire.Subprotocol + ", which the request does not offer"
	}
	return ""
}

func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for _, part := range strings.Split(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// healthz answers while the process lives.
func (h *handlers) healthz(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

const readyWithin = 3 * time.Second

// readyz writes to the store for real.
func (h *handlers) readyz(c echo.Context) error {
	if err := h.readiness.ask(c.Request().Context(), h.service.Ready); err != nil {
		h.log.Warn("not ready", "error", err)
		return c.String(http.StatusServiceUnavailable, "the store cannot be written\n")
	}
	return c.String(http.StatusOK, "ok\n")
}

// readiness asks the store once a second at most: whoever may ask us as often
// as he likes must not make it write as often.
type readiness struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

const readyFor = time.Second

// ask answers what the store has answered lately. The caller may go away; the
// answer is everybody's.
func (r *readiness) ask(ctx context.Context, ready func(context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < readyFor {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyWithin)
	defer cancel()
	r.err = ready(ctx)
	r.at = time.Now()
	return r.err
}

// failed answers errors of echo itself, such as 404, without detail.
func (h *handlers) failed(err error, c echo.Context) {
	status := http.StatusInternalServerError
	var he *echo.HTTPError
	if errors.As(err, &he) {
		status = he.Code
	} else {
		h.log.Error("request failed", "path", c.Path(), "error", err)
	}
	if c.Response().Committed {
		return
	}
	if err := c.String(status, fmt.Sprintln(http.StatusText(status))); err != nil {
		h.log.Debug("answer not sent", "error", err)
	}
}

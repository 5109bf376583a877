//go:build !js

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"hufu/shared/wire"
)

// DialOptions says how to reach a server natively.
type DialOptions struct {
	HTTP   *http.Client // nil: http.DefaultClient. TLS and proxy settings are its transport's
	Header http.Header  // of the handshake, such as Origin
}

// Dial opens a WebSocket with the default options.
func Dial(ctx context.Context, url string) (Transport, error) {
	return DialWith(DialOptions{})(ctx, url)
}

// DialWith returns a Dialer with these options.
func DialWith(o DialOptions) Dialer {
	return func(ctx context.Context, url string) (Transport, error) { return dial(ctx, url, o) }
}

func dial(ctx context.Context, url string, o DialOptions) (Transport, error) {
	tap := &bodyTap{}
	client := http.Client{}
	if o.HTTP != nil {
		client = *o.HTTP
	}
	if tap.next = client.Transport; tap.next == nil {
		tap.next = http.DefaultTransport
	}
	client.Transport = tap
	// As in a browser: whoever answers instead of the server sends nobody elsewhere.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	conn, response, err := websocket.Dial(ctx, url, &websocket.DialOptions{
		HTTPClient: &client, HTTPHeader: o.Header, Subprotocols: []string{wire.Subprotocol},
	})
	switch {
	case err != nil && response != nil && response.StatusCode != http.StatusSwitchingProtocols:
		return nil, &AnswerError{Status: response.StatusCode, Location: response.Header.Get("Location")}
	case err != nil && response != nil:
		return nil, fmt.Errorf("%w: %w", errSubprotocol, err)
	case err != nil:
		return nil, fmt.Errorf("client: dial: %w", err)
	case conn.Subprotocol() != wire.Subprotocol:
		s := &socket{conn: conn, raw: tap.body}
		s.Close()
		return nil, errSubprotocol
	}
	conn.SetReadLimit(wire.MaxServerFrame)
	return &socket{conn: conn, raw: tap.body}, nil
}

// AnswerError says that an HTTP answer came in place of a WebSocket. Anyone on
// the way can forge it.
type AnswerError struct {
	Status   int
	Location string // where it points to, with a redirect; nobody has gone there
}

func (e *AnswerError) Error() string {
	return fmt.Sprintf("client: the address did not become a WebSocket but answered %d %s; check it, and the proxy",
		e.Status, http.StatusText(e.Status))
}

// bodyTap keeps the upgraded connection's body, the one handle by which a
// close can be cut short.
type bodyTap struct {
	next http.RoundTripper
	body io.Closer
}

func (t *bodyTap) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.next.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusSwitchingProtocols {
		t.body = response.Body
	}
	return response, err
}

type socket struct {
	conn *websocket.Conn
	raw  io.Closer
}

func (s *socket) Read(ctx context.Context) ([]byte, error) {
	kind, message, err := s.conn.Read(ctx)
	var closed websocket.CloseError
	switch {
	case err == nil && kind != websocket.MessageBinary:
		return nil, errText
	case err == nil:
		return message, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &closed):
		return nil, &CloseError{Code: int(closed.Code), Reason: closed.Reason}
	case errors.Is(err, websocket.ErrMessageTooBig):
		return nil, errTooLong
	}
	return nil, fmt.Errorf("%w: %w", &CloseError{Code: codeAbnormal}, err)
}

func (s *socket) Write(ctx context.Context, message []byte) error {
	if err := s.conn.Write(ctx, websocket.MessageBinary, message); err != nil {
		return fmt.Errorf("client: write: %w", err)
	}
	return nil
}

func (s *socket) Close() error {
	defer time.AfterFunc(closeWait, func() { s.raw.Close() }).Stop()
	s.conn.Close(codeNormal, "")
	return nil
}

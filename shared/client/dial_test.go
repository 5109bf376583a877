//go:build !js

package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/shared/wire"
)

// serveSocket is a real WebSocket server on the loop-back.
func serveSocket(t *testing.T, subprotocols []string, handle func(ctx context.Context, c *websocket.Conn)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != wire.Path {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: subprotocols})
		if err != nil {
			return
		}
		defer c.CloseNow()
		handle(r.Context(), c)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return "ws" + strings.TrimPrefix(server.URL, "http") + wire.Path
}

func mustDial(t *testing.T, url string) Transport {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	tr, err := Dial(ctx, url)
	cancel() // the connection outlives the context of its making
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

// TestDial runs a whole session with a key over the loop-back.
func TestDial(t *testing.T) {
	url := serveSocket(t, []string{wire.Subprotocol}, func(ctx context.Context, c *websocket.Conn) { bridge(t, ctx, c) })
	closesSoon(t, 20, func() Transport { return mustDial(t, url) })
}

func TestDialFails(t *testing.T) {
	ended := func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) }
	good := serveSocket(t, []string{wire.Subprotocol}, ended)
	for _, c := range []struct {
		name, url, text string
	}{
		{"no subprotocol", serveSocket(t, nil, ended), errSubprotocol.Error()},
		{"another path", strings.TrimSuffix(good, wire.Path) + "/other", "answered 404 Not Found"},
		{"nobody there", "ws://127.0.0.1:1/ws", "connection refused"},
		{"no address", "ws://", "client: dial: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			const limit = 2 * time.Second
			took := quickest(limit, func() time.Duration {
				begin := time.Now()
				_, err := Dial(t.Context(), c.url)
				if err == nil || !strings.Contains(err.Error(), c.text) || !strings.HasPrefix(err.Error(), "client: ") {
					t.Errorf("got %v", err)
				}
				return time.Since(begin)
			})
			if took > limit {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestDialFollowsNobody: a redirect is no answer of a server.
func TestDialFollowsNobody(t *testing.T) {
	good := serveSocket(t, []string{wire.Subprotocol}, func(ctx context.Context, c *websocket.Conn) { c.Read(ctx) })
	server := httptest.NewServer(http.RedirectHandler("http"+strings.TrimPrefix(good, "ws"), http.StatusFound))
	defer server.Close()
	_, err := Dial(t.Context(), "ws"+strings.TrimPrefix(server.URL, "http"))
	if err == nil || !strings.Contains(err.Error(), "302 Found") {
		t.Errorf("got %v", err)
	}
}

func TestDialHeader(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	DialWith(DialOptions{HTTP: server.Client(), Header: http.Header{"Origin": {"https://centre.example"}}})(t.Context(), server.URL)
	if got.Get("Origin") != "https://centre.example" || got.Get("Sec-WebSocket-Protocol") != wire.Subprotocol ||
		got.Get("Sec-WebSocket-Extensions") != "" {
		t.Errorf("sent %v", got)
	}
}

// TestTransportErrors has the ends of a WebSocket; what came before is read first.
func TestTransportErrors(t *testing.T) {
	for _, c := range []struct {
		scene string
		reads int
		want  error
	}{
		{"text", 0, errText},
		{"longest", 1, &CloseError{Code: 1001}},
		{"toolong", 0, errTooLong},
		{"closed", 3, &CloseError{Code: 4001, Reason: "a newer connection"}},
		{"torn", 0, &CloseError{Code: 1006}},
	} {
		t.Run(c.scene, func(t *testing.T) {
			tr := mustDial(t, serveSocket(t, []string{wire.Subprotocol}, func(ctx context.Context, conn *websocket.Conn) {
				scenes[c.scene](t, ctx, conn)
			}))
			for range c.reads {
				if _, err := tr.Read(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			_, err := tr.Read(t.Context())
			var want, got *CloseError
			if errors.As(c.want, &want) {
				if !errors.As(err, &got) || *got != *want {
					t.Errorf("got %v, want %v", err, want)
				}
			} else {
				wantErr(t, err, c.want)
			}
		})
	}
}

// TestCloseIsBounded: a server that does not answer the close frame, or sends
// without end, holds nobody up.
func TestCloseIsBounded(t *testing.T) {
	for name, handle := range map[string]func(ctx context.Context, c *websocket.Conn){
		"silent": func(context.Context, *websocket.Conn) { <-t.Context().Done() },
		"talkative": func(ctx context.Context, c *websocket.Conn) {
			for c.Write(ctx, websocket.MessageBinary, make([]byte, 1000)) == nil {
			}
		},
	} {
		for _, reading := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				url := serveSocket(t, []string{wire.Subprotocol}, handle)
				const limit = closeWait + 500*time.Millisecond
				took := quickest(limit, func() time.Duration {
					tr := mustDial(t, url)
					read := make(chan struct{})
					go func() {
						defer close(read)
						for reading {
							if _, err := tr.Read(context.Background()); err != nil {
								return
							}
						}
					}()
					time.Sleep(50 * time.Millisecond)
					begin := time.Now()
					tr.Close()
					tr.Close()
					<-read
					return time.Since(begin)
				})
				if took > limit {
					t.Errorf("closing took %v", took)
				}
			})
		}
	}
}

package integration

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"hufu/shared/wire"
)

// message is one WebSocket message on its way.
type message struct {
	kind websocket.MessageType
	data []byte
}

// hangUp, in place of a message, has the proxy drop both connections.
var hangUp = message{}

// tamper is what the one in the middle does to the messages of one direction:
// it is given the n-th, from 0, and returns what goes on in its place. One
// goroutine calls it.
type tamper func(n int, m message) []message

func untouched(_ int, m message) []message { return []message{m} }

// only tampers with the n-th message.
func only(n int, f func(m message) []message) tamper {
	return func(i int, m message) []message {
		if i == n {
			return f(m)
		}
		return []message{m}
	}
}

// middle puts a man in the middle in front of the site's server, and returns
// his address.
func (s *site) middle(t testing.TB, up, down tamper) (url string) {
	t.Helper()
	p := &proxy{t: t, target: "ws" + strings.TrimPrefix(s.url, "http"), up: up, down: down}
	server := httptest.NewServer(p)
	t.Cleanup(func() {
		server.Close()
		p.wg.Wait()
	})
	return server.URL
}

type proxy struct {
	t        testing.TB
	target   string
	up, down tamper
	wg       sync.WaitGroup
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.wg.Add(1)
	defer p.wg.Done()
	ctx := context.WithoutCancel(r.Context())
	server, _, err := websocket.Dial(ctx, p.target+r.URL.Path, &websocket.DialOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		p.t.Errorf("the proxy: %v", err)
		return
	}
	client, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		server.CloseNow()
		p.t.Errorf("the proxy: %v", err)
		return
	}
	client.SetReadLimit(-1)
	server.SetReadLimit(-1)
	p.wg.Go(func() { relay(ctx, client, server, p.up) })
	relay(ctx, server, client, p.down)
}

// relay passes messages on until one side closes, and passes that on too.
func relay(ctx context.Context, from, to *websocket.Conn, f tamper) {
	for n := 0; ; n++ {
		kind, data, err := from.Read(ctx)
		if err != nil {
			closeLike(to, err)
			return
		}
		for _, m := range f(n, message{kind, data}) {
			if m.kind == hangUp.kind {
				from.CloseNow()
				to.CloseNow()
				return
			}
			if to.Write(ctx, m.kind, m.data) != nil {
				break // the other relay finds why
			}
		}
	}
}

func closeLike(to *websocket.Conn, err error) {
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		to.Close(closed.Code, closed.Reason)
		return
	}
	to.CloseNow()
}

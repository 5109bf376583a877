//go:build !js

package client

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/shared/wire"
)

// scenes is what a server may do, by the last element of the address.
var scenes = map[string]func(t *testing.T, ctx context.Context, c *websocket.Conn){
	"session": bridge,
	"mute":    func(_ *testing.T, ctx context.Context, c *websocket.Conn) { c.Read(ctx) },
	"text": func(_ *testing.T, ctx context.Context, c *websocket.Conn) {
		c.Write(ctx, websocket.MessageText, []byte("hello"))
		c.Read(ctx)
	},
	"longest": func(_ *testing.T, ctx context.Context, c *websocket.Conn) {
		c.Write(ctx, websocket.MessageBinary, make([]byte, wire.MaxServerFrame))
		c.Close(1001, "")
	},
	"toolong": func(_ *testing.T, ctx context.Context, c *websocket.Conn) {
		c.Write(ctx, websocket.MessageBinary, make([]byte, wire.MaxServerFrame+1))
		c.Read(ctx)
	},
	"closed": func(_ *testing.T, ctx context.Context, c *websocket.Conn) {
		for range 3 {
			c.Write(ctx, websocket.MessageBinary, []byte{1})
		}
		c.Close(4001, "a newer connection")
	},
	"torn": func(_ *testing.T, _ context.Context, c *websocket.Conn) { c.CloseNow() },
}

// bridge lets an obliging peer speak over a real WebSocket.
func bridge(t *testing.T, ctx context.Context, c *websocket.Conn) {
	p := newPeer(t)
	go func() {
		for {
			_, frame, err := c.Read(ctx)
			if err != nil {
				p.link.Close()
				return
			}
			p.up <- frame
		}
	}()
	go obliging(p)
	for {
		select {
		case m := <-p.down:
			if c.Write(ctx, websocket.MessageBinary, m.([]byte)) != nil {
				return
			}
		case <-p.gone:
			return
		}
	}
}

// TestDialUnderNode runs TestBrowser in Node's WebSocket, against a real server.
func TestDialUnderNode(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds for js/wasm")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is missing; install the package nodejs")
	}
	const option = "NODE_OPTIONS=--experimental-websocket" // before Node 22
	probe := exec.Command(node, "-e", "new WebSocket('ws://127.0.0.1:1')")
	probe.Env = append(os.Environ(), option)
	if out, err := probe.CombinedOutput(); err != nil && strings.Contains(string(out), "ReferenceError") {
		t.Skip("this node has no WebSocket")
	}
	var open atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Add(-1)
		scene := r.URL.Path[1:]
		switch scene {
		case "noprotocol":
			if c, err := websocket.Accept(w, r, nil); err == nil {
				c.Read(r.Context())
				c.CloseNow()
			}
			return
		case "hanging":
			<-r.Context().Done()
			return
		}
		play := scenes[scene]
		if play == nil {
			http.NotFound(w, r)
			return
		}
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}, InsecureSkipVerify: true})
		if err == nil {
			play(t, r.Context(), c)
			c.CloseNow()
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	binary := filepath.Join(t.TempDir(), "client.wasm")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", binary, ".")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(ctx, filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec"),
		binary, "-test.run=^TestBrowser$", "-test.v", "-test.timeout=3m")
	run.Env = append(os.Environ(), option, "HUFU_TEST_SOCKET=ws"+strings.TrimPrefix(server.URL, "http"))
	out, err := run.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestBrowser") {
		t.Errorf("%v\n%s", err, out)
	}
	for end := time.Now().Add(30 * time.Second); open.Load() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d sockets are left open", open.Load())
		}
	}
}

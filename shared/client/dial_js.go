package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall/js"
	"time"

	"hufu/shared/wire"
)

// maxQueued bounds the bytes that came and were not yet read: a browser's
// WebSocket cannot be told to wait.
const maxQueued = 4 << 20

// Dial opens the browser's own WebSocket. The browser chooses proxy, TLS and
// Origin, and hides why a connection failed.
func Dial(ctx context.Context, url string) (_ Transport, err error) {
	s := &socket{wake: make(chan struct{}, 1), opened: make(chan struct{}),
		broken: make(chan struct{}), closed: make(chan struct{})}
	if err := s.connect(url); err != nil {
		return nil, err
	}
	select {
	case <-s.opened:
	case <-s.broken:
		err = errNoSocket
	case <-ctx.Done():
		err = fmt.Errorf("client: dial: %w", context.Cause(ctx))
	}
	select {
	case <-s.opened: // even if it has ended meanwhile: what came is to be read
		if s.ws.Get("protocol").String() == wire.Subprotocol {
			return s, nil
		}
		err = errSubprotocol
	default:
	}
	s.ws.Call("close")
	s.detach()
	return nil, err
}

type socket struct {
	ws     js.Value
	funcs  map[string]js.Func
	opened chan struct{}
	broken chan struct{} // it came to an end, or will not open
	closed chan struct{}
	wake   chan struct{}
	broke  sync.Once
	once   sync.Once

	mu     sync.Mutex
	queue  [][]byte
	queued int
	err    error // why no more comes, told once the queue is empty
}

func (s *socket) connect(url string) (err error) {
	defer func() {
		if thrown, ok := recover().(js.Error); ok {
			err = fmt.Errorf("client: dial: %w", thrown)
		}
	}()
	s.ws = js.Global().Get("WebSocket").New(url, wire.Subprotocol)
	s.ws.Set("binaryType", "arraybuffer")
	s.funcs = map[string]js.Func{}
	s.on("onopen", func(js.Value) { close(s.opened) })
	s.on("onmessage", func(e js.Value) { s.deliver(e.Get("data")) })
	s.on("onerror", func(js.Value) { s.broke.Do(func() { close(s.broken) }) })
	s.on("onclose", func(e js.Value) {
		s.fail(&CloseError{Code: e.Get("code").Int(), Reason: e.Get("reason").String()})
		s.broke.Do(func() { close(s.broken) })
		close(s.closed)
	})
	return nil
}

func (s *socket) on(event string, handle func(js.Value)) {
	f := js.FuncOf(func(_ js.Value, args []js.Value) any {
		handle(args[0])
		return nil
	})
	s.funcs[event] = f
	s.ws.Set(event, f)
}

// detach takes the handlers off before it releases them, so that no late event
// calls into a released one.
func (s *socket) detach() {
	for event, f := range s.funcs {
		s.ws.Set(event, js.Null())
		f.Release()
	}
	s.fail(ErrClosed)
}

// deliver queues a message. It runs on the event loop and must not wait.
func (s *socket) deliver(data js.Value) {
	if data.Type() == js.TypeString {
		s.fail(errText)
		return
	}
	n := data.Get("byteLength").Int()
	s.mu.Lock()
	full := s.queued+n > maxQueued
	s.mu.Unlock()
	if n > wire.MaxServerFrame || full {
		s.fail(errTooLong)
		return
	}
	message := make([]byte, n)
	js.CopyBytesToGo(message, js.Global().Get("Uint8Array").New(data))
	s.mu.Lock()
	if s.err == nil {
		s.queue, s.queued = append(s.queue, message), s.queued+n
	}
	s.mu.Unlock()
	s.signal()
}

func (s *socket) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.signal()
}

func (s *socket) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *socket) Read(ctx context.Context) ([]byte, error) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			message := s.queue[0]
			s.queue, s.queued = s.queue[1:], s.queued-len(message)
			s.mu.Unlock()
			return message, nil
		}
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

var errNoSocket = errors.New("client: dial: the browser could not open a WebSocket there; it does not tell why")

var errNotOpen = errors.New("client: write: the connection is not open")

func (s *socket) Write(_ context.Context, message []byte) error {
	if s.ws.Get("readyState").Int() != 1 {
		return errNotOpen
	}
	data := js.Global().Get("Uint8Array").New(len(message))
	js.CopyBytesToJS(data, message)
	s.ws.Call("send", data)
	return nil
}

func (s *socket) Close() error {
	s.once.Do(func() {
		s.ws.Call("close", codeNormal)
		select {
		case <-s.closed:
		case <-time.After(closeWait):
		}
		s.detach()
	})
	return nil
}

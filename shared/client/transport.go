package client

import (
	"context"
	"errors"
	"time"
)

// Transport carries binary messages, one per call. After an error of Read or
// Write, be it that their context ended, it is good for nothing but Close.
type Transport interface {
	// Read returns the next message. A text frame and a message above
	// wire.MaxServerFrame bytes are errors; the peer's close is a *CloseError,
	// told after all messages before it. One goroutine at a time.
	Read(ctx context.Context) ([]byte, error)
	// Write sends one message. One goroutine at a time.
	Write(ctx context.Context, message []byte) error
	// Close sends close code 1000, discards what still comes for up to a second,
	// and makes a Read and a Write in progress return. It may be called at any
	// time, and again.
	Close() error
}

// Dialer opens a Transport to a server's WebSocket address, ws(s)://….
type Dialer func(ctx context.Context, url string) (Transport, error)

// closeWait bounds the wait for the peer's close frame (§8).
const closeWait = time.Second

const (
	codeNormal   = 1000
	codeAway     = 1001
	codeAbnormal = 1006
	codeRestart  = 1012
)

var (
	errSubprotocol = errors.New("client: the address answers, but does not speak hufu1 there; check the path, and that the proxy passes Sec-WebSocket-Protocol on")
	errText        = errors.New("client: a text frame came where only binary ones are allowed")
	errTooLong     = errors.New("client: a message is longer than any may be")
)

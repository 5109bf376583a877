package main

import (
	"context"
	"slices"
	"sync"

	"hufu/shared/client"
)

// The directions and actions of tamper, in the order of hufu.d.ts.
const (
	up = iota
	down
)

const (
	flip = iota
	replay
	drop
	leave
)

var (
	directions = []string{"up", "down"}
	actions    = []string{"flip", "replay", "drop", "none"}
)

// proxy is an attacker on the way, who does one thing to the next message of a
// direction, whatever connection it is on.
type proxy struct {
	mu   sync.Mutex
	next [2]int
}

func newProxy() *proxy { return &proxy{next: [2]int{leave, leave}} }

func (p *proxy) set(direction, action int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[direction] = action
}

func (p *proxy) take(direction int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	action := p.next[direction]
	p.next[direction] = leave
	return action
}

func (p *proxy) wrap(t client.Transport) client.Transport { return &tampered{Transport: t, proxy: p} }

// tampered is a connection through the proxy.
type tampered struct {
	client.Transport
	proxy *proxy
	again []byte // the message that comes a second time
}

func (t *tampered) Read(ctx context.Context) ([]byte, error) {
	if message := t.again; message != nil {
		t.again = nil
		return message, nil
	}
	for {
		message, err := t.Transport.Read(ctx)
		if err != nil {
			return nil, err
		}
		switch t.proxy.take(down) {
		case flip:
			flipBit(message)
		case replay:
			t.again = slices.Clone(message)
		case drop:
			continue
		}
		return message, nil
	}
}

func (t *tampered) Write(ctx context.Context, message []byte) error {
	switch t.proxy.take(up) {
	case flip:
		message = slices.Clone(message)
		flipBit(message)
	case replay:
		if err := t.Transport.Write(ctx, message); err != nil {
			return err
		}
	case drop:
		return nil
	}
	return t.Transport.Write(ctx, message)
}

// flipBit changes one bit in the middle.
func flipBit(message []byte) {
	if len(message) > 0 {
		message[len(message)/2] ^= 1
	}
}

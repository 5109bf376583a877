//go:build hufutest

package main

import (
	"context"
	"crypto/rand"
	"io"
	"runtime"
	"slices"
	"sync"
	"syscall/js"
)

// extend gives tests what no page may have: the randomness that was drawn, the
// size of the runtime, and a failure inside of it.
func extend(hufu js.Value) {
	hufu.Set("draws", function(func(*arguments) job {
		return func(context.Context) (any, error) { return drawn.list(), nil }
	}))
	hufu.Set("size", function(func(*arguments) job {
		return func(context.Context) (any, error) {
			var m runtime.MemStats
			for range 3 { // finalizers free what they hold one collection later
				runtime.GC()
				runtime.Gosched()
			}
			runtime.ReadMemStats(&m)
			return record{{"goroutines", runtime.NumGoroutine()}, {"heap", m.HeapAlloc}, {"objects", m.HeapObjects}}, nil
		}
	}))
	hufu.Set("panic", function(func(*arguments) job {
		return func(context.Context) (any, error) { panic("as asked") }
	}))
}

var drawn recorder

func randomness() io.Reader { return &drawn }

// recorder keeps what was drawn, in order.
type recorder struct {
	mu  sync.Mutex
	all []any
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := rand.Read(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, slices.Clone(b[:n]))
	return n, err
}

func (r *recorder) list() []any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

package main

import (
	"context"
	"fmt"
	"sync"
	"syscall/js"
)

// toPage is the one way by which anything reaches the page.
var toPage = &queue{wake: make(chan struct{}, 1)}

// queue calls into the page one after the other, outside of every lock of the
// client, so that a callback may ask for anything.
type queue struct {
	mu      sync.Mutex
	waiting []func()
	wake    chan struct{}
}

func (q *queue) put(f func()) {
	q.mu.Lock()
	q.waiting = append(q.waiting, f)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue) run() {
	for range q.wake {
		for f := q.take(); f != nil; f = q.take() {
			if err := recovered(f); err != nil {
				js.Global().Get("console").Call("error", "hufu: "+err.Error())
			}
		}
	}
}

func (q *queue) take() func() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	f := q.waiting[0]
	q.waiting = q.waiting[1:]
	return f
}

// panicError is a panic that was stopped.
type panicError struct{ what any }

func (e *panicError) Error() string { return fmt.Sprint("failed inside: ", e.what) }

// recovered runs f and returns a panic of it as an error. What a page throws
// where Go asks it for something is one, too.
func recovered(f func()) (err error) {
	defer func() {
		if what := recover(); what != nil {
			err = &panicError{what}
		}
	}()
	f()
	return nil
}

// job is the second step of a call. What it returns goes to the page by toJS.
type job func(context.Context) (any, error)

// function makes a function of the page's. It lives as long as the page does:
// sessions have none of their own, so none is left when they are gone.
func function(prepare func(a *arguments) job) js.Func {
	return method(func(_ js.Value, a *arguments) (context.Context, job) { return context.Background(), prepare(a) })
}

// method is function with the object on which it is called.
func method(prepare func(this js.Value, a *arguments) (context.Context, job)) js.Func {
	return js.FuncOf(func(this js.Value, args []js.Value) any {
		p := newPromise()
		var run job
		var ctx context.Context
		a := &arguments{list: args}
		if err := recovered(func() { ctx, run = prepare(this, a) }); err != nil {
			a.fail(err)
		}
		if a.err != nil {
			p.settle(nil, a.err)
			return p.value
		}
		go func() {
			var result any
			var failed error
			if err := recovered(func() { result, failed = run(ctx) }); err != nil {
				failed = err
			}
			p.settle(result, failed)
		}()
		return p.value
	})
}

// promise is a Promise and the two ways to settle it.
type promise struct{ value, resolve, reject js.Value }

// handed is what the executor was called with last. JavaScript has one thread,
// and calls it before new Promise returns.
var handed [2]js.Value

var executor = js.FuncOf(func(_ js.Value, args []js.Value) any {
	handed = [2]js.Value{args[0], args[1]}
	return nil
})

func newPromise() *promise {
	value := js.Global().Get("Promise").New(executor)
	return &promise{value, handed[0], handed[1]}
}

func (p *promise) settle(result any, err error) {
	toPage.put(func() {
		var value js.Value
		if err == nil {
			err = recovered(func() { value = toJS(result) })
		}
		if err != nil {
			p.reject.Invoke(newError(err))
			return
		}
		p.resolve.Invoke(value)
	})
}

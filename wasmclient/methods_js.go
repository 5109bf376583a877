package main

import (
	"context"
	"errors"
	"sync"
	"syscall/js"

	"hufu/shared/client"
	"hufu/shared/wire"
)

// registry finds the session that belongs to an object of the page's. The
// objects share one prototype, so that a session brings no function of its own.
type registry struct {
	mu    sync.Mutex
	byID  map[int]*session
	last  int
	ids   js.Value // WeakMap from object to id
	proto js.Value
}

// sessions is made by main.
var sessions *registry

func newRegistry() *registry {
	r := &registry{byID: map[int]*session{}, ids: js.Global().Get("WeakMap").New(), proto: newObject()}
	for name, prepare := range methods {
		r.proto.Set(name, method(func(this js.Value, a *arguments) (context.Context, job) {
			return r.call(this, a, prepare)
		}))
	}
	r.proto.Set("close", method(func(this js.Value, a *arguments) (context.Context, job) {
		s, known := r.find(this)
		if !known {
			a.wrong("close is called on what is not a session")
		}
		return context.Background(), func(context.Context) (any, error) {
			if s != nil {
				s.close()
			}
			return nil, nil
		}
	}))
	r.proto.Set("keys", js.FuncOf(func(this js.Value, _ []js.Value) any {
		keys := []record{}
		// It fails for nothing but what is not a session, which has no keys.
		_ = recovered(func() {
			if s, _ := r.find(this); s != nil {
				keys = s.keys()
			}
		})
		return toJS(keys)
	}))
	return r
}

func (r *registry) add(s *session) js.Value {
	r.mu.Lock()
	defer r.mu.Unlock()
	object := js.Global().Get("Object").Call("create", r.proto)
	info := js.Global().Get("Object").Call("freeze", toJS(s.info))
	object.Set("info", info)
	js.Global().Get("Object").Call("freeze", object)
	r.last++
	r.ids.Call("set", object, r.last)
	r.byID[r.last] = s
	return object
}

// find returns the session of an object, nil if it was closed.
func (r *registry) find(object js.Value) (s *session, known bool) {
	id := r.ids.Call("get", object)
	if id.IsUndefined() {
		return nil, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[id.Int()], true
}

func (r *registry) remove(s *session) {
	id := r.ids.Call("get", s.object)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byID, id.Int())
}

// call prepares a call of a session's method, which counts as one of its jobs.
func (r *registry) call(this js.Value, a *arguments, prepare func(*session, *arguments) job) (context.Context, job) {
	s, known := r.find(this)
	switch {
	case !known:
		a.wrong("a method is called on what is not its session")
		return nil, nil
	case s == nil:
		a.fail(client.ErrClosed)
		return nil, nil
	}
	run := prepare(s, a)
	return s.alive, func(ctx context.Context) (any, error) {
		if !s.begin() {
			return nil, client.ErrClosed
		}
		defer s.jobs.Done()
		result, err := run(ctx)
		if err != nil && errors.Is(context.Cause(ctx), client.ErrClosed) {
			err = client.ErrClosed
		}
		return result, err
	}
}

// request is a method that needs the connection.
func request(prepare func(a *arguments) func(context.Context, *session, *client.Session) (any, error)) func(*session, *arguments) job {
	return func(s *session, a *arguments) job {
		run := prepare(a)
		return func(ctx context.Context) (any, error) {
			c, err := s.connection(ctx)
			if err != nil {
				return nil, err
			}
			return run(ctx, s, c)
		}
	}
}

// methods are those of a session but close and keys.
var methods = map[string]func(*session, *arguments) job{
	"opened": func(s *session, _ *arguments) job { return s.opened },
	"negotiate": request(func(*arguments) func(context.Context, *session, *client.Session) (any, error) {
		return func(ctx context.Context, s *session, c *client.Session) (any, error) { return s.negotiate(ctx, c) }
	}),
	"verify": request(func(a *arguments) func(context.Context, *session, *client.Session) (any, error) {
		n := a.seckeyid(0)
		return func(ctx context.Context, s *session, c *client.Session) (any, error) { return s.verify(ctx, c, n) }
	}),
	"revoke": request(func(a *arguments) func(context.Context, *session, *client.Session) (any, error) {
		n, reason := a.seckeyid(0), wire.Reason(a.number("reason", a.at(1), 0, wire.MaxReason))
		return func(ctx context.Context, s *session, c *client.Session) (any, error) {
			return nil, s.keeper.Revoke(ctx, c, n, reason)
		}
	}),
	"view": request(func(a *arguments) func(context.Context, *session, *client.Session) (any, error) {
		filter := a.filter(a.at(0))
		cursor, limit := a.number("cursor", a.at(1), 0, wire.MaxInteger), a.number("limit", a.at(2), 1, wire.MaxLimit)
		return func(ctx context.Context, s *session, c *client.Session) (any, error) {
			rows, next, err := c.View(ctx, filter, cursor, int(limit))
			if err != nil {
				return nil, err
			}
			list := make([]record, len(rows))
			for i, r := range rows {
				list[i] = rowRecord(r)
			}
			return record{{"rows", list}, {"cursor", next}}, nil
		}
	}),
	"administer": request(func(a *arguments) func(context.Context, *session, *client.Session) (any, error) {
		op := a.document(a.at(0))
		return func(ctx context.Context, s *session, c *client.Session) (any, error) { return s.administer(ctx, c, op) }
	}),
	"watch": request(func(a *arguments) func(context.Context, *session, *client.Session) (any, error) {
		w := &watcher{callback: a.callback("onEvent", a.at(0), true)}
		if since := a.at(1); !since.IsUndefined() {
			w.resume = client.ResumeAt(a.number("since", since, 0, wire.MaxInteger))
		}
		return func(ctx context.Context, s *session, c *client.Session) (any, error) { return s.watch(ctx, c, w) }
	}),
	"seal": func(s *session, a *arguments) job {
		n, text := a.seckeyid(0), a.text("text", a.at(1))
		return func(context.Context) (any, error) { return s.seal(n, text) }
	},
	"open": func(s *session, a *arguments) job {
		n, sealed := a.seckeyid(0), a.bytes("sealed", a.at(1))
		return func(context.Context) (any, error) { return s.unseal(n, sealed) }
	},
	"tamper": func(s *session, a *arguments) job {
		direction, action := a.oneOf("direction", a.at(0), directions...), a.oneOf("action", a.at(1), actions...)
		return func(context.Context) (any, error) {
			s.proxy.set(direction, action)
			return nil, nil
		}
	},
}

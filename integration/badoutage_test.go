package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"hufu/integration/pgtest"
	"hufu/shared/client"
	"hufu/shared/wire"
)

// viewRows: questions about the history and about keys, at the terminal.
var viewRows = []badInput{
	{name: "view/a broken date", do: hufu("view", "--from", "2026-02-30"),
		sees: exits(2, "neither a date like 2026-11-24 nor a time"), after: nothing},
	{name: "view/from after to", do: hufu("view", "--from", "2026-03-02", "--to", "2026-03-01"),
		sees: exits(2, "is not before --to"), after: nothing},
	{name: "view/a state that is none", do: hufu("view", "--state", "gone"),
		sees: exits(2, `"gone" is not a state`), after: nothing},
	{name: "view/another outlet", do: hufu("view", "--outlet", "OTHER"),
		sees: exits(3, "this role may not do that (error 8)"), logs: "cmd=view error=8", after: nothing},
	{name: "view/an outlet that is no identifier", do: hufu("view", "--outlet", "a/b"),
		sees: exits(2, "is not an identifier"), after: nothing},
	{name: "terminal/an unknown command", do: hufu("dance"), sees: exits(2, "dance"), after: nothing},
	{name: "terminal/an unknown flag", do: hufu("view", "--secret", "x"), sees: exits(2, "unknown flag --secret"), after: nothing},
	{name: "terminal/an unknown language", do: hufu("view", "--lang", "fr"), sees: exits(2, "use en or zh"), after: nothing},
	{name: "terminal/no command and no terminal", do: hufu(), sees: exits(2, "the menu needs a terminal"), after: nothing},
	{name: "terminal/a reason out of range", given: holdsKey, do: hufu("revoke", "--reason", "256"), sees: exits(2, "256"), after: oneKey},
	{name: "terminal/revoke: no such key", given: holdsKey, do: hufu("revoke", "7"),
		sees: exits(3, "there is no such key (error 2)"), logs: "cmd=revoke error=2", after: oneKey},
	{name: "terminal/verify: no such key", given: holdsKey, do: hufu("verify", "7"),
		sees: exits(6, "no such key"), after: oneKey},
	{name: "terminal/verify: a key revoked meanwhile", given: revokedMeanwhile, do: hufu("verify", "1"),
		sees: exits(3, "the key is revoked (error 3); run: hufu negotiate"), after: after{"1 revoked", "1 revoked wiped"}},
	{name: "terminal/verify: a key expired meanwhile", given: expiredMeanwhile, do: hufu("verify", "1"),
		sees: exits(3, "the key has expired (error 4); run: hufu negotiate"), logs: "cmd=verify error=4",
		after: after{"3 pending, 2 pending, 1 expired", "1 expired wiped"}},
	{name: "terminal/revoke: a key expired meanwhile", given: expiredMeanwhile, do: hufu("revoke", "1"),
		sees: exits(3, "the key has expired (error 4)"), logs: "cmd=revoke error=4",
		after: after{"3 pending, 2 pending, 1 expired", "1 expired wiped"}},
}

// expiredMeanwhile leaves key 1 unverified in the segment, and has it expire
// at the centre.
func expiredMeanwhile(o *outlet) {
	if s := negotiate(only(2, cutOff), untouched)(o); s.code != 4 {
		o.t.Fatal(s)
	}
	o.keep(o.token)
	p := o.opened(o.t, o.token)
	p.negotiate()
	p.negotiate()
	p.close()
}

// outageRows: the server, or the database behind it, is away.
var outageRows = []badInput{
	{name: "server/nobody listens", given: func(o *outlet) { o.via("http://" + freeAddress(o.t)) }, do: hufu("negotiate"),
		sees: exits(4, "connection refused"), after: emptied},
	{name: "server/no such host", given: func(o *outlet) { o.via("http://hufu.invalid") }, do: hufu("negotiate"),
		sees: exits(4, "hufu.invalid"), after: emptied},
	{name: "server/another path", given: func(o *outlet) { o.via(o.url + "/elsewhere") }, do: hufu("negotiate"),
		sees: exits(4, "did not become a WebSocket but answered 404"), after: emptied},
	{name: "server/it redirects", given: func(o *outlet) { o.via(answering(o, http.RedirectHandler(o.url+"/ws", http.StatusFound))) },
		do: hufu("negotiate"), sees: exits(4, "answered 302"), after: emptied},
	{name: "server/not HTTP", given: func(o *outlet) { o.via("http://" + speaking(o, "220 smtp\r\n")) }, do: hufu("negotiate"),
		sees: exits(4, "malformed HTTP"), after: emptied},
	{name: "server/it never answers", beside: true, given: func(o *outlet) { o.via("http://" + speaking(o, "")) }, do: hufu("negotiate"),
		sees: exits(4, "did not answer in time"), after: emptied},
	{name: "server/asked without an upgrade", do: func(o *outlet) seen {
		r, err := http.Get(o.url + wire.Path)
		must(o.t, err)
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		must(o.t, err)
		return seen{"close", r.StatusCode, string(body)}
	}, sees: seen{"close", 426, "this address speaks WebSocket: the request has no upgrade; if a proxy is in front, let it pass Upgrade and Connection on\n"}, after: nothing},

	{name: "database/away at the start", on: "postgres", do: func(o *outlet) seen {
		file := filepath.Join(o.home, "database-url")
		write(o.t, file, "postgres:///hufu?host=/nonexistent&user=hufu")
		r := runs(o.t, append(o.site.env, "HUFU_DATABASE_URL_FILE="+file), "", "hufu-server", "serve", "--listen", "127.0.0.1:0")
		return exits(r.code, r.err)
	}, sees: exits(4, "/nonexistent"), after: nothing},
	{name: "database/away in the middle", on: "postgres", given: holdsKey, do: func(o *outlet) seen {
		p := o.opened(o.t, o.token)
		n, held := p.negotiate()
		must(o.t, pgtest.Shared().Kill())
		if got := o.ready(o.t); got != http.StatusServiceUnavailable {
			o.t.Errorf("/readyz answers %d", got)
		}
		if s := o.run("negotiate"); s.code != 4 {
			o.t.Errorf("hufu negotiate: %s", s)
		}
		s := refuses(p.code(p.verify(n, held)))
		o.restore()
		eventually(o.t, "the connection that outlived it goes on", func() bool { return p.code(p.verify(n, held)) == wire.CodeOK })
		p.close()
		return s
	}, sees: refuses(wire.CodeBusy), logs: "store failed", after: after{"2 active, 1 retired", "1 active current"}},
	{name: "database/an unknown outlet while it is away", on: "postgres", do: func(o *outlet) seen {
		must(o.t, pgtest.Shared().Kill())
		defer o.restore()
		unknown := *o.token
		unknown.ClientID = "NOBODY"
		p := o.dial(o.t, &unknown)
		p.send(p.open())
		return p.ending()
	}, sees: closes(1013), logs: "client=NOBODY code=1013", after: nothing},
	{name: "database/away for a while, under load", on: "postgres", do: underLoad,
		sees: refuses(wire.CodeBusy), logs: "store failed", after: after{"", "none"}},
}

// ready asks the server whether it can work.
func (s *site) ready(t testing.TB) int {
	t.Helper()
	r, err := http.Get(s.url + "/readyz")
	must(t, err)
	r.Body.Close()
	return r.StatusCode
}

// restore brings the database back, and waits until the same server works again.
func (o *outlet) restore() {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must(o.t, pgtest.Shared().Restart(ctx))
	eventually(o.t, "the server is ready again", func() bool { return o.ready(o.t) == http.StatusOK })
}

// answering serves HTTP in the server's place.
func answering(o *outlet, h http.Handler) (url string) {
	s := httptest.NewServer(h)
	o.t.Cleanup(s.Close)
	return s.URL
}

// speaking accepts connections, answers whatever is said with one thing, and
// says nothing more.
func speaking(o *outlet, greeting string) (address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(o.t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			if _, err := c.Read(make([]byte, 4096)); err == nil {
				fmt.Fprint(c, greeting)
			}
		}
	}()
	o.t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr().String()
}

// underLoad kills the database while outlets agree on keys, and looks for
// every key that was acknowledged once it is back.
func underLoad(o *outlet) seen {
	o.t.Helper()
	type agreed struct {
		o    *outlet
		keys []uint64
		err  error // that ended it
	}
	done := make([]agreed, 4)
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	for i := range done {
		d := &done[i]
		d.o = o.outlet(o.t, wire.RoleOutlet)
		var session *client.Session
		eventually(o.t, d.o.id+" is let in", func() bool { // the server may still have connections to a database that was killed a moment ago
			var err error
			session, err = connect(o.t.Context(), d.o.token, client.Options{})
			return err == nil
		})
		wg.Go(func() {
			defer session.Close()
			for { // until the database is away
				var n uint64
				if n, d.err = agree(o.t, session); d.err != nil {
					return
				}
				d.keys = append(d.keys, n)
				acknowledged.Add(1)
			}
		})
	}
	eventually(o.t, "some keys are acknowledged", func() bool { return acknowledged.Load() >= 6 })
	must(o.t, pgtest.Shared().Kill())
	wg.Wait()
	o.restore()
	for _, d := range done {
		history := " " + d.o.history()
		for _, n := range d.keys {
			if !strings.Contains(history, fmt.Sprintf(" %d active", n)) && !strings.Contains(history, fmt.Sprintf(" %d retired", n)) {
				o.t.Errorf("key %d of %s was acknowledged and is lost: %s", n, d.o.id, history)
			}
		}
		closed := new(client.CloseError)
		switch {
		case errors.Is(d.err, wire.CodeBusy), errors.As(d.err, &closed) && closed.Code == 1013:
		case errors.Is(d.err, wire.CodeInternal): // its commit was under way: nobody knows the outcome
		default:
			o.t.Errorf("%s ended with %v", d.o.id, d.err)
		}
	}
	return refuses(wire.CodeBusy)
}

package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coder/websocket"

	"hufu/shared/wire"
)

// anotherAuth is the one cause that the server logs for whoever fails to open.
const anotherAuth = "unknown, disabled, another epoch or a wrong authCode"

// refusedToOpen is what a terminal is told of it.
const refusedToOpen = "the server refused to open, or someone on the way says so"

// tokenRows: enrolling, with tokens that are none, or not this outlet's.
var tokenRows = []badInput{
	{name: "token/empty", do: enrol(func(o *outlet) string { return "" }),
		sees: exits(2, "this is not a valid token"), after: nothing},
	{name: "token/other text", do: enrol(func(o *outlet) string { return "hello" }),
		sees: exits(2, "this is not a valid token"), after: nothing},
	{name: "token/truncated", do: enrol(func(o *outlet) string { s := ascii(o.t, o.token); return s[:len(s)/2] }),
		sees: exits(2, "copy it whole, from hufu1_ to its last character"), after: nothing},
	{name: "token/last character missing", do: enrol(func(o *outlet) string { s := ascii(o.t, o.token); return s[:len(s)-1] }),
		sees: exits(2, "this is not a valid token"), after: nothing},
	{name: "token/one character changed", do: enrol(func(o *outlet) string {
		s := []byte(ascii(o.t, o.token))
		s[len(s)/2]++
		return string(s)
	}), sees: exits(2, "this is not a valid token"), after: nothing},
	{name: "token/on standard input", do: func(o *outlet) seen {
		r := runs(o.t, o.env, "hufu1_x\n", "hufu", "enrol")
		return exits(r.code, r.err)
	}, sees: exits(2, "this is not a valid token"), after: nothing},
	{name: "token/of another secret", do: enrolAs(func(t *wire.Token) { t.Secret[0]++ }),
		sees: exits(4, refusedToOpen), logs: anotherAuth, after: nothing},
	{name: "token/of another epoch", do: enrolAs(func(t *wire.Token) { t.Epoch++ }),
		sees: exits(4, refusedToOpen), logs: anotherAuth, after: nothing},
	{name: "token/of an unknown outlet", do: enrolAs(func(t *wire.Token) { t.ClientID = "NOBODY" }),
		sees: exits(4, refusedToOpen), logs: "client=NOBODY code=1008", after: nothing},
	{name: "token/of another outlet", do: func(o *outlet) seen {
		other := o.outlet(o.t, wire.RoleOutlet)
		return enrolAs(func(t *wire.Token) { t.Secret = other.token.Secret })(o)
	}, sees: exits(4, refusedToOpen), logs: anotherAuth, after: nothing},
	{name: "token/of a disabled outlet", given: disable, do: enrolAs(func(t *wire.Token) {}),
		sees: exits(4, refusedToOpen), logs: anotherAuth, after: nothing},
	{name: "token/of another server", do: enrolAs(func(t *wire.Token) { t.ServerID = "OTHER" }),
		sees: exits(4, "another server"), after: nothing},
	{name: "token/of another role", do: enrolAs(func(t *wire.Token) { t.Role = wire.RoleOperator }),
		sees: exits(4, "the server says outlet, expected was operator"), after: nothing},
	{name: "token/file missing", do: hufu("enrol", "--token-file", "/nonexistent"),
		sees: exits(2, "no such file"), after: nothing},
	{name: "token/file that others can read", do: func(o *outlet) seen {
		must(o.t, os.Chmod(o.tokenPath(), 0o644))
		return o.run("enrol", "--token-file", o.tokenPath())
	}, sees: exits(2, "can be read by others (mode 0644); run: chmod 600"), after: nothing},
	{name: "token/stored one damaged", given: func(o *outlet) { write(o.t, o.tokenPath(), "hufu1_") },
		do: hufu("negotiate"), sees: exits(2, "this is not a valid token"), after: nothing},
	{name: "token/none stored", given: func(o *outlet) { must(o.t, os.Remove(o.tokenPath())) },
		do: hufu("negotiate"), sees: exits(2, "ask the centre for a token, then run: hufu enrol"), after: nothing},
}

// enrol is the row's input: a token file with this text.
func enrol(text func(*outlet) string) func(*outlet) seen {
	return func(o *outlet) seen {
		stored, err := os.ReadFile(o.tokenPath())
		must(o.t, err)
		file := filepath.Join(o.home, "new-token")
		write(o.t, file, text(o))
		s := o.run("enrol", "--token-file", file)
		if now, err := os.ReadFile(o.tokenPath()); err != nil || !bytes.Equal(now, stored) {
			o.t.Errorf("the stored enrolment was touched: %v", err)
		}
		if secret := text(o); len(secret) > 10 && strings.Contains(s.says, secret[6:]) {
			o.t.Error("the token was printed")
		}
		return s
	}
}

// enrolAs is the row's input: a well-formed token, changed.
func enrolAs(change func(*wire.Token)) func(*outlet) seen {
	return enrol(func(o *outlet) string {
		token := *o.token
		change(&token)
		return ascii(o.t, &token)
	})
}

func disable(o *outlet) {
	if r := o.admin(o.t, "outlet", "disable", o.id); r.code != 0 {
		o.t.Fatal(r.err)
	}
}

// openRows: first frames that are none.
var openRows = []badInput{
	{name: "open/too long", do: opening(func(p *peer) [][]byte {
		return [][]byte{append(p.open(), bytes.Repeat([]byte{0}, wire.MaxFirstFrame)...), bytes.Repeat([]byte{0x80}, wire.MaxFirstFrame+1)}
	}), sees: openFails, logs: "the frame is too long", after: nothing},
	{name: "open/truncated at every byte", do: openingTogether(func(p *peer, i int) []byte {
		if frame := p.open(); i < len(frame) {
			return frame[:i]
		}
		return nil
	}), sees: openFails, logs: "ends in the middle", after: nothing},
	{name: "open/bytes behind it", do: openingOdd("trailing"), sees: openFails, logs: "bytes follow it", after: nothing},
	{name: "open/a field twice", do: openingOdd("twice"), sees: openFails, logs: "a field stands twice", after: nothing},
	{name: "open/a field missing", do: openingOdd("missing"), sees: openFails, logs: "is missing", after: nothing},
	{name: "open/a field unknown", do: openingOdd("unknown"), sees: openFails, logs: "unknown field", after: nothing},
	{name: "open/wrong types", do: openingOdd("wrong type"), sees: openFails, logs: "wrong type", after: nothing},
	{name: "open/length bombs", do: openingOdd("bombs"), sees: openFails, logs: "a length goes beyond its end", after: nothing},
	{name: "open/another version", do: opening(func(p *peer) [][]byte {
		return [][]byte{replace(split(p.t, p.open(), openFields...), "version", 2)}
	}), sees: openFails, logs: "version is out of range", after: nothing},
	{name: "open/a text frame", do: func(o *outlet) seen {
		p := o.dial(o.t, o.token)
		p.sendAs(websocket.MessageText, p.open())
		return p.ending()
	}, sees: openFails, logs: "a text frame", after: nothing},
	{name: "open/another request first", do: opening(func(p *peer) [][]byte {
		p.open()
		return [][]byte{p.next(&wire.Ping{})}
	}), sees: openFails, logs: "cmdType is not 0", after: nothing},
	{name: "open/replayed on another connection", do: func(o *outlet) seen {
		first := o.dial(o.t, o.token)
		frame := first.open()
		first.send(frame)
		first.accepted()
		second := o.dial(o.t, o.token)
		second.send(frame)
		return second.ending()
	}, sees: openFails, logs: anotherAuth, after: nothing},
	{name: "open/a wrong authCode", do: openingAs(func(t *wire.Token) { t.Secret[31]++ }),
		sees: openFails, logs: anotherAuth, after: nothing},
	{name: "open/another server's id", do: openingAs(func(t *wire.Token) { t.ServerID = "OTHER" }),
		sees: openFails, logs: anotherAuth, after: nothing},
	{name: "open/unknown outlet", do: openingAs(func(t *wire.Token) { t.ClientID = "NOBODY" }),
		sees: openFails, logs: "client=NOBODY code=1008", after: nothing},
	{name: "open/unknown, disabled and wrong look alike", given: disable, do: alike, sees: openFails, logs: anotherAuth, after: nothing},
	{name: "open/hufu's, truncated on the way", do: negotiate(only(0, cut), untouched),
		sees: exits(4, refusedToOpen), logs: "session: open failed", after: emptied},
	{name: "open/never", beside: true, do: func(o *outlet) seen {
		p := o.dial(o.t, o.token)
		return p.ending()
	}, sees: closes(1008), after: nothing},
}

var openFields = []string{"version", "cmdType", "clientId", "serverId", "epoch", "nonce", "authCode"}

// opening is the row's input: each of these first frames, on a connection of
// its own.
func opening(frames func(*peer) [][]byte) func(*outlet) seen {
	return variants(func(o *outlet) *peer { return o.dial(o.t, o.token) }, frames)
}

func openingOdd(which string) func(*outlet) seen {
	return opening(func(p *peer) [][]byte { return oddities(split(p.t, p.open(), openFields...))[which] })
}

func openingAs(change func(*wire.Token)) func(*outlet) seen {
	return func(o *outlet) seen {
		token := *o.token
		change(&token)
		p := o.dial(o.t, &token)
		p.send(p.open())
		return p.ending()
	}
}

// openingTogether sends many first frames at once, since every failure is held
// back for 50 ms. frame returns nil when there is none with that number.
func openingTogether(frame func(p *peer, i int) []byte) func(*outlet) seen {
	return func(o *outlet) (s seen) {
		const together = 24 // less than half of what may wait from one address: those before may not be gone yet
		for first := 0; ; first += together {
			var peers []*peer
			for i := first; i < first+together; i++ {
				p := o.dial(o.t, o.token)
				f := frame(p, i)
				if f == nil {
					p.close()
					break
				}
				p.send(f)
				peers = append(peers, p)
			}
			for i, p := range peers {
				s = s.and(first+i, p.ending())
			}
			if len(peers) < together {
				return s
			}
		}
	}
}

// alike compares what is on the wire, to the byte, for everyone who may not
// open. The outlet itself is disabled.
func alike(o *outlet) (s seen) {
	other := o.outlet(o.t, wire.RoleOutlet)
	wrong, epoch, unknown := *other.token, *other.token, *other.token
	wrong.Secret[7]++
	epoch.Epoch++
	unknown.ClientID = "NOBODY"
	var first []byte
	for name, token := range map[string]*wire.Token{"a wrong secret": &wrong, "a wrong epoch": &epoch, "unknown": &unknown, "disabled": o.token} {
		p := o.dial(o.t, token)
		frame := p.open()
		before, sent := len(p.tap.bytes()), time.Now()
		p.send(frame)
		s = p.ending()
		took := time.Since(sent)
		got := p.tap.after(before)
		if first == nil {
			first = got
		}
		if !bytes.Equal(got, first) {
			o.t.Errorf("%s is answered % x, another % x", name, got, first)
		}
		if took < 50*time.Millisecond {
			o.t.Errorf("%s is answered after %s, before the first step", name, took)
		}
	}
	return s
}

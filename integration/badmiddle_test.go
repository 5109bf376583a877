package integration

import (
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"hufu/shared/wire"
)

// notAuthentic is what a terminal is told when a message fails a check.
const notAuthentic = "failed the check of "

// middleRows: hufu through someone in the middle. Going up, message 0 is open;
// without a key held, 1 is negotiate and 2 verify. Coming down, 0 is hello, 1
// open ok, 2 and 3 the replies.
var middleRows = []badInput{
	{name: "up/open: a bit flipped", do: negotiate(only(0, flip("nonce")), untouched),
		sees: exits(4, refusedToOpen), logs: anotherAuth, after: emptied},
	{name: "up/open: dropped", do: negotiate(only(0, drop), untouched),
		sees: exits(4, "code 1008"), after: emptied},
	{name: "up/open: replayed", do: negotiate(only(0, twice), untouched),
		sees: exits(4, "code 1008"), logs: "cmdType is not that of a request", after: emptied},
	{name: "up/negotiate: a bit flipped", do: negotiate(only(1, flip("share")), untouched),
		sees: exits(4, "code 1008"), logs: "authCode is wrong", after: emptied},
	{name: "up/negotiate: truncated", do: negotiate(only(1, cut), untouched),
		sees: exits(4, "code 1008"), logs: "wire: refused", after: emptied},
	{name: "up/negotiate: as text", do: negotiate(only(1, asText), untouched),
		sees: exits(4, "code 1008"), logs: "a text frame", after: emptied},
	{name: "up/negotiate: replayed", do: negotiate(only(1, twice), untouched),
		sees: exits(4, "code 1008"), logs: "q is not the next", after: after{"1 pending", "1 pending"}},
	{name: "up/negotiate: dropped", do: negotiate(only(1, drop), untouched),
		sees: exits(4, "did not answer in time"), after: emptied},
	{name: "up/verify: a bit flipped", do: negotiate(only(2, flip("confirm")), untouched),
		sees: exits(4, "code 1008"), logs: "authCode is wrong", after: after{"1 pending", "1 pending"}},
	{name: "up/verify: negotiate replayed in its place", do: negotiate(memory(1, 2), untouched),
		sees: exits(4, "code 1008"), logs: "q is not the next", after: after{"1 pending", "1 pending"}},
	{name: "up/verify: cut off", do: negotiate(only(2, cutOff), untouched),
		sees: exits(4, "code 1006"), logs: "connection lost", after: after{"1 pending", "1 pending"}},

	{name: "down/hello: a bit flipped", do: negotiate(untouched, only(0, flip("nonce"))),
		sees: exits(4, refusedToOpen), logs: anotherAuth, after: emptied},
	{name: "down/hello: too long", do: negotiate(untouched, only(0, pad(wire.MaxFirstFrame))),
		sees: exits(4, notAuthentic+"frame (hello)"), after: emptied},
	{name: "down/hello: dropped", do: negotiate(untouched, only(0, drop)),
		sees: exits(4, "the server") /* its deadline and hufu's are the same */, after: emptied},
	{name: "down/hello: late", do: negotiate(untouched, only(0, later(6*time.Second))),
		sees: exits(4, "the server") /* as above */, after: emptied},
	{name: "down/open ok: a bit flipped", do: negotiate(untouched, only(1, flip("authCode"))),
		sees: exits(4, notAuthentic), after: emptied},
	{name: "down/open ok: a forged refusal in its place", do: negotiate(untouched, only(1, forge(wire.OpenFailure()))),
		sees: exits(4, refusedToOpen), after: emptied},
	{name: "down/open ok: hello again in its place", do: negotiate(untouched, memory(0, 1)),
		sees: exits(4, notAuthentic+"frame (open)"), after: emptied},
	{name: "down/negotiate ok: its number flipped", do: negotiate(untouched, only(2, flipNumber)),
		sees: exits(1, notAuthentic+"authCode (negotiate)"), after: after{"1 pending", ""}},
	{name: "down/negotiate ok: a bit flipped", do: negotiate(untouched, only(2, flip("share"))),
		sees: exits(1, notAuthentic+"authCode (negotiate)"), after: after{"1 pending", ""}},
	{name: "down/negotiate ok: truncated", do: negotiate(untouched, only(2, cut)),
		sees: exits(1, notAuthentic+"frame (negotiate)"), after: after{"1 pending", ""}},
	{name: "down/negotiate ok: too long", do: negotiate(untouched, only(2, pad(wire.MaxServerFrame))),
		sees: exits(4, "longer than any may be"), after: after{"1 pending", ""}},
	{name: "down/negotiate ok: as text", do: negotiate(untouched, only(2, asText)),
		sees: exits(4, "a text frame"), after: after{"1 pending", ""}},
	{name: "down/negotiate ok: a length bomb in its place", do: negotiate(untouched, only(2, forge([]byte("\xdd\xff\xff\xff\xff")))),
		sees: exits(1, notAuthentic+"frame (negotiate)"), after: after{"1 pending", ""}},
	{name: "down/negotiate ok: dropped", do: negotiate(untouched, only(2, drop)),
		sees: exits(4, "did not answer in time"), after: after{"1 pending", ""}},
	{name: "down/verify ok: a bit flipped", do: negotiate(untouched, only(3, flip("confirm"))),
		sees: exits(1, notAuthentic+"authCode (verify)"), after: after{"1 active", "1 pending"}},
	{name: "down/verify ok: negotiate ok replayed in its place", do: negotiate(untouched, memory(2, 3)),
		sees: exits(1, notAuthentic+"cmdType (negotiate)"), after: after{"1 active", "1 pending"}},
	{name: "down/verify ok: cut off", do: negotiate(untouched, only(3, cutOff)),
		sees: exits(4, "code 1006"), logs: "connection lost", after: after{"1 active", "1 pending"}},
	{name: "down/push: dropped", given: revokedMeanwhile, do: through(untouched, only(2, drop), "view"),
		sees: exits(1, notAuthentic+"p ("), after: after{"1 revoked", "1 active current"}},
	{name: "down/push: a bit flipped", given: revokedMeanwhile, do: through(untouched, only(2, flip("authCode")), "view"),
		sees: exits(1, notAuthentic), after: after{"1 revoked", "1 active current"}},
	{name: "down/push and reply: swapped", given: revokedMeanwhile, do: through(untouched, swap(2), "view"),
		sees: exits(1, notAuthentic+"p ("), after: after{"1 revoked", "1 active current"}},
}

// through is the row's input: a command with a man in the middle.
func through(up, down tamper, args ...string) func(*outlet) seen {
	return func(o *outlet) seen {
		o.via(o.middle(o.t, up, down))
		return o.run(args...)
	}
}

func negotiate(up, down tamper) func(*outlet) seen { return through(up, down, "negotiate") }

// holdsKey gives the outlet an active key, number 1, in its segment.
func holdsKey(o *outlet) { o.must("negotiate") }

// revokedMeanwhile has that key revoked while the outlet is away.
func revokedMeanwhile(o *outlet) {
	holdsKey(o)
	o.revokeAtCentre(1)
}

func drop(message) []message     { return nil }
func twice(m message) []message  { return []message{m, m} }
func cutOff(message) []message   { return []message{hangUp} }
func asText(m message) []message { return []message{{websocket.MessageText, m.data}} }
func cut(m message) []message    { return []message{{m.kind, m.data[:len(m.data)/2]}} }

func flip(name string) func(message) []message {
	return func(m message) []message { return []message{{m.kind, flippedIn(m.data, name)}} }
}

// flipNumber changes seckeyid, whose value has one byte.
func flipNumber(m message) []message {
	at := strings.Index(string(m.data), string(key("seckeyid"))) + len(key("seckeyid"))
	return []message{{m.kind, flipped(m.data, at, 2)}}
}

func pad(size int) func(message) []message {
	return func(m message) []message { return []message{{m.kind, append(m.data, make([]byte, size)...)}} }
}

func forge(frame []byte) func(message) []message {
	return func(m message) []message { return []message{{m.kind, frame}} }
}

func later(d time.Duration) func(message) []message {
	return func(m message) []message {
		time.Sleep(d)
		return []message{m}
	}
}

// memory has message from come again in place of message to.
func memory(from, to int) tamper {
	var kept message
	return func(n int, m message) []message {
		switch n {
		case from:
			kept = m
		case to:
			return []message{kept}
		}
		return []message{m}
	}
}

// swap has message n come after the one that follows it.
func swap(n int) tamper {
	var kept message
	return func(i int, m message) []message {
		switch i {
		case n:
			kept = m
			return nil
		case n + 1:
			return []message{m, kept}
		}
		return []message{m}
	}
}

// TestMiddleUntouched: a man in the middle who only looks on changes nothing,
// so that whatever the rows see comes from their tampering.
func TestMiddleUntouched(t *testing.T) {
	t.Parallel()
	o := newSite(t, "sqlite").enrolled(t)
	if s := negotiate(untouched, untouched)(o); s.code != 0 {
		t.Error(s)
	}
	if got := (after{o.history(), o.shared()}); got != oneKey {
		t.Errorf("afterwards %+v", got)
	}
}

func (o *outlet) revokeAtCentre(seckeyid uint64) {
	o.t.Helper()
	unlessBusy(o.t, "a key is revoked", func() error {
		return o.rules.RevokeKey(o.t.Context(), o.id, seckeyid, wire.ReasonKeyCompromised, "")
	})
}

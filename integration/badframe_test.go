package integration

import (
	"bytes"
	"crypto/rand"

	"github.com/coder/websocket"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// frameRows: later frames that are none.
var frameRows = []badInput{
	{name: "frame/too long", do: sending(func(p *peer) [][]byte {
		return [][]byte{append(p.next(&wire.Ping{}), bytes.Repeat([]byte{0}, wire.MaxRequest)...), bytes.Repeat([]byte{0x80}, wire.MaxRequest+1)}
	}), sees: closes(1008), logs: "the frame is too long", after: nothing},
	{name: "frame/truncated at every byte", do: sending(func(p *peer) (cuts [][]byte) {
		frame := p.next(&wire.Ping{})
		for n := range frame {
			cuts = append(cuts, frame[:n])
		}
		return cuts
	}), sees: closes(1008), logs: "ends in the middle", after: nothing},
	{name: "frame/a bit of every byte flipped", do: sending(func(p *peer) (flips [][]byte) {
		frame := p.next(&wire.Ping{})
		for n := range frame {
			flips = append(flips, flipped(frame, n, 1<<(n%8)))
		}
		return flips
	}), sees: closes(1008), logs: "authCode is wrong", after: nothing},
	{name: "frame/bytes behind it", do: sendingOdd("trailing"), sees: closes(1008), logs: "bytes follow it", after: nothing},
	{name: "frame/a field twice", do: sendingOdd("twice"), sees: closes(1008), logs: "a field stands twice", after: nothing},
	{name: "frame/a field missing", do: sendingOdd("missing"), sees: closes(1008), logs: "is missing", after: nothing},
	{name: "frame/a field unknown", do: sendingOdd("unknown"), sees: closes(1008), logs: "unknown field", after: nothing},
	{name: "frame/wrong types", do: sendingOdd("wrong type"), sees: closes(1008), logs: "wrong type", after: nothing},
	{name: "frame/length bombs", do: sendingOdd("bombs"), sees: closes(1008), logs: "a length goes beyond its end", after: nothing},
	{name: "frame/values out of range", do: sending(func(p *peer) [][]byte {
		revoke := split(p.t, p.next(&wire.Revoke{Seckeyid: 1}), revokeFields...)
		view := split(p.t, p.next(&wire.View{Limit: 1}), viewFields...)
		return [][]byte{
			replace(revoke, "seckeyid", 0),
			replace(revoke, "seckeyid", 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0), // 2^53
			replace(revoke, "reason", 0xcd, 1, 0),                        // 256
			replace(revoke, "q", 0xcf, 0, 0, 0, 1, 0, 0, 0, 0),           // 2^32
			replace(view, "limit", 0),
			replace(view, "limit", 0xcd, 1, 0xf5), // 501
		}
	}), sees: closes(1008), logs: "is out of range", after: nothing},
	{name: "frame/a text frame", do: func(o *outlet) seen {
		p := o.opened(o.t, o.token)
		p.sendAs(websocket.MessageText, p.next(&wire.Ping{}))
		return p.ending()
	}, sees: closes(1008), logs: "a text frame", after: nothing},
	{name: "frame/an open again", do: sending(func(p *peer) [][]byte { return [][]byte{p.open()} }),
		sees: closes(1008), logs: "cmdType is not that of a request", after: nothing},
	{name: "frame/one of the server's", do: sending(func(p *peer) [][]byte { return [][]byte{p.encode(p.hello)} }),
		sees: closes(1008), logs: "cmdType is not that of a request", after: nothing},
	{name: "frame/another outlet's id", do: sending(func(p *peer) [][]byte {
		p.token.ClientID = "OTHER"
		return [][]byte{p.next(&wire.Ping{})}
	}), sees: closes(1008), logs: "the identifiers are not the opened ones", after: nothing},
	{name: "frame/another server's id", do: sending(func(p *peer) [][]byte {
		p.token.ServerID = "OTHER"
		return [][]byte{p.next(&wire.Ping{})}
	}), sees: closes(1008), logs: "the identifiers are not the opened ones", after: nothing},
	{name: "frame/authCode in capitals", do: sending(func(p *peer) [][]byte {
		request := split(p.t, p.next(&wire.Ping{}), pingFields...)
		last := len(request) - 1
		digits := len(key("authCode")) + 2 // behind the header of a string of 64 bytes
		request[last] = append(request[last][:digits:digits], bytes.ToUpper(request[last][digits:])...)
		return [][]byte{join(request...)}
	}), sees: closes(1008), logs: "lower-case hex digits", after: nothing},
	{name: "frame/signed by another connection", do: func(o *outlet) seen {
		first, second := o.opened(o.t, o.token), o.opened(o.t, o.token)
		second.send(first.next(&wire.Ping{}))
		return second.ending()
	}, sees: closes(1008), logs: "authCode is wrong", after: nothing},
}

var (
	pingFields   = []string{"cmdType", "q", "clientId", "serverId", "authCode"}
	revokeFields = []string{"cmdType", "q", "clientId", "serverId", "seckeyid", "reason", "authCode"}
	viewFields   = []string{"cmdType", "q", "clientId", "serverId", "doc", "cursor", "limit", "authCode"}
)

// sending is the row's input: each of these frames, on an open connection of
// its own.
func sending(frames func(*peer) [][]byte) func(*outlet) seen {
	return variants(func(o *outlet) *peer { return o.opened(o.t, o.token) }, frames)
}

func sendingOdd(which string) func(*outlet) seen {
	return sending(func(p *peer) [][]byte { return oddities(split(p.t, p.next(&wire.Ping{}), pingFields...))[which] })
}

// orderRows: authentic messages out of their order. Nothing of a connection is
// answered beyond the first.
var orderRows = []badInput{
	{name: "order/a message replayed", do: inOrder(1, 2, 2), sees: seen{"close", 1008, "2 messages"}, logs: "q is not the next", after: nothing},
	{name: "order/an old message replayed", do: inOrder(1, 2, 3, 1), sees: seen{"close", 1008, "3 messages"}, logs: "q is not the next", after: nothing},
	{name: "order/a message skipped", do: inOrder(1, 3), sees: seen{"close", 1008, "1 messages"}, logs: "q is not the next", after: nothing},
	{name: "order/the first skipped", do: inOrder(2), sees: closes(1008), logs: "q is not the next", after: nothing},
	{name: "order/messages swapped", do: inOrder(1, 3, 2), sees: seen{"close", 1008, "1 messages"}, logs: "q is not the next", after: nothing},
	{name: "order/nothing after the fault is heard", do: func(o *outlet) seen {
		p := o.opened(o.t, o.token)
		i, err := kex.NewInitiator(rand.Reader)
		must(o.t, err)
		m := &wire.Negotiate{}
		i.Offer(m)
		p.send(p.numbered(2, &wire.Ping{}))
		p.send(p.numbered(1, m))
		return p.ending()
	}, sees: closes(1008), logs: "q is not the next", after: nothing},
	{name: "order/a fifth connection", do: func(o *outlet) seen {
		first := o.opened(o.t, o.token)
		for range 4 {
			o.opened(o.t, o.token)
		}
		return first.ending()
	}, sees: closes(4001), logs: "code=4001", after: nothing},
}

// inOrder is the row's input: pings with these numbers, all at once.
func inOrder(numbers ...uint64) func(*outlet) seen {
	return func(o *outlet) seen {
		p := o.opened(o.t, o.token)
		for _, q := range numbers {
			p.send(p.numbered(q, &wire.Ping{}))
		}
		return p.ending()
	}
}

// keyRows: requests about keys that cannot be done. The connection stays open.
var keyRows = []badInput{
	{name: "key/ML-KEM share out of range", do: negotiating(func(share []byte) {
		copy(share, bytes.Repeat([]byte{0xff}, wire.SizeEK))
	}), sees: refuses(wire.CodeBadBody), logs: "cmd=negotiate error=1", after: nothing},
	{name: "key/X25519 point of low order", do: func(o *outlet) (s seen) {
		for i, point := range lowOrder {
			s = s.and(i, negotiating(func(share []byte) { copy(share[wire.SizeEK:], point) })(o))
		}
		return s
	}, sees: refuses(wire.CodeBadBody), logs: "cmd=negotiate error=1", after: nothing},
	{name: "key/more negotiations than the quota", do: func(o *outlet) seen {
		p := o.opened(o.t, o.token)
		offers, code := 0, wire.CodeBadBody // for the share, and counted all the same
		for code == wire.CodeBadBody && offers < 1000 {
			code = p.code(&wire.Negotiate{})
			offers++
		}
		if offers <= 10 {
			o.t.Errorf("offer %d is beyond the quota", offers)
		}
		return refuses(code)
	}, sees: refuses(wire.CodeBusy), logs: "cmd=negotiate error=6", after: nothing},
	{name: "key/verify: nobody's", do: about(func(n uint64) wire.Request { return &wire.Verify{Seckeyid: n} }, 1),
		sees: refuses(wire.CodeNoKey), logs: "cmd=verify error=2", after: nothing},
	{name: "key/verify: another outlet's", given: anothersKey, do: about(func(n uint64) wire.Request { return &wire.Verify{Seckeyid: n} }, 1),
		sees: refuses(wire.CodeNoKey), logs: "cmd=verify error=2", after: nothing},
	{name: "key/revoke: another outlet's", given: anothersKey, do: about(func(n uint64) wire.Request { return &wire.Revoke{Seckeyid: n} }, 1),
		sees: refuses(wire.CodeNoKey), logs: "cmd=revoke error=2", after: nothing},
	{name: "key/receipt: another outlet's", given: anothersKey,
		do:   about(func(n uint64) wire.Request { return &wire.Receipt{Seckeyid: n, State: wire.StateRevoked} }, 1),
		sees: refuses(wire.CodeNoKey), logs: "cmd=receipt error=2", after: nothing},
	{name: "key/receipt: for a living one", given: peerKey,
		do:   about(func(n uint64) wire.Request { return &wire.Receipt{Seckeyid: n, State: wire.StateRevoked} }, 1),
		sees: refuses(wire.CodeBadBody), logs: "cmd=receipt error=1", after: atCentre("1 active")},
	{name: "key/receipt: of another state", given: revokedKey,
		do:   about(func(n uint64) wire.Request { return &wire.Receipt{Seckeyid: n, State: wire.StateExpired} }, 1),
		sees: refuses(wire.CodeBadBody), logs: "cmd=receipt error=1", after: atCentre("1 revoked")},
	{name: "key/verify: a revoked one", given: revokedKey, do: about(func(n uint64) wire.Request { return &wire.Verify{Seckeyid: n} }, 1),
		sees: refuses(wire.CodeRevoked), logs: "cmd=verify error=3", after: atCentre("1 revoked")},
	{name: "key/revoke: a revoked one", given: revokedKey, do: about(func(n uint64) wire.Request { return &wire.Revoke{Seckeyid: n} }, 1),
		sees: refuses(wire.CodeOK), logs: "cmd=revoke error=0", after: atCentre("1 revoked")},
	{name: "key/verify: an expired one", given: expiredKey, do: about(func(n uint64) wire.Request { return &wire.Verify{Seckeyid: n} }, 1),
		sees: refuses(wire.CodeExpired), logs: "cmd=verify error=4", after: atCentre("3 pending, 2 pending, 1 expired")},
	{name: "key/revoke: an expired one", given: expiredKey, do: about(func(n uint64) wire.Request { return &wire.Revoke{Seckeyid: n} }, 1),
		sees: refuses(wire.CodeExpired), logs: "cmd=revoke error=4", after: atCentre("3 pending, 2 pending, 1 expired")},
	{name: "key/verify: a wrong proof of a pending one", do: func(o *outlet) seen {
		p := o.opened(o.t, o.token)
		n, _ := p.negotiate()
		return refuses(p.code(&wire.Verify{Seckeyid: n}))
	}, sees: refuses(wire.CodeMismatch), logs: "cmd=verify error=5", after: atCentre("1 expired")},
	{name: "key/verify: a wrong proof of an active one", given: peerKey, do: about(func(n uint64) wire.Request { return &wire.Verify{Seckeyid: n} }, 1),
		sees: refuses(wire.CodeMismatch), logs: "cmd=verify error=5", after: atCentre("1 active")},
	{name: "key/verify: a proof replayed on another connection", do: func(o *outlet) seen {
		first := o.opened(o.t, o.token)
		n, held := first.negotiate()
		proof := first.verify(n, held).Confirm
		return refuses(o.opened(o.t, o.token).code(&wire.Verify{Seckeyid: n, Confirm: proof}))
	}, sees: refuses(wire.CodeMismatch), logs: "cmd=verify error=5", after: atCentre("1 expired")},
	{name: "key/view: a filter that is none", do: asking(&wire.View{Doc: []byte("no map"), Limit: 1}),
		sees: refuses(wire.CodeBadBody), logs: "cmd=view error=1", after: nothing},
	{name: "key/view: a filter with an unknown field", do: asking(&wire.View{Doc: []byte("\x81\xa1x\x01"), Limit: 1}),
		sees: refuses(wire.CodeBadBody), logs: "cmd=view error=1", after: nothing},
	{name: "key/view: a length bomb as filter", do: asking(&wire.View{Doc: []byte("\x81\xa6states\xdd\xff\xff\xff\xff"), Limit: 1}),
		sees: refuses(wire.CodeBadBody), logs: "cmd=view error=1", after: nothing},
	{name: "key/view: another outlet's", do: asking(&wire.View{Doc: []byte("\x81\xa6outlet\xa5OTHER"), Limit: 1}),
		sees: refuses(wire.CodeNotPermitted), logs: "cmd=view error=8", after: nothing},
	{name: "key/administer: by an outlet", do: asking(&wire.Administer{Doc: []byte("\x80")}),
		sees: refuses(wire.CodeNotPermitted), logs: "cmd=administer error=8", after: nothing},
}

// lowOrder are the points of low order and their other spellings: with them
// every exchange gives all zeros.
var lowOrder = [][]byte{
	make([]byte, 32),
	append([]byte{1}, make([]byte, 31)...),
	unhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
	unhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
	unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // p - 1
	unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // p
	unhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), // p + 1
	unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"), // p, the top bit set
}

// negotiating is the row's input: an offer whose share is spoiled. The
// connection has to live on.
func negotiating(spoil func(share []byte)) func(*outlet) seen {
	return func(o *outlet) seen {
		p := o.opened(o.t, o.token)
		i, err := kex.NewInitiator(rand.Reader)
		must(o.t, err)
		m := &wire.Negotiate{}
		i.Offer(m)
		spoil(m.Share[:])
		return p.refusal(m)
	}
}

// about is the row's input: a request about the key of this number.
func about(request func(n uint64) wire.Request, n uint64) func(*outlet) seen {
	return func(o *outlet) seen { return o.opened(o.t, o.token).refusal(request(n)) }
}

// asking is the row's input: this request.
func asking(m wire.Request) func(*outlet) seen {
	return func(o *outlet) seen { return o.opened(o.t, o.token).refusal(m) }
}

// refusal makes a request, and checks that the connection goes on after it.
func (p *peer) refusal(m wire.Request) seen {
	p.t.Helper()
	s := refuses(p.code(m))
	if code := p.code(&wire.Ping{}); code != wire.CodeOK {
		p.t.Errorf("after it, a ping is answered %v", code)
	}
	p.close()
	return s
}

// peerKey gives the outlet an active key, number 1, of a peer by hand.
func peerKey(o *outlet) {
	p := o.opened(o.t, o.token)
	p.key()
	p.close()
}

// revokedKey has that key revoked by the centre.
func revokedKey(o *outlet) {
	peerKey(o)
	o.revokeAtCentre(1)
}

// expiredKey has key 1 expire without waiting: a third pending one does it.
func expiredKey(o *outlet) {
	p := o.opened(o.t, o.token)
	for range 3 {
		p.negotiate()
	}
	p.close()
}

// anothersKey gives a key of number 1 to another outlet.
func anothersKey(o *outlet) { peerKey(o.outlet(o.t, wire.RoleOutlet)) }

package session_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"hufu/server/session"
	"hufu/shared/wire"
)

// TestLogTellsNoSecret has everything happen that is logged, failures too, at
// the finest level, and then looks for every secret in the log.
func TestLogTellsNoSecret(t *testing.T) {
	c := newCentre(t, session.Limits{PerClient: 100}, session.Tuning{})
	token, operator := c.enrol(t, "o", wire.RoleOutlet), c.enrol(t, "op", wire.RoleOperator)
	c.used(t, token)
	c.used(t, operator) // no session looks itself up while the store is down
	secrets := map[string][]byte{"secret": token.Secret[:], "token": []byte(must(token.Encode())(t))}
	note := func(what string, b []byte) { secrets[fmt.Sprintf("%s %d", what, len(secrets))] = b }

	p := c.connect(t, token)
	offer := p.offer()
	reply, _ := p.ask(offer)
	note("r1", offer.R1[:])
	note("share of C", offer.Share[:])
	ok := reply.(*wire.NegotiateOK)
	note("r2", ok.R2[:])
	note("share of S", ok.Share[:])
	note("confirm of S", ok.Confirm[:])

	n := p.active()
	held := p.held[n]
	note("key", held.Key.Bytes()[:])
	confirm := held.Confirm.Bytes()
	note("k_cc", confirm[:32])
	note("k_sc", confirm[32:])
	verify := p.verifyMessage(n)
	reply, _ = p.ask(verify)
	note("confirm of C", verify.Confirm[:])
	verified := reply.(*wire.VerifyOK)
	note("confirm of S", verified.Confirm[:])
	p.ask(&wire.Verify{Seckeyid: n}) // a mismatch
	p.ask(&wire.Revoke{Seckeyid: n})
	p.ask(&wire.Receipt{Seckeyid: n, State: wire.StateRevoked})
	p.ask(&wire.View{Limit: 10, Doc: []byte("\x81")})
	p.ask(&wire.Administer{Doc: []byte("\x80")})
	c.store.set(fmt.Errorf("down"), 0, nil)
	p.ask(&wire.Revoke{Seckeyid: n})
	c.store.set(nil, 0, nil)

	// A token that an operator has made, and one that fails to be.
	op := c.connect(t, operator)
	op.quiet = true
	operate[wire.WatchOK](op, &wire.Watch{})
	op.refused(&wire.Enrol{ID: "new", Role: wire.RoleOutlet}, wire.CodeNoSealKey)
	under := op.active()
	sealed := operate[wire.EnrolledOK](op, &wire.Enrol{ID: "new", Role: wire.RoleOutlet}).Sealed
	note("sealed token", sealed)
	made := must(op.held[under].Seal.OpenToken(op.keys, sealed, op.reply, op.asked[op.q]))(t)
	note("token", made)
	note("secret", must(wire.DecodeToken(string(made)))(t).Secret[:])
	c.store.set(fmt.Errorf("down"), 0, nil)
	op.refused(&wire.NewSecret{ID: "new"}, wire.CodeInternal)
	c.store.set(nil, 0, nil)
	op.ws.CloseNow()
	for q, mac := range p.asked {
		note(fmt.Sprintf("authCode %d", q), mac[:])
	}

	// Every way to fail, before and after open, with good and bad authCodes.
	for _, s := range spoil(p.sign(&wire.Revoke{Seckeyid: n})) {
		if strings.HasPrefix(s.name, "cut") {
			continue
		}
		bad := c.connect(t, token)
		bad.write(websocket.MessageBinary, s.frame)
		bad.closed()
		bad = c.dial(t, token)
		m := bad.openMessage()
		note("authCode", m.AuthCode[:])
		m.Nonce[0] ^= 1
		bad.write(websocket.MessageBinary, bad.encode(m))
		bad.closed()
	}
	bad := c.connect(t, token)
	m := &wire.Ping{}
	bad.sign(m)
	note("authCode", m.AuthCode[:])
	m.AuthCode[0] ^= 1
	note("authCode", m.AuthCode[:])
	bad.write(websocket.MessageBinary, bad.encode(m))
	bad.closed()
	fresh := must(c.NewSecret(t.Context(), "o", true))(t)
	note("secret", fresh.Secret[:])
	p.closed()
	c.connect(t, fresh).ws.CloseNow()
	waitFor(t, "all to be closed", func() bool { return c.sessions.Open() == 0 })

	log := c.log.String()
	if !strings.Contains(log, "authCode is wrong") || !strings.Contains(log, "seckeyid=") || !strings.Contains(log, "client=o") {
		t.Fatalf("the log does not tell what happened:\n%s", log)
	}
	for name, secret := range secrets {
		for _, form := range spellings(secret) {
			if strings.Contains(log, form) {
				t.Errorf("the log tells the %s: %q", name, form)
			}
		}
	}
}

// spellings are the beginnings and ends of the ways in which bytes get printed.
func spellings(b []byte) (all []string) {
	for _, part := range [][]byte{b[:9], b[len(b)-9:]} {
		list := strings.Trim(fmt.Sprint(part), "[]")
		all = append(all, string(part), hex.EncodeToString(part), strings.ToUpper(hex.EncodeToString(part)),
			list, strings.ReplaceAll(list, " ", ", "), strings.Trim(fmt.Sprintf("%q", part), `"`), strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}"))
	}
	// In base64 what stands before decides how a part is spelled: here from the start.
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		all = append(all, e.EncodeToString(b[:9]))
	}
	return all
}

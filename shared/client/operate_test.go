package client

import (
	"crypto/rand"
	"errors"
	"testing"
	"testing/synctest"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

// TestOperate: a result is taken if it fits, with whatever else is in it; else
// the session ends, and nothing is returned.
func TestOperate(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		check     bool
		code      wire.Code
	}{
		{name: "sound", doc: "\x81\xa1n\x07"},
		{name: "with an unknown key", doc: "\x82\xa1n\x07\xa3new\x91\xc3"},
		{name: "without its key", doc: "\x81\xa3new\x07", check: true},
		{name: "with a key twice", doc: "\x82\xa1n\x07\xa1n\x08", check: true},
		{name: "of another kind", doc: "\x81\xa1n\xa17", check: true},
		{name: "no map", doc: "\x91\x07", check: true},
		{name: "empty", doc: "", check: true},
		{name: "refused", code: wire.CodeNotPermitted},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mustRun(t, Options{}, func(p *peer) {
					p.open()
					m := p.request().(*wire.Administer)
					if op, err := wire.OpOf(m.Doc); op != wire.OpWatch || err != nil {
						p.Errorf("%q, %v", op, err)
					}
					if c.code != 0 {
						p.refuse(m, c.code)
					} else {
						p.reply(m, &wire.AdministerOK{Doc: []byte(c.doc)})
					}
				})
				var r wire.WatchOK
				err := Operate(t.Context(), s, &wire.Watch{}, &r)
				switch {
				case c.check:
					wantErr(t, err, wire.ErrFrame)
					wantCheck(t, s.Err(), CheckDoc)
				case c.code != 0:
					wantErr(t, err, c.code)
				case err != nil || r.N != 7:
					t.Errorf("%+v, %v", r, err)
				}
				if !c.check && s.Err() != nil {
					t.Error(s.Err())
				}
			})
		})
	}
}

func TestOperateTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, obliging)
		kinds := make([]string, 1000)
		for i := range kinds {
			kinds[i] = "kind"
		}
		if err := Operate(t.Context(), s, &wire.Events{Kinds: kinds, Limit: 1}, &wire.EventsOK{}); !errors.Is(err, wire.ErrFrame) || s.Err() != nil {
			t.Errorf("%v, %v", err, s.Err())
		}
	})
}

// TestHandOut: the token that a reply carries is taken if it is the one of whom
// the reply speaks.
func TestHandOut(t *testing.T) {
	right := wire.Token{URL: "http://a", ServerID: testID.ServerID, ClientID: "new", Role: wire.RoleOutlet, Epoch: 2, Secret: wire.Secret{1}}
	for _, c := range []struct {
		name  string
		spoil func(t *wire.Token, r *wire.EnrolledOK)
		fails error
	}{
		{name: "sound", spoil: func(*wire.Token, *wire.EnrolledOK) {}},
		{"of another client", func(t *wire.Token, _ *wire.EnrolledOK) { t.ClientID = "old" }, kex.ErrSealed},
		{"of another server", func(t *wire.Token, _ *wire.EnrolledOK) { t.ServerID = "else" }, kex.ErrSealed},
		{"of another role", func(t *wire.Token, _ *wire.EnrolledOK) { t.Role = wire.RoleOperator }, kex.ErrSealed},
		{"of another epoch", func(t *wire.Token, _ *wire.EnrolledOK) { t.Epoch = 1 }, kex.ErrSealed},
		{"under a key that was never agreed", func(_ *wire.Token, r *wire.EnrolledOK) { r.Seckeyid++ }, kex.ErrSealed},
		{"under no key", func(_ *wire.Token, r *wire.EnrolledOK) { r.Seckeyid = 0 }, kex.ErrSealed},
		{"changed", func(_ *wire.Token, r *wire.EnrolledOK) { r.Sealed[20] ^= 1 }, kex.ErrSealed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mustRun(t, Options{}, func(p *peer) { handOut(p, right, c.spoil) })
				if _, err := s.Negotiate(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				r, token, err := HandOut(t.Context(), s, &wire.NewSecret{ID: "new"})
				if c.fails != nil {
					wantErr(t, err, c.fails)
					wantCheck(t, s.Err(), CheckDoc)
					if token != nil || r != nil {
						t.Errorf("%v, %v", r, token)
					}
					return
				}
				if err != nil || *token != right || r.Epoch != 2 {
					t.Errorf("%+v, %+v, %v", r, token, err)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // nothing was done
		s := mustRun(t, Options{}, func(p *peer) {
			p.open()
			doc, _ := wire.EncodeResult(&wire.EnrolledOK{ID: "new", Role: wire.RoleOutlet, Epoch: 3})
			p.reply(p.request(), &wire.AdministerOK{Doc: doc})
		})
		r, token, err := HandOut(t.Context(), s, &wire.NewSecret{ID: "new", Epoch: 2})
		if err != nil || token != nil || r.Epoch != 3 {
			t.Errorf("%+v, %v, %v", r, token, err)
		}
	})
}

// handOut is a server that agrees a key and seals a token under it.
func handOut(p *peer, token wire.Token, spoil func(*wire.Token, *wire.EnrolledOK)) {
	p.open()
	m := p.request().(*wire.Negotiate)
	half, err := kex.Respond(rand.Reader, m)
	if err != nil {
		p.Error(err)
		return
	}
	ok := &wire.NegotiateOK{}
	agreed := half.Agree(p.conn, m, 5, 3600, ok)
	p.reply(m, ok)
	a := p.request()
	r := &wire.EnrolledOK{ID: token.ClientID, Role: token.Role, Epoch: token.Epoch, Seckeyid: 5, Sealed: make([]byte, 100)}
	spoil(&token, r)
	ascii, err := token.Encode()
	if err != nil {
		p.Error(err)
		return
	}
	changed := r.Sealed[20] != 0
	r.Sealed = agreed.Seal.SealToken(p.conn, &[12]byte{1}, []byte(ascii), p.p, a.Head().AuthCode)
	if changed {
		r.Sealed[20] ^= 1
	}
	doc, err := wire.EncodeResult(r)
	if err != nil {
		p.Error(err)
		return
	}
	p.reply(a, &wire.AdministerOK{Doc: doc})
}

package client

import (
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hufu/shared/kex"
	"hufu/shared/wire"
)

func TestNegotiateAndVerify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := 5 * time.Hour
		var server *kex.Held
		s := mustRun(t, Options{Clock: func() time.Duration { return now }}, func(p *peer) {
			p.open()
			m := p.request()
			now += time.Minute // the reply takes its time: the lifetime counts from sending
			var ok *wire.NegotiateOK
			ok, server = p.agree(m.(*wire.Negotiate), 42, 7200)
			p.reply(m, ok)
			for _, state := range []wire.State{wire.StateActive, wire.StateRetired} {
				v := p.request().(*wire.Verify)
				if v.Seckeyid != 42 || !server.CheckClient(p.conn, v.Q, 42, v.Confirm) {
					t.Error("the client's proof is wrong")
				}
				p.reply(v, &wire.VerifyOK{Confirm: server.ProveServer(p.conn, v.Q, 42, v.Confirm), State: state})
			}
		})
		fresh, err := s.Negotiate(t.Context(), 41)
		if err != nil {
			t.Fatal(err)
		}
		if fresh.Seckeyid != 42 || fresh.NotAfter() != 7*time.Hour || !fresh.Held.Key.Equal(&server.Key) {
			t.Errorf("got key %d until %v", fresh.Seckeyid, fresh.NotAfter())
		}
		for _, want := range []wire.State{wire.StateActive, wire.StateRetired} {
			if state, err := s.Verify(t.Context(), 42, fresh.Held); state != want || err != nil {
				t.Errorf("verified as %s, %v", state, err)
			}
		}
	})
}

func TestNegotiateAttacks(t *testing.T) {
	for _, c := range []struct {
		name  string
		lie   func(p *peer, m *wire.Negotiate)
		check Check
	}{
		{"a number that is held", func(p *peer, m *wire.Negotiate) {
			ok, _ := p.agree(m, 10, 3600)
			p.reply(m, ok)
		}, CheckNumber},
		{"a lower number", func(p *peer, m *wire.Negotiate) {
			ok, _ := p.agree(m, 3, 3600)
			p.reply(m, ok)
		}, CheckNumber},
		{"another confirm", func(p *peer, m *wire.Negotiate) {
			ok, _ := p.agree(m, 11, 3600)
			ok.Confirm[0] ^= 1
			p.reply(m, ok)
		}, CheckConfirm},
		{"another lifetime than confirmed", func(p *peer, m *wire.Negotiate) {
			ok, _ := p.agree(m, 11, 3600)
			ok.Lifetime++
			p.reply(m, ok)
		}, CheckConfirm},
		{"another ciphertext", func(p *peer, m *wire.Negotiate) {
			ok, _ := p.agree(m, 11, 3600)
			ok.Share[5] ^= 1
			p.reply(m, ok)
		}, CheckConfirm},
		{"a point of small order", func(p *peer, m *wire.Negotiate) {
			ok, _ := p.agree(m, 11, 3600)
			clear(ok.Share[wire.SizeCiphertext:])
			p.reply(m, ok)
		}, CheckShare},
		{"another secret's mix", func(p *peer, m *wire.Negotiate) {
			real := p.conn
			p.conn = kex.Derive(&wire.Secret{7}, p.id).Connect(&[32]byte{}, &[32]byte{})
			ok, _ := p.agree(m, 11, 3600)
			p.conn = real
			p.reply(m, ok)
		}, CheckConfirm},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mustRun(t, Options{}, func(p *peer) {
					if p.open() {
						c.lie(p, p.request().(*wire.Negotiate))
					}
				})
				_, err := s.Negotiate(t.Context(), 10)
				wantErr(t, err, ErrLost)
				wantCheck(t, s.Err(), c.check)
			})
		})
	}
}

func TestVerifyAttacks(t *testing.T) {
	held := &kex.Held{Key: kex.NewKey(&[32]byte{5}), Confirm: kex.NewConfirmKeys(&[64]byte{6})}
	damaged := &kex.Held{Key: kex.NewKey(&[32]byte{4}), Confirm: held.Confirm}
	for _, c := range []struct {
		name   string
		answer func(p *peer, m *wire.Verify) [32]byte
	}{
		{"a proof of a damaged copy", func(p *peer, m *wire.Verify) [32]byte {
			return damaged.ProveServer(p.conn, m.Q, m.Seckeyid, m.Confirm)
		}},
		{"the client's own proof", func(p *peer, m *wire.Verify) [32]byte { return m.Confirm }},
		{"a proof for another request", func(p *peer, m *wire.Verify) [32]byte {
			return held.ProveServer(p.conn, m.Q+1, m.Seckeyid, m.Confirm)
		}},
		{"a proof for another number", func(p *peer, m *wire.Verify) [32]byte {
			return held.ProveServer(p.conn, m.Q, m.Seckeyid+1, m.Confirm)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mustRun(t, Options{}, func(p *peer) {
					p.open()
					m := p.request().(*wire.Verify)
					p.reply(m, &wire.VerifyOK{Confirm: c.answer(p, m), State: wire.StateActive})
				})
				_, err := s.Verify(t.Context(), 7, held)
				wantErr(t, err, ErrLost)
				wantCheck(t, s.Err(), CheckConfirm)
			})
		})
	}
}

// TestRefusals: a refusal leaves the session open and tells a key's state.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := Options{States: NewStates()}
		s := mustRun(t, o, func(p *peer) {
			p.open()
			for code := wire.CodeBadBody; code <= wire.CodeNoSealKey; code++ {
				p.refuse(p.request(), code)
				p.refuse(p.request(), code)
			}
		})
		held := &kex.Held{}
		for code := wire.CodeBadBody; code <= wire.CodeNoSealKey; code++ {
			n := uint64(code)
			_, err := s.Verify(t.Context(), n, held)
			wantErr(t, err, code)
			wantErr(t, s.Revoke(t.Context(), n+100, 0), code)
			want := map[wire.Code]wire.State{wire.CodeRevoked: wire.StateRevoked, wire.CodeExpired: wire.StateExpired}[code]
			if o.States.At(n) != want || o.States.At(n+100) != want {
				t.Errorf("error %d told states %s and %s", code, o.States.At(n), o.States.At(n+100))
			}
		}
		if s.Err() != nil {
			t.Error(s.Err())
		}
	})
}

func TestView(t *testing.T) {
	row := wire.Row{N: 9, Outlet: "outlet-1", Seckeyid: 4, State: wire.StateActive, Negotiated: 1, Verified: 2, Expires: 3}
	page, _, err := wire.EncodePage([]wire.Row{row, row})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, func(p *peer) {
			p.open()
			m := p.request().(*wire.View)
			if m.Cursor != 12 || m.Limit != 2 || len(m.Doc) == 0 {
				t.Errorf("asked for cursor %d, limit %d, %d bytes of filter", m.Cursor, m.Limit, len(m.Doc))
			}
			p.reply(m, &wire.ViewOK{Doc: page, Cursor: 9})
			p.reply(p.request(), &wire.ViewOK{Doc: page})
		})
		if _, _, err := s.View(t.Context(), &wire.Filter{}, 0, 0); err == nil {
			t.Error("a limit of 0 is sent")
		}
		rows, next, err := s.View(t.Context(), &wire.Filter{Outlet: "outlet-1"}, 12, 2)
		if err != nil || next != 9 || len(rows) != 2 || rows[1] != row {
			t.Errorf("got %v, next %d, %v", rows, next, err)
		}
		_, _, err = s.View(t.Context(), &wire.Filter{}, 0, 1) // more than asked for
		wantErr(t, err, ErrLost)
		wantCheck(t, s.Err(), CheckDoc)
	})
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, func(p *peer) {
			p.open()
			p.reply(p.request(), &wire.ViewOK{Doc: []byte("\x80")})
		})
		_, _, err := s.View(t.Context(), &wire.Filter{}, 0, 1)
		wantErr(t, err, wire.ErrFrame)
		wantCheck(t, s.Err(), CheckDoc)
	})
}

// sealing is a server that seals a token in its answer to administer.
func sealing(n uint64, spoil func(sealed []byte)) func(*peer) {
	return func(p *peer) {
		p.open()
		m := p.request().(*wire.Negotiate)
		r, err := kex.Respond(rand.Reader, m)
		if err != nil {
			p.Error(err)
			return
		}
		ok := &wire.NegotiateOK{}
		agreed := r.Agree(p.conn, m, n, 3600, ok)
		p.reply(m, ok)
		a := p.request()
		sealed := agreed.Seal.SealToken(p.conn, &[12]byte{1}, []byte("hufu1_token"), p.p, a.Head().AuthCode)
		spoil(sealed)
		p.reply(a, &wire.AdministerOK{Doc: sealed})
	}
}

func TestUnseal(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     uint64
		spoil func([]byte)
		fails bool
	}{
		{"sound", 5, func([]byte) {}, false},
		{"changed", 5, func(b []byte) { b[15] ^= 1 }, true},
		{"under a key of another connection", 6, func([]byte) {}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := mustRun(t, Options{}, sealing(5, c.spoil))
				if _, err := s.Negotiate(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
				a, err := s.Administer(t.Context(), []byte{0x80})
				if err != nil {
					t.Fatal(err)
				}
				token, err := s.Unseal(a, c.n, a.Doc)
				if !c.fails {
					if string(token) != "hufu1_token" || err != nil {
						t.Errorf("got %q, %v", token, err)
					}
					s.Close()
					_, err = s.Unseal(a, c.n, a.Doc)
					wantErr(t, err, ErrLost)
					return
				}
				wantErr(t, err, kex.ErrSealed)
				wantCheck(t, s.Err(), CheckDoc)
			})
		})
	}
}

func TestSealsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, obliging)
		for i := range maxSeals + 5 {
			fresh, err := s.Negotiate(t.Context(), uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			fresh.Held.Zero()
		}
		if len(s.seals) != maxSeals || s.seals[5] != nil || s.seals[6] == nil {
			t.Errorf("%d are kept", len(s.seals))
		}
	})
}

func TestTooLongDoc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustRun(t, Options{}, obliging)
		if _, err := s.Administer(t.Context(), make([]byte, wire.MaxDocRequest+1)); err == nil || errors.Is(err, ErrLost) {
			t.Errorf("got %v", err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("what was never sent counts: %v", err)
		}
	})
}

// TestErrorTexts: the prefix, and nothing of a peer that a terminal would obey.
func TestErrorTexts(t *testing.T) {
	for _, err := range []error{
		&CheckError{CheckConfirm, wire.CmdVerify, kex.ErrConfirm}, &CheckError{Check: CheckP, Cmd: wire.CmdPush},
		&CloseError{Code: 1008, Reason: "\x1b[2J"}, &CloseError{Code: 1006},
		ErrLost, ErrRefused, ErrSilent, ErrAged, ErrClosed, ErrOverflow, ErrEnded, ErrNoKey,
	} {
		text := err.Error()
		if !strings.HasPrefix(text, "client: ") || strings.ContainsAny(text, "\x1b\n") {
			t.Errorf("%q", text)
		}
	}
}

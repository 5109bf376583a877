package kex

import (
	"bytes"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"hufu/shared/wire"
)

// go test ./shared/wire ./shared/kex -run 'TestGolden|TestVectors' -update
var update = flag.Bool("update", false, "write testdata anew")

const vectorsPath = "testdata/vectors.json"

// TestVectors shows that the file is what the straight line of the reference
// computes; the tests below hold the package's code against the file.
func TestVectors(t *testing.T) {
	got, err := json.MarshalIndent(newReference().vectorFile, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(vectorsPath, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what docs/protocol.md says; if that has changed, run with -update", vectorsPath)
	}
}

func readVectors(t *testing.T) *vectorFile {
	t.Helper()
	b, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	v := &vectorFile{}
	if err := dec.Decode(v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *vectorFile) message(t *testing.T, name string) vectorMessage {
	t.Helper()
	for _, m := range v.Messages {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("no message %s", name)
	return vectorMessage{}
}

func (v *vectorFile) longTerm() *LongTerm {
	secret := wire.Secret(v.Inputs.Secret)
	return Derive(&secret, Identity{ClientID: v.Inputs.ClientID, ServerID: v.Inputs.ServerID, Epoch: v.Inputs.Epoch})
}

func (v *vectorFile) conn() *Conn {
	return v.longTerm().Connect((*[32]byte)(v.Inputs.NS), (*[32]byte)(v.Inputs.NC))
}

// initiator and respond draw what the vectors say.
func (v *vectorFile) initiator(t *testing.T) *Initiator {
	t.Helper()
	drawn := bytes.Join([][]byte{v.Inputs.R1, v.Inputs.MLKEMSeed, v.Inputs.X25519C}, nil)
	i, err := NewInitiator(bytes.NewReader(drawn))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (v *vectorFile) respond(t *testing.T, m *wire.Negotiate) (*Response, error) {
	t.Helper()
	before := encapsulate
	defer func() { encapsulate = before }()
	encapsulate = func(ek *mlkem.EncapsulationKey768) (secret, ciphertext []byte) {
		secret, ciphertext, err := mlkemtest.Encapsulate768(ek, v.Inputs.MLKEMRandom)
		if err != nil {
			t.Fatal(err)
		}
		return secret, ciphertext
	}
	return Respond(bytes.NewReader(append(bytes.Clone(v.Inputs.R2), v.Inputs.X25519S...)), m)
}

func same(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is %x, not %x", name, got, want)
	}
}

func TestVectorKeys(t *testing.T) {
	v := readVectors(t)
	l, c := v.longTerm(), v.conn()
	same(t, "prk0", extract([]byte("hufu1 enrol"), v.Inputs.Secret), v.Connection.PRK0)
	same(t, "k_auth", l.auth.b[:], v.Connection.KAuth)
	same(t, "k_mix", l.mix.b[:], v.Connection.KMix)
	same(t, "th0", c.th0[:], v.Connection.TH0)
	same(t, "k_c2s", c.c2s.b[:], v.Connection.KC2S)
	same(t, "k_s2c", c.s2c.b[:], v.Connection.KS2C)

	var offer wire.Negotiate
	v.initiator(t).Offer(&offer)
	same(t, "r1", offer.R1[:], v.Inputs.R1)
	same(t, "share_c", offer.Share[:], v.Exchange.ShareC)
	offer.Q = v.Inputs.NegotiationQ
	r, err := v.respond(t, &offer)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "Z", r.z, v.Exchange.Z)
	same(t, "prk", extract(l.mix.b[:], r.z), v.Exchange.PRK)
	var ok wire.NegotiateOK
	server := r.Agree(c, &offer, v.Inputs.Seckeyid, v.Inputs.Lifetime, &ok)
	same(t, "share_s", ok.Share[:], v.Exchange.ShareS)
	client, err := v.initiator(t).Accept(c, v.Inputs.NegotiationQ, &ok)
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]*Agreed{"server": server, "client": client} {
		same(t, name+"'s th", a.th[:], v.Exchange.TH)
		same(t, name+"'s key", a.Key.Bytes()[:], v.Exchange.Key)
		same(t, name+"'s k_cc", a.Confirm.client.b[:], v.Exchange.KCC)
		same(t, name+"'s k_sc", a.Confirm.server.b[:], v.Exchange.KSC)
		same(t, name+"'s k_seal", a.Seal.b[:], v.Exchange.KSeal)
		fp := a.Key.Fingerprint()
		same(t, name+"'s fp", fp[:], v.Exchange.FP)
		if fp.String() != hex.EncodeToString(v.Exchange.FP) {
			t.Errorf("fp is shown as %s", fp)
		}
	}
}

// decodeAt decodes a frame as the receiver at that place would.
func decodeAt(place string, frame []byte) (wire.Message, error) {
	switch place {
	case "hello":
		return wire.DecodeHello(frame)
	case "open":
		return wire.DecodeOpen(frame)
	case "request":
		return wire.DecodeRequest(frame)
	case "open reply":
		return wire.DecodeOpenReply(frame)
	}
	return wire.DecodeServer(frame)
}

// authentic checks a message's authCode as its receiver would: that of an open
// under the identity and nonce that it claims.
func (v *vectorFile) authentic(m wire.Message, answers []byte) bool {
	c := v.conn()
	switch m := m.(type) {
	case *wire.Open:
		secret := wire.Secret(v.Inputs.Secret)
		l := Derive(&secret, Identity{ClientID: m.ClientID, ServerID: m.ServerID, Epoch: m.Epoch})
		return l.Connect((*[32]byte)(v.Inputs.NS), &m.Nonce).CheckRequest(m)
	case wire.Request:
		return c.CheckRequest(m)
	case wire.Reply:
		return c.CheckReply(wire.MAC(answers), m)
	case wire.Notice:
		return c.CheckNotice(m)
	}
	return false
}

// TestVectorMessages decodes every frame, checks and signs it anew.
func TestVectorMessages(t *testing.T) {
	v := readVectors(t)
	c := v.conn()
	for _, f := range v.Messages {
		m, err := decodeAt(f.Place, f.Frame)
		if f.Name == "open refused" {
			if !errors.Is(err, wire.ErrRefused) || !bytes.Equal(f.Frame, wire.OpenFailure()) {
				t.Errorf("%s: %v", f.Name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
			continue
		}
		frame, err := wire.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		same(t, f.Name, frame, f.Frame)
		if f.Name == "hello" {
			continue
		}
		var request wire.MAC
		if f.Answers != "" {
			request = wire.MAC(v.message(t, f.Answers).AuthCode)
		}
		if !v.authentic(m, request[:]) {
			t.Errorf("%s is not authentic", f.Name)
		}
		switch m := m.(type) {
		case wire.Request:
			same(t, f.Name+"'s input", wire.RequestInput(c.th0[:], m), f.Input)
			m.Head().AuthCode = wire.MAC{}
			c.SignRequest(m)
			same(t, f.Name+"'s authCode", m.Head().AuthCode[:], f.AuthCode)
		case wire.Reply:
			same(t, f.Name+"'s input", wire.ReplyInput(c.th0[:], request, m), f.Input)
			m.Head().AuthCode = wire.MAC{}
			c.SignReply(request, m)
			same(t, f.Name+"'s authCode", m.Head().AuthCode[:], f.AuthCode)
		case wire.Notice:
			same(t, f.Name+"'s input", wire.NoticeInput(c.th0[:], m), f.Input)
			m.Head().AuthCode = wire.MAC{}
			c.SignNotice(m)
			same(t, f.Name+"'s authCode", m.Head().AuthCode[:], f.AuthCode)
		}
	}
}

// TestVectorKinds shows that no kind of message is left out.
func TestVectorKinds(t *testing.T) {
	v := readVectors(t)
	there := map[string]bool{}
	for _, f := range v.Messages {
		if m, err := decodeAt(f.Place, f.Frame); err == nil {
			there[reflect.TypeOf(m).Elem().Name()+" "+m.Cmd().String()] = true
		}
	}
	for _, kind := range []string{"Hello hello", "Open open", "OpenOK open", "Negotiate negotiate", "NegotiateOK negotiate", "Verify verify",
		"VerifyOK verify", "Done verify", "Revoke revoke", "Done revoke", "Receipt receipt", "Done receipt", "View view", "ViewOK view",
		"Ping ping", "Done ping", "Administer administer", "AdministerOK administer", "Push push", "Event event"} {
		if !there[kind] {
			t.Errorf("no vector of %s", kind)
		}
	}
}

func (v *vectorFile) held() *Held {
	h, err := ParseHeld(bytes.Join([][]byte{v.Exchange.Key, v.Exchange.KCC, v.Exchange.KSC}, nil))
	if err != nil {
		panic(err)
	}
	return h
}

func TestVectorConfirms(t *testing.T) {
	v := readVectors(t)
	c, h := v.conn(), v.held()
	for _, name := range []string{"verify", "verify of a revoked key"} {
		m, _ := wire.DecodeRequest(v.message(t, name).Frame)
		verify := m.(*wire.Verify)
		proof := h.ProveClient(c, verify.Q, verify.Seckeyid)
		same(t, name, proof[:], verify.Confirm[:])
	}
	m, _ := wire.DecodeRequest(v.message(t, "verify").Frame)
	verify := m.(*wire.Verify)
	r, _ := wire.DecodeServer(v.message(t, "verify ok").Frame)
	proof := h.ProveServer(c, verify.Q, verify.Seckeyid, verify.Confirm)
	same(t, "verify ok", proof[:], r.(*wire.VerifyOK).Confirm[:])
}

func TestVectorToken(t *testing.T) {
	v := readVectors(t)
	token, err := wire.DecodeToken(v.Token.Token)
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Token{URL: v.Token.URL, ServerID: v.Token.ServerID, ClientID: v.Token.ClientID, Role: wire.Role(v.Token.Role),
		Epoch: v.Token.Epoch, Secret: wire.Secret(v.Token.Secret)}
	if *token != want {
		t.Errorf("%v is not %v", token, want)
	}
	if s, err := token.Encode(); err != nil || s != v.Token.Token {
		t.Errorf("%s %v", s, err)
	}
}

func (v *vectorFile) sealKey() *SealKey {
	k := &SealKey{}
	copy(k.b[:], v.Exchange.KSeal)
	return k
}

func TestVectorSealed(t *testing.T) {
	v := readVectors(t)
	c, k, s := v.conn(), v.sealKey(), v.Sealed
	same(t, "associated data", c.sealedAD(s.P, wire.MAC(s.Request)), s.AD)
	same(t, "sealed", k.SealToken(c, (*[12]byte)(s.Nonce), []byte(s.OpensTo), s.P, wire.MAC(s.Request)), s.Sealed)
	got, err := k.OpenToken(c, s.Sealed, s.P, wire.MAC(s.Request))
	if err != nil || string(got) != v.Token.Token {
		t.Error(err)
	}
	if m, err := wire.DecodeServer(v.message(t, "administer ok").Frame); err != nil || !bytes.Contains(m.(*wire.AdministerOK).Doc, s.Sealed) {
		t.Error("the sealed token is not in the reply's document")
	}
}

// TestVectorNegatives expects every failure, in its class.
func TestVectorNegatives(t *testing.T) {
	v := readVectors(t)
	seen := map[string]int{}
	for _, n := range v.Negative {
		seen[n.Class]++
		if got := v.failure(t, n); got != n.Class {
			t.Errorf("%s: %q, not %q", n.Name, got, n.Class)
		}
	}
	for _, class := range []string{classFrame, classMAC, classConfirm, classMLKEM, classX25519, classSealed, classToken, classDocument} {
		if seen[class] < 3 {
			t.Errorf("%d vectors of %q", seen[class], class)
		}
	}
}

// failure tells the class in which the code refuses a negative vector.
func (v *vectorFile) failure(t *testing.T, n vectorNegative) string {
	t.Helper()
	switch {
	case n.Token != "":
		if _, err := wire.DecodeToken(n.Token); errors.Is(err, wire.ErrToken) {
			return classToken
		}
	case n.Sealed != nil:
		if _, err := v.sealKey().OpenToken(v.conn(), n.Sealed, n.P, wire.MAC(n.Answers)); errors.Is(err, ErrSealed) {
			return classSealed
		}
	case n.Share != nil, n.X25519 != nil:
		return v.shareFailure(t, n)
	case n.Place == "filter":
		if _, err := wire.DecodeFilter(n.Doc); errors.Is(err, wire.ErrFrame) {
			return classDocument
		}
	case n.Place == "page":
		if _, err := wire.DecodePage(n.Doc); errors.Is(err, wire.ErrFrame) {
			return classDocument
		}
	case n.Place == "operation":
		if _, err := wire.DecodeOperation(n.Doc); errors.Is(err, wire.ErrFrame) {
			return classDocument
		}
	case n.Place == "event":
		if err := wire.DecodeResult(n.Doc, &wire.EventRow{}); errors.Is(err, wire.ErrFrame) {
			return classDocument
		}
	default:
		m, err := decodeAt(n.Place, n.Frame)
		switch {
		case errors.Is(err, wire.ErrFrame):
			return classFrame
		case err == nil && !v.authentic(m, n.Answers):
			return classMAC
		case err == nil && !v.confirms(t, m):
			return classConfirm
		}
	}
	return "nothing"
}

// shareFailure offers a bad share to the server, and a bad point to the client too.
func (v *vectorFile) shareFailure(t *testing.T, n vectorNegative) string {
	t.Helper()
	offer := &wire.Negotiate{R1: [32]byte(v.Inputs.R1), Share: [wire.SizeShareC]byte(v.Exchange.ShareC)}
	if n.Share != nil {
		offer.Share = [wire.SizeShareC]byte(n.Share)
	} else {
		copy(offer.Share[wire.SizeEK:], n.X25519)
		m, err := wire.DecodeServer(v.message(t, "negotiate ok").Frame)
		if err != nil {
			t.Fatal(err)
		}
		ok := m.(*wire.NegotiateOK)
		copy(ok.Share[wire.SizeCiphertext:], n.X25519)
		if _, err := v.initiator(t).Accept(v.conn(), 1, ok); !errors.Is(err, ErrShare) || !strings.Contains(err.Error(), "X25519") {
			return fmt.Sprint("the client: ", err)
		}
	}
	switch _, err := v.respond(t, offer); {
	case !errors.Is(err, ErrShare):
	case strings.Contains(err.Error(), "ML-KEM"):
		return classMLKEM
	case strings.Contains(err.Error(), "X25519"):
		return classX25519
	}
	return "nothing"
}

// confirms checks the proof within an authentic message.
func (v *vectorFile) confirms(t *testing.T, m wire.Message) bool {
	t.Helper()
	switch m := m.(type) {
	case *wire.NegotiateOK:
		a, err := v.initiator(t).Accept(v.conn(), m.Q, m)
		if (a == nil) != (err != nil) || err != nil && !errors.Is(err, ErrConfirm) {
			t.Error(err)
		}
		return err == nil
	case *wire.Verify:
		return v.held().CheckClient(v.conn(), m.Q, m.Seckeyid, m.Confirm)
	case *wire.VerifyOK:
		return v.held().CheckServer(v.conn(), m.Q, v.Inputs.Seckeyid, v.held().ProveClient(v.conn(), m.Q, v.Inputs.Seckeyid), m.Confirm)
	}
	return true
}

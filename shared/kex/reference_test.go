package kex

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// The protocol a second time, in a straight line from the formulas of
// docs/protocol.md §4 and §5 and the table of §3, without the code that it is
// there to check: testdata/vectors.json is what it computes.

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vectorFile struct {
	About      []string         `json:"about"`
	Inputs     vectorInputs     `json:"inputs"`
	Connection vectorConn       `json:"connection"`
	Exchange   vectorExchange   `json:"exchange"`
	Messages   []vectorMessage  `json:"messages"`
	Token      vectorToken      `json:"token"`
	Sealed     vectorSealed     `json:"sealed"`
	Negative   []vectorNegative `json:"negative"`
}

type vectorInputs struct {
	ClientID     string   `json:"client_id"`
	ServerID     string   `json:"server_id"`
	Epoch        uint64   `json:"epoch"`
	Secret       hexBytes `json:"secret"`
	NS           hexBytes `json:"n_s"`
	NC           hexBytes `json:"n_c"`
	R1           hexBytes `json:"r1"`
	R2           hexBytes `json:"r2"`
	MLKEMSeed    hexBytes `json:"mlkem_seed_d_z"`
	MLKEMRandom  hexBytes `json:"mlkem_encapsulation_randomness"`
	X25519C      hexBytes `json:"x25519_private_c"`
	X25519S      hexBytes `json:"x25519_private_s"`
	Seckeyid     uint64   `json:"seckeyid"`
	Lifetime     uint64   `json:"lifetime"`
	SealNonce    hexBytes `json:"seal_nonce"`
	NegotiationQ uint64   `json:"negotiation_q"`
}

type vectorConn struct {
	PRK0     hexBytes `json:"prk0"`
	KAuth    hexBytes `json:"k_auth"`
	KMix     hexBytes `json:"k_mix"`
	TH0Input hexBytes `json:"th0_input"`
	TH0      hexBytes `json:"th0"`
	KC2S     hexBytes `json:"k_c2s"`
	KS2C     hexBytes `json:"k_s2c"`
}

type vectorExchange struct {
	ShareC    hexBytes `json:"share_c"`
	ShareS    hexBytes `json:"share_s"`
	SSMLKEM   hexBytes `json:"ss_mlkem"`
	SSX25519  hexBytes `json:"ss_x25519"`
	Z         hexBytes `json:"Z"`
	TH        hexBytes `json:"th"`
	PRK       hexBytes `json:"prk"`
	MS        hexBytes `json:"ms"`
	Key       hexBytes `json:"key"`
	KCC       hexBytes `json:"k_cc"`
	KSC       hexBytes `json:"k_sc"`
	KSeal     hexBytes `json:"k_seal"`
	FP        hexBytes `json:"fp"`
	SHA256Key hexBytes `json:"sha256_key"`
}

type vectorMessage struct {
	Name     string   `json:"name"`
	Place    string   `json:"place"`              // which decoder it is for
	Key      string   `json:"key,omitempty"`      // of the authCode
	Input    hexBytes `json:"input,omitempty"`    // of the authCode
	AuthCode hexBytes `json:"authCode,omitempty"` // raw; hex digits on the wire
	Frame    hexBytes `json:"frame"`
	Answers  string   `json:"answers,omitempty"` // the request that a reply answers
}

type vectorToken struct {
	URL      string   `json:"url"`
	ServerID string   `json:"server_id"`
	ClientID string   `json:"client_id"`
	Role     uint64   `json:"role"`
	Epoch    uint64   `json:"epoch"`
	Secret   hexBytes `json:"secret"`
	Bytes    hexBytes `json:"bytes"`
	Token    string   `json:"token"`
}

type vectorSealed struct {
	P        uint64   `json:"p"`
	Request  hexBytes `json:"request_authCode"`
	Nonce    hexBytes `json:"nonce"`
	AD       hexBytes `json:"associated_data"`
	Sealed   hexBytes `json:"sealed"`
	OpensTo  string   `json:"opens_to"`
	Seckeyid uint64   `json:"seckeyid"`
}

type vectorNegative struct {
	Name    string   `json:"name"`
	Class   string   `json:"class"`
	Place   string   `json:"place,omitzero"`
	Frame   hexBytes `json:"frame,omitzero"`
	Answers hexBytes `json:"request_authCode,omitzero"`
	Share   hexBytes `json:"share,omitzero"`
	X25519  hexBytes `json:"x25519,omitzero"`
	Sealed  hexBytes `json:"sealed,omitzero"`
	P       uint64   `json:"p,omitzero"`
	Token   string   `json:"token,omitzero"`
	Doc     hexBytes `json:"doc,omitzero"`
}

// The classes of failure that a negative vector expects.
const (
	classFrame    = "frame refused"
	classMAC      = "authCode mismatch"
	classConfirm  = "confirm mismatch"
	classMLKEM    = "share: ML-KEM coefficient out of range"
	classX25519   = "share: X25519 low order point"
	classSealed   = "sealed does not open"
	classToken    = "token refused"
	classDocument = "document refused"
)

var vectorAbout = []string{
	"Vectors of the protocol hufu1 (docs/protocol.md). Byte strings are hex; numbers and identifiers are as they are.",
	"One connection of the operator op-1: hello, open, negotiate, verify, then one of every message, in the order in which they are sent.",
	"messages: input is E(...) of section 5, authCode its HMAC under key; place is where the frame is read: hello, open, request, open reply, server.",
	"negative: each must fail with its class. A frame with class 'authCode mismatch' or 'confirm mismatch' is well-formed.",
	"negative x25519: a public value to be put in place of the last 32 bytes of either side's share.",
}

func u64(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func lp(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func refE(label string, parts ...[]byte) []byte {
	b := append(lp([]byte(label)), binary.BigEndian.AppendUint32(nil, uint32(len(parts)))...)
	for _, p := range parts {
		b = append(b, lp(p)...)
	}
	return b
}

func refHash(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func refHMAC(key, input []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(input)
	return h.Sum(nil)
}

func refExpand(prk, info []byte) []byte { return must(hkdf.Expand(sha256.New, prk, string(info), 32)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// fixed is 32 bytes that everyone can make: the hash of their name.
func fixed(name string) []byte { return refHash([]byte("hufu1 vector " + name)) }

// entry is one field of a message: uint64, string or []byte.
type entry struct {
	name  string
	value any
}

func (e entry) bytes() []byte {
	switch v := e.value.(type) {
	case uint64:
		return u64(v)
	case string:
		return []byte(v)
	}
	return e.value.([]byte)
}

// raw is a msgpack value as it stands.
type raw []byte

// packValue writes msgpack in its shortest form.
func packValue(v any) []byte {
	switch v := v.(type) {
	case raw:
		return v
	case int:
		return []byte{byte(v)} // -32 .. 127
	case uint64:
		switch {
		case v < 1<<7:
			return []byte{byte(v)}
		case v < 1<<8:
			return append([]byte{0xcc}, u64(v)[7:]...)
		case v < 1<<16:
			return append([]byte{0xcd}, u64(v)[6:]...)
		case v < 1<<32:
			return append([]byte{0xce}, u64(v)[4:]...)
		}
		return append([]byte{0xcf}, u64(v)...)
	case string:
		if len(v) < 32 {
			return append([]byte{0xa0 | byte(len(v))}, v...)
		}
		return append([]byte{0xd9, byte(len(v))}, v...)
	case []byte:
		if len(v) < 256 {
			return append([]byte{0xc4, byte(len(v))}, v...)
		}
		return append(append([]byte{0xc5}, u64(uint64(len(v)))[6:]...), v...)
	case []any:
		b := []byte{0x90 | byte(len(v))}
		for _, item := range v {
			b = append(b, packValue(item)...)
		}
		return b
	}
	return pack(v.([]entry))
}

func pack(entries []entry) []byte {
	b := []byte{0x80 | byte(len(entries))}
	for _, e := range entries {
		b = append(append(b, packValue(e.name)...), packValue(e.value)...)
	}
	return b
}

func clone(entries []entry) []entry { return append([]entry(nil), entries...) }

// with replaces a field's value.
func with(entries []entry, name string, value any) []entry {
	c := clone(entries)
	for i := range c {
		if c[i].name == name {
			c[i].value = value
			return c
		}
	}
	panic("no field " + name)
}

// reference is one connection, step by step.
type reference struct {
	vectorFile
	last     []byte             // authCode of the newest request
	lastName string             // and which that is
	entries  map[string][]entry // every message's fields, by name
}

func (r *reference) add(m vectorMessage, entries []entry) {
	m.Frame = pack(entries)
	r.entries[m.Name] = entries
	r.Messages = append(r.Messages, m)
}

func (r *reference) parties() []entry {
	return []entry{{"clientId", r.Inputs.ClientID}, {"serverId", r.Inputs.ServerID}}
}

func bodyBytes(body []entry) (parts [][]byte) {
	for _, e := range body {
		parts = append(parts, e.bytes())
	}
	return parts
}

func (r *reference) request(name string, cmd, q uint64, body ...entry) {
	head := [][]byte{r.Connection.TH0, u64(cmd), u64(q), []byte(r.Inputs.ClientID), []byte(r.Inputs.ServerID)}
	m := vectorMessage{Name: name, Place: "request", Key: "k_c2s", Input: refE("hufu1 req", append(head, bodyBytes(body)...)...)}
	m.AuthCode = refHMAC(r.Connection.KC2S, m.Input)
	entries := append([]entry{{"cmdType", cmd}, {"q", q}}, r.parties()...)
	r.add(m, append(append(entries, body...), entry{"authCode", hex.EncodeToString(m.AuthCode)}))
	r.last, r.lastName = m.AuthCode, name
}

// reply answers the newest request; with an error it is a refusal.
func (r *reference) reply(name string, cmd, p, q, code uint64, body ...entry) {
	rv, packed := uint64(0), any(uint64(0))
	if code != 0 {
		rv, packed = 1<<64-1, -1 // two's complement
	}
	head := [][]byte{r.Connection.TH0, u64(cmd), u64(p), u64(q), r.last, u64(rv), u64(code), []byte(r.Inputs.ClientID), []byte(r.Inputs.ServerID)}
	m := vectorMessage{Name: name, Place: "server", Key: "k_s2c", Input: refE("hufu1 rep", append(head, bodyBytes(body)...)...), Answers: r.lastName}
	if cmd == 0 {
		m.Place = "open reply"
	}
	m.AuthCode = refHMAC(r.Connection.KS2C, m.Input)
	entries := append([]entry{{"cmdType", cmd}, {"p", p}, {"q", q}, {"rv", packed}, {"error", code}}, r.parties()...)
	r.add(m, append(append(entries, body...), entry{"authCode", hex.EncodeToString(m.AuthCode)}))
}

func (r *reference) notice(name string, cmd, p uint64, body ...entry) {
	head := [][]byte{r.Connection.TH0, u64(cmd), u64(p), []byte(r.Inputs.ClientID), []byte(r.Inputs.ServerID)}
	m := vectorMessage{Name: name, Place: "server", Key: "k_s2c", Input: refE("hufu1 psh", append(head, bodyBytes(body)...)...)}
	m.AuthCode = refHMAC(r.Connection.KS2C, m.Input)
	entries := append([]entry{{"cmdType", cmd}, {"p", p}}, r.parties()...)
	r.add(m, append(append(entries, body...), entry{"authCode", hex.EncodeToString(m.AuthCode)}))
}

// newReference computes the whole file.
func newReference() *reference {
	r := &reference{entries: map[string][]entry{}}
	r.About = vectorAbout
	r.Inputs = vectorInputs{ClientID: "op-1", ServerID: "centre", Epoch: 7, Secret: fixed("secret"), NS: fixed("n_s"), NC: fixed("n_c"),
		R1: fixed("r1"), R2: fixed("r2"), MLKEMSeed: append(fixed("d"), fixed("z")...), MLKEMRandom: fixed("m"),
		X25519C: fixed("x25519 c"), X25519S: fixed("x25519 s"), Seckeyid: 42, Lifetime: 86400, SealNonce: fixed("seal nonce")[:12], NegotiationQ: 1}
	r.connect()
	r.exchange()
	r.converse()
	r.negatives()
	return r
}

// connect is §4 up to the connection's keys.
func (r *reference) connect() {
	in, c := &r.Inputs, &r.Connection
	client, server := []byte(in.ClientID), []byte(in.ServerID)
	c.PRK0 = must(hkdf.Extract(sha256.New, in.Secret, []byte("hufu1 enrol")))
	c.KAuth = refExpand(c.PRK0, refE("hufu1 auth", client, server, u64(in.Epoch)))
	c.KMix = refExpand(c.PRK0, refE("hufu1 mix", client, server, u64(in.Epoch)))
	c.TH0Input = refE("hufu1 conn", u64(1), server, client, u64(in.Epoch), in.NS, in.NC)
	c.TH0 = refHash(c.TH0Input)
	c.KC2S = refExpand(c.KAuth, refE("hufu1 c2s", c.TH0))
	c.KS2C = refExpand(c.KAuth, refE("hufu1 s2c", c.TH0))
}

// exchange is §4 from the shares to the keys.
func (r *reference) exchange() {
	in, x := &r.Inputs, &r.Exchange
	dk := must(mlkem.NewDecapsulationKey768(in.MLKEMSeed))
	c, s := must(ecdh.X25519().NewPrivateKey(in.X25519C)), must(ecdh.X25519().NewPrivateKey(in.X25519S))
	secret, ciphertext, err := mlkemtest.Encapsulate768(dk.EncapsulationKey(), in.MLKEMRandom)
	if err != nil {
		panic(err)
	}
	x.ShareC = append(append(hexBytes{}, dk.EncapsulationKey().Bytes()...), c.PublicKey().Bytes()...)
	x.ShareS = append(append(hexBytes{}, ciphertext...), s.PublicKey().Bytes()...)
	x.SSMLKEM, x.SSX25519 = secret, must(c.ECDH(s.PublicKey()))
	x.Z = append(append(hexBytes{}, x.SSMLKEM...), x.SSX25519...)
	x.TH = refHash(refE("hufu1 neg", r.Connection.TH0, u64(in.NegotiationQ), []byte(in.ClientID), []byte(in.ServerID),
		in.R1, x.ShareC, in.R2, x.ShareS, u64(in.Seckeyid), u64(in.Lifetime)))
	x.PRK = must(hkdf.Extract(sha256.New, x.Z, r.Connection.KMix))
	x.MS = refExpand(x.PRK, refE("hufu1 master", x.TH))
	x.Key = refExpand(x.MS, refE("hufu1 key"))
	x.KCC = refExpand(x.MS, refE("hufu1 cconf"))
	x.KSC = refExpand(x.MS, refE("hufu1 sconf"))
	x.KSeal = refExpand(x.MS, refE("hufu1 seal"))
	x.FP = refHash(refE("hufu1 fp", x.Key))[:8]
	x.SHA256Key = refHash(x.Key)
}

// proveClient and proveServer are the confirmations of verify and verify ok (§5).
func (r *reference) proveClient(q uint64) []byte {
	return refHMAC(r.Exchange.KCC, refE("hufu1 hc", r.Connection.TH0, u64(q), u64(r.Inputs.Seckeyid), r.Exchange.SHA256Key))
}

func (r *reference) proveServer(q uint64) []byte {
	return refHMAC(r.Exchange.KSC, refE("hufu1 hs", r.Connection.TH0, u64(q), u64(r.Inputs.Seckeyid), r.Exchange.SHA256Key, r.proveClient(q)))
}

// converse sends one of every message.
func (r *reference) converse() {
	in, x, now := &r.Inputs, &r.Exchange, uint64(1_750_000_000_000)
	id := in.Seckeyid

	r.add(vectorMessage{Name: "hello", Place: "hello"},
		[]entry{{"version", uint64(1)}, {"cmdType", uint64(16)}, {"serverId", in.ServerID}, {"nonce", []byte(in.NS)}})
	open := vectorMessage{Name: "open", Place: "open", Key: "k_c2s",
		Input: refE("hufu1 req", r.Connection.TH0, u64(0), u64(0), []byte(in.ClientID), []byte(in.ServerID))}
	open.AuthCode = refHMAC(r.Connection.KC2S, open.Input)
	r.add(open, append(append([]entry{{"version", uint64(1)}, {"cmdType", uint64(0)}}, r.parties()...),
		entry{"epoch", in.Epoch}, entry{"nonce", []byte(in.NC)}, entry{"authCode", hex.EncodeToString(open.AuthCode)}))
	r.last, r.lastName = open.AuthCode, "open"
	r.reply("open ok", 0, 0, 0, 0, entry{"role", uint64(2)}, entry{"idle", uint64(75)}, entry{"grace", uint64(3600)}, entry{"now", now})

	r.request("negotiate", 1, 1, entry{"r1", []byte(in.R1)}, entry{"share", []byte(x.ShareC)})
	r.reply("negotiate ok", 1, 1, 1, 0, entry{"seckeyid", id}, entry{"r2", []byte(in.R2)}, entry{"share", []byte(x.ShareS)},
		entry{"lifetime", in.Lifetime}, entry{"confirm", refHMAC(x.KSC, refE("hufu1 hneg", x.TH))})
	r.request("verify", 2, 2, entry{"seckeyid", id}, entry{"confirm", r.proveClient(2)})
	r.reply("verify ok", 2, 2, 2, 0, entry{"confirm", r.proveServer(2)}, entry{"state", uint64(2)})
	r.notice("push retired", 17, 3, entry{"seckeyid", id - 1}, entry{"state", uint64(3)}, entry{"reason", uint64(4)})

	filter := pack([]entry{{"outlet", in.ClientID}, {"states", []any{uint64(2), uint64(3)}}})
	r.request("view", 4, 3, entry{"doc", filter}, entry{"cursor", uint64(0)}, entry{"limit", uint64(50)})
	row := []entry{{"n", uint64(1001)}, {"outlet", in.ClientID}, {"seckeyid", id}, {"state", uint64(2)}, {"negotiated", now + 40},
		{"verified", now + 90}, {"expires", now + 40 + 1000*in.Lifetime}, {"fp", hex.EncodeToString(x.FP)}}
	r.reply("view ok", 4, 4, 3, 0, entry{"doc", pack([]entry{{"rows", []any{row}}})}, entry{"cursor", uint64(0)})
	r.request("ping", 5, 4)
	r.reply("ping ok", 5, 5, 4, 0)

	r.request("administer", 6, 5, entry{"doc", pack([]entry{{"op", "enrol"}, {"id", "o-02"}, {"role", uint64(1)}})})
	r.seal(6)
	r.reply("administer ok", 6, 6, 5, 0, entry{"doc", pack([]entry{{"id", "o-02"}, {"role", uint64(1)}, {"epoch", uint64(1)},
		{"sealed", []byte(r.Sealed.Sealed)}, {"seckeyid", id}})})
	r.notice("event", 18, 7, entry{"doc", pack([]entry{{"n", uint64(77)}, {"at", now + 500}, {"kind", "lost"}})})

	r.request("revoke", 3, 6, entry{"seckeyid", id}, entry{"reason", uint64(2)})
	r.reply("revoke ok", 3, 8, 6, 0)
	r.notice("push revoked", 17, 9, entry{"seckeyid", id}, entry{"state", uint64(5)}, entry{"reason", uint64(2)})
	r.request("receipt", 7, 7, entry{"seckeyid", id}, entry{"state", uint64(5)})
	r.reply("receipt ok", 7, 10, 7, 0)
	r.request("verify of a revoked key", 2, 8, entry{"seckeyid", id}, entry{"confirm", r.proveClient(8)})
	r.reply("verify refused", 2, 11, 8, 3)
	r.add(vectorMessage{Name: "open refused", Place: "open reply"}, []entry{{"version", uint64(1)}, {"cmdType", uint64(0)}, {"rv", -1}})
}

// seal makes the token of a new outlet and seals it for the reply p to the newest request.
func (r *reference) seal(p uint64) {
	t := vectorToken{URL: "https://keys.example.org/hufu", ServerID: r.Inputs.ServerID, ClientID: "o-02", Role: 1, Epoch: 1, Secret: fixed("token secret")}
	t.Bytes = refE("hufu1 token", []byte(t.URL), []byte(t.ServerID), []byte(t.ClientID), u64(t.Role), u64(t.Epoch), t.Secret)
	t.Token = spellToken(t.Bytes)
	r.Token = t
	s := vectorSealed{P: p, Request: r.last, Nonce: r.Inputs.SealNonce, OpensTo: t.Token, Seckeyid: r.Inputs.Seckeyid}
	s.AD = refE("hufu1 sealed", r.Connection.TH0, u64(p), s.Request)
	gcm := must(cipher.NewGCM(must(aes.NewCipher(r.Exchange.KSeal))))
	s.Sealed = append(append(hexBytes{}, s.Nonce...), gcm.Seal(nil, s.Nonce, []byte(t.Token), s.AD)...)
	r.Sealed = s
}

func spellToken(b []byte) string {
	return "hufu1_" + base64.RawURLEncoding.EncodeToString(append(append([]byte{}, b...), refHash(b)[:4]...))
}

func (r *reference) refuse(n vectorNegative) { r.Negative = append(r.Negative, n) }

// message finds what was sent.
func (r *reference) message(name string) vectorMessage {
	for _, m := range r.Messages {
		if m.Name == name {
			return m
		}
	}
	panic("no message " + name)
}

func (r *reference) negatives() {
	r.badFrames()
	r.badMACs()
	r.badConfirms()
	r.badShares()
	r.badSealed()
	r.badTokens()
	r.badDocuments()
}

func (r *reference) badFrames() {
	frame := func(of, name string, b []byte) {
		r.refuse(vectorNegative{Name: of + ": " + name, Class: classFrame, Place: r.message(of).Place, Frame: b})
	}
	for _, c := range []struct {
		of, field, what string
		value           any
	}{
		{"hello", "version", "version 2", uint64(2)}, {"hello", "version", "version 257", uint64(257)},
		{"hello", "nonce", "nonce of 31 bytes", make([]byte, 31)}, {"hello", "serverId", "empty serverId", ""},
		{"open", "epoch", "epoch 0", uint64(0)}, {"open", "epoch", "epoch 2^32", uint64(1 << 32)}, {"open", "epoch", "epoch is nil", raw{0xc0}},
		{"open", "clientId", "clientId of 12 bytes", "123456789012"}, {"open", "clientId", "clientId with a slash", "a/b"},
		{"open", "clientId", "clientId as bin", []byte("op-1")}, {"open", "nonce", "nonce as str", raw(append([]byte{0xd9, 32}, make([]byte, 32)...))},
		{"open", "authCode", "authCode as bin", make([]byte, 32)}, {"open", "authCode", "authCode in capitals", strings.Repeat("AB", 32)},
		{"open", "authCode", "authCode of 62 digits", strings.Repeat("ab", 31)}, {"open", "cmdType", "cmdType 1", uint64(1)},
		{"open ok", "role", "role 0", uint64(0)}, {"open ok", "role", "role 258", uint64(258)}, {"open ok", "idle", "idle 74", uint64(74)},
		{"open ok", "rv", "rv -1", -1}, {"open ok", "now", "now is a float", raw{0xcb, 0x42, 0x79, 0x7d, 0xb0, 0, 0, 0, 0}},
		{"negotiate", "share", "share one byte short", []byte(r.Exchange.ShareC[1:])}, {"negotiate", "r1", "r1 of 64 bytes", make([]byte, 64)},
		{"negotiate", "q", "q 0", uint64(0)}, {"negotiate", "q", "q 2^32", uint64(1 << 32)}, {"negotiate", "q", "q -1", -1},
		{"negotiate ok", "share", "share of a client", []byte(r.Exchange.ShareC)}, {"negotiate ok", "lifetime", "lifetime 59", uint64(59)},
		{"negotiate ok", "seckeyid", "seckeyid 2^53", uint64(1 << 53)}, {"negotiate ok", "rv", "rv 2^64-1", uint64(1<<64 - 1)},
		{"negotiate ok", "rv", "rv -1 with a body", -1}, {"negotiate ok", "error", "error 6 with rv 0", uint64(6)},
		{"verify", "seckeyid", "seckeyid 0", uint64(0)}, {"verify", "seckeyid", "seckeyid is true", raw{0xc3}}, {"verify", "confirm", "confirm of 16 bytes", make([]byte, 16)},
		{"verify ok", "state", "state 1", uint64(1)}, {"revoke", "reason", "reason 300", uint64(300)}, {"revoke", "reason", "reason is a list", []any{}},
		{"revoke", "reason", "reason is an ext", raw{0xd4, 1, 2}}, {"view", "limit", "limit 0", uint64(0)}, {"view", "limit", "limit 501", uint64(501)},
		{"view", "doc", "doc is a map", []entry{{"outlet", "op-1"}}}, {"view", "doc", "doc of 1701 bytes", make([]byte, 1701)}, {"view", "doc", "doc is nil", raw{0xc0}},
		{"push revoked", "state", "state 2", uint64(2)}, {"push revoked", "p", "p 0", uint64(0)},
		{"verify refused", "error", "error 0 with rv -1", uint64(0)}, {"verify refused", "error", "error 10", uint64(10)}, {"verify refused", "rv", "rv -2", -2},
		{"ping", "cmdType", "cmdType 8", uint64(8)}, {"ping", "cmdType", "cmdType 261", uint64(261)},
		{"ping", "q", "q declares 4 GiB of bytes", raw{0xc6, 0xff, 0xff, 0xff, 0xff}}, {"ping", "q", "q declares 2^32-1 items", raw{0xdd, 0xff, 0xff, 0xff, 0xff}},
	} {
		frame(c.of, c.what, pack(with(r.entries[c.of], c.field, c.value)))
	}
	for _, of := range []string{"hello", "open", "open ok", "ping", "ping ok", "push revoked"} {
		e, whole := r.entries[of], []byte(r.message(of).Frame)
		frame(of, "a byte short", whole[:len(whole)-1])
		frame(of, "a byte behind", append(append([]byte{}, whole...), 0))
		frame(of, "a field less", pack(e[:len(e)-1]))
		frame(of, "an unknown field", pack(append(clone(e), entry{"extra", uint64(1)})))
		frame(of, "a field twice", pack(append(clone(e), e[len(e)-1])))
		frame(of, "a field twice in place of another", pack(append(clone(e[:len(e)-1]), e[0])))
	}
	frame("ping", "an empty frame", []byte{})
	frame("ping", "an empty map", []byte{0x80})
	frame("ping", "a list", []byte{0x90})
	frame("ping", "a map of 2^32-1 entries", []byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 'q', 1})
	frame("ping", "a key that is bin", append([]byte{0x86, 0xc4, 1, 'x', 1}, r.message("ping").Frame[1:]...))
}

// badMACs are well-formed messages of which something was changed on the way.
func (r *reference) badMACs() {
	for _, c := range []struct {
		of, field, what string
		value           any
	}{
		{"open", "epoch", "another epoch", r.Inputs.Epoch + 1}, {"open", "nonce", "another nonce", fixed("other")}, {"open", "clientId", "another clientId", "op-2"},
		{"open ok", "role", "another role", uint64(3)}, {"open ok", "idle", "another idle", uint64(76)}, {"open ok", "now", "another now", uint64(1)},
		{"negotiate", "r1", "another r1", fixed("other")}, {"negotiate", "q", "another q", uint64(2)}, {"negotiate", "serverId", "another serverId", "other"},
		{"negotiate ok", "seckeyid", "another seckeyid", uint64(43)}, {"negotiate ok", "lifetime", "another lifetime", uint64(86401)},
		{"negotiate ok", "r2", "another r2", fixed("other")}, {"negotiate ok", "confirm", "another confirm", fixed("other")}, {"negotiate ok", "p", "another p", uint64(2)},
		{"verify", "seckeyid", "another seckeyid", uint64(41)}, {"verify", "confirm", "another confirm", fixed("other")},
		{"verify ok", "state", "another state", uint64(3)}, {"view", "cursor", "another cursor", uint64(1)}, {"view", "doc", "another filter", []byte{}},
		{"view ok", "cursor", "another cursor", uint64(1)}, {"view ok", "doc", "another page", []byte("\x81\xa4rows\x90")},
		{"revoke", "reason", "another reason", uint64(1)}, {"revoke ok", "cmdType", "for a receipt", uint64(7)}, {"receipt", "state", "another state", uint64(4)},
		{"verify refused", "error", "another error", uint64(2)}, {"push retired", "p", "another p", uint64(4)}, {"push retired", "state", "another state", uint64(5)},
		{"push revoked", "seckeyid", "another seckeyid", uint64(41)}, {"event", "doc", "another doc", []byte{0x80}},
	} {
		n := vectorNegative{Name: c.of + ": " + c.what, Class: classMAC, Place: r.message(c.of).Place, Frame: pack(with(r.entries[c.of], c.field, c.value))}
		if a := r.message(c.of).Answers; a != "" {
			n.Answers = r.message(a).AuthCode
		}
		r.refuse(n)
	}
	r.refuse(vectorNegative{Name: "ping ok: to another request", Class: classMAC, Place: "server", Frame: r.message("ping ok").Frame, Answers: r.message("view").AuthCode})
	r.refuse(vectorNegative{Name: "verify refused: to an earlier verify", Class: classMAC, Place: "server", Frame: r.message("verify refused").Frame, Answers: r.message("verify").AuthCode})
	ping := r.message("ping")
	wrongKey := hex.EncodeToString(refHMAC(r.Connection.KS2C, ping.Input))
	r.refuse(vectorNegative{Name: "ping: under the server's key", Class: classMAC, Place: "request", Frame: pack(with(r.entries["ping"], "authCode", wrongKey))})
}

// badConfirms are authentic messages with a wrong proof within.
func (r *reference) badConfirms() {
	wrong := fixed("wrong confirm")
	other := *r
	other.entries = map[string][]entry{}
	other.Messages = nil
	id, x := r.Inputs.Seckeyid, &r.Exchange
	other.last, other.lastName = r.message("negotiate").AuthCode, "negotiate"
	other.reply("negotiate ok", 1, 1, 1, 0, entry{"seckeyid", id}, entry{"r2", []byte(r.Inputs.R2)}, entry{"share", []byte(x.ShareS)},
		entry{"lifetime", r.Inputs.Lifetime}, entry{"confirm", wrong})
	other.request("verify", 2, 2, entry{"seckeyid", id}, entry{"confirm", wrong})
	other.last = r.message("verify").AuthCode
	other.reply("verify ok", 2, 2, 2, 0, entry{"confirm", wrong}, entry{"state", uint64(2)})
	for _, m := range other.Messages {
		n := vectorNegative{Name: m.Name + ": a wrong proof, authentic", Class: classConfirm, Place: m.Place, Frame: m.Frame}
		if m.Answers != "" {
			n.Answers = r.message(m.Answers).AuthCode
		}
		r.refuse(n)
	}
}

// lowOrder are all encodings of X25519's points of low order, with the bit that
// is masked off once clear and once set.
var lowOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func (r *reference) badShares() {
	for i, s := range lowOrder {
		for _, bit := range []byte{0, 0x80} {
			point := must(hex.DecodeString(s))
			point[31] |= bit
			r.refuse(vectorNegative{Name: fmt.Sprintf("point %d of low order, high bit %d", i+1, bit>>7), Class: classX25519, X25519: point})
		}
	}
	for _, c := range []struct {
		name  string
		at    int // of the 3 bytes that hold two coefficients
		value byte
	}{{"the first coefficient is 3329", 0, 0x0d}, {"the first coefficient is 4095", 0, 0x0f}, {"a coefficient in the middle is 3329", 600, 0x0d}, {"the last pair has 3329", 1149, 0x0d}} {
		share := append(hexBytes{}, r.Exchange.ShareC...)
		share[c.at] = 0x01
		if c.value == 0x0f {
			share[c.at] = 0xff
		}
		share[c.at+1] = share[c.at+1]&0xf0 | c.value
		r.refuse(vectorNegative{Name: c.name, Class: classMLKEM, Share: share})
	}
}

func (r *reference) badSealed() {
	s := r.Sealed
	bad := func(name string, sealed []byte, p uint64, request []byte) {
		r.refuse(vectorNegative{Name: name, Class: classSealed, Sealed: sealed, P: p, Answers: request})
	}
	flip := func(i int) []byte {
		b := append([]byte{}, s.Sealed...)
		b[i] ^= 1
		return b
	}
	bad("sealed for another p", s.Sealed, s.P+1, s.Request)
	bad("sealed for another request", s.Sealed, s.P, r.message("verify").AuthCode)
	bad("a bit of the nonce", flip(0), s.P, s.Request)
	bad("a bit of the ciphertext", flip(12), s.P, s.Request)
	bad("a bit of the tag", flip(len(s.Sealed)-1), s.P, s.Request)
	bad("a byte short", s.Sealed[:len(s.Sealed)-1], s.P, s.Request)
	bad("the nonce alone", s.Sealed[:12], s.P, s.Request)
	bad("less than a nonce", s.Sealed[:11], s.P, s.Request)
	bad("a byte behind", append(append([]byte{}, s.Sealed...), 0), s.P, s.Request)
}

func (r *reference) badTokens() {
	t := r.Token
	bad := func(name, token string) {
		r.refuse(vectorNegative{Name: name, Class: classToken, Token: token})
	}
	spell := func(label, url, server, client string, role, epoch uint64, secret []byte) string {
		return spellToken(refE(label, []byte(url), []byte(server), []byte(client), u64(role), u64(epoch), secret))
	}
	bad("a character changed", t.Token[:50]+string(t.Token[50]^1)+t.Token[51:])
	bad("a character short", t.Token[:len(t.Token)-1])
	bad("a character behind", t.Token+"A")
	bad("padding", t.Token+"=")
	bad("a newline within", t.Token[:40]+"\n"+t.Token[40:])
	bad("the prefix in capitals", "HUFU1_"+t.Token[6:])
	bad("no prefix", t.Token[6:])
	bad("another label", spell("hufu2 token", t.URL, t.ServerID, t.ClientID, 1, 1, t.Secret))
	bad("a final slash", spell("hufu1 token", t.URL+"/", t.ServerID, t.ClientID, 1, 1, t.Secret))
	bad("a WebSocket address", spell("hufu1 token", "wss://keys.example.org", t.ServerID, t.ClientID, 1, 1, t.Secret))
	bad("a query", spell("hufu1 token", t.URL+"?a=b", t.ServerID, t.ClientID, 1, 1, t.Secret))
	bad("role 0", spell("hufu1 token", t.URL, t.ServerID, t.ClientID, 0, 1, t.Secret))
	bad("role 4", spell("hufu1 token", t.URL, t.ServerID, t.ClientID, 4, 1, t.Secret))
	bad("epoch 0", spell("hufu1 token", t.URL, t.ServerID, t.ClientID, 1, 0, t.Secret))
	bad("epoch 2^32", spell("hufu1 token", t.URL, t.ServerID, t.ClientID, 1, 1<<32, t.Secret))
	bad("a clientId of 12 bytes", spell("hufu1 token", t.URL, t.ServerID, "123456789012", 1, 1, t.Secret))
	bad("a secret of 31 bytes", spell("hufu1 token", t.URL, t.ServerID, t.ClientID, 1, 1, t.Secret[1:]))
	bad("a part more", spellToken(append(refE("hufu1 token", []byte(t.URL), []byte(t.ServerID), []byte(t.ClientID), u64(1), u64(1), t.Secret), lp(nil)...)))
}

func (r *reference) badDocuments() {
	bad := func(place, name string, doc []byte) {
		r.refuse(vectorNegative{Name: place + ": " + name, Class: classDocument, Place: place, Doc: doc})
	}
	row := []entry{{"n", uint64(1)}, {"outlet", "o-01"}, {"seckeyid", uint64(1)}, {"state", uint64(2)}, {"negotiated", uint64(1)}, {"expires", uint64(2)}, {"fp", "0123456789abcdef"}}
	page := func(rows ...any) []byte { return pack([]entry{{"rows", rows}}) }
	op := func(name string, rest ...entry) []byte { return pack(append([]entry{{"op", name}}, rest...)) }
	bad("operation", "0 bytes", []byte{})
	bad("operation", "no op", pack([]entry{{"limit", uint64(1)}}))
	bad("operation", "an unknown op", op("Overview"))
	bad("operation", "op twice", op("unwatch", entry{"op", "unwatch"}))
	bad("operation", "an unknown key", op("watch", entry{"from", uint64(1)}))
	bad("operation", "a key missing", op("enrol", entry{"id", "o-02"}))
	bad("operation", "role 4", op("enrol", entry{"id", "o-02"}, entry{"role", uint64(4)}))
	bad("operation", "cut is a number", op("newsecret", entry{"id", "o-02"}, entry{"cut", uint64(1)}))
	bad("operation", "limit 501", op("outlets", entry{"limit", uint64(501)}))
	bad("operation", "a note of two lines", op("revoke", entry{"outlet", "o-01"}, entry{"seckeyid", uint64(1)}, entry{"reason", uint64(0)}, entry{"note", "a\nb"}))
	bad("event", "n missing", pack([]entry{{"at", uint64(1)}, {"kind", "opened"}}))
	bad("event", "kind is empty", pack([]entry{{"n", uint64(1)}, {"at", uint64(1)}, {"kind", ""}}))
	bad("event", "state 0", pack([]entry{{"n", uint64(1)}, {"at", uint64(1)}, {"kind", "opened"}, {"state", uint64(0)}}))
	bad("event", "settled is text", pack([]entry{{"n", uint64(1)}, {"at", uint64(1)}, {"kind", "opened"}, {"settled", "1"}}))
	bad("filter", "an unknown key", pack([]entry{{"outlets", "o-01"}}))
	bad("filter", "a key twice", pack([]entry{{"from", uint64(1)}, {"from", uint64(1)}}))
	bad("filter", "state 6", pack([]entry{{"states", []any{uint64(6)}}}))
	bad("filter", "states are a number", pack([]entry{{"states", uint64(2)}}))
	bad("filter", "from 2^53", pack([]entry{{"from", uint64(1 << 53)}}))
	bad("filter", "from -1", pack([]entry{{"from", -1}}))
	bad("filter", "from is nil", pack([]entry{{"from", raw{0xc0}}}))
	bad("filter", "outlet is empty", pack([]entry{{"outlet", ""}}))
	bad("filter", "outlet is bin", pack([]entry{{"outlet", []byte("o-01")}}))
	bad("filter", "a byte behind", append(pack([]entry{{"from", uint64(1)}}), 0))
	bad("filter", "a list", []byte{0x90})
	bad("filter", "a list of 2^32-1", append([]byte{0x81}, append(packValue("states"), 0xdd, 0xff, 0xff, 0xff, 0xff)...))
	bad("page", "0 bytes", []byte{})
	bad("page", "no rows", pack(nil))
	bad("page", "a row without n", page(row[1:]))
	bad("page", "a row with n twice", page(append(clone(row), row[0])))
	bad("page", "a fingerprint in capitals", page(with(row, "fp", "0123456789ABCDEF")))
	bad("page", "a fingerprint of 15 digits", page(with(row, "fp", "0123456789abcde")))
	bad("page", "seckeyid 0", page(with(row, "seckeyid", uint64(0))))
	bad("page", "five deep", page([]any{[]any{[]any{}}}))
}

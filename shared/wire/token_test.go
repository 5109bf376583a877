package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func sampleToken() *Token {
	return &Token{URL: "https://keys.example.org/hufu", ServerID: "centre", ClientID: "o-01", Role: RoleOutlet, Epoch: 3,
		Secret: Secret(run(0x40, 32))}
}

func tokenText(t *testing.T) string {
	t.Helper()
	s, err := sampleToken().Encode()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func tokenRefused(t *testing.T, s, what string) {
	t.Helper()
	got, err := DecodeToken(s)
	if !errors.Is(err, ErrToken) || got != nil {
		t.Errorf("%s: %v %v", what, got, err)
	}
}

// handToken spells the token of b, which is not E(…) of a token as it should be.
func handToken(b []byte) string {
	sum := sha256.Sum256(b)
	return "hufu1_" + base64.RawURLEncoding.EncodeToString(append(append([]byte(nil), b...), sum[:4]...))
}

func tokenBytes(url, server, client string, role, epoch uint64, secret []byte) []byte {
	return NewE("hufu1 token").Text(url).Text(server).Text(client).Uint(role).Uint(epoch).Bytes(secret).Sum()
}

func TestTokenRoundTrip(t *testing.T) {
	s := tokenText(t)
	if want := handToken(tokenBytes("https://keys.example.org/hufu", "centre", "o-01", 1, 3, run(0x40, 32))); s != want {
		t.Fatalf("%s is not %s", s, want)
	}
	for _, spelling := range []string{s, s + "\n", s + "\r\n", "  " + s + "\t\n"} {
		got, err := DecodeToken(spelling)
		if err != nil || !reflect.DeepEqual(got, sampleToken()) {
			t.Errorf("%q: %v", spelling, err)
		}
	}
	long := &Token{URL: "https://" + strings.Repeat("a", 247), ServerID: "12345678901", ClientID: "12345678901",
		Role: RoleAuditor, Epoch: MaxEpoch}
	s, err := long.Encode()
	if err != nil || len(s) != 502 {
		t.Fatalf("the longest token has %d characters, %v", len(s), err)
	}
	if got, err := DecodeToken(s); err != nil || !reflect.DeepEqual(got, long) {
		t.Error(err)
	}
}

// TestTokenCharacters changes every character into every other one of the
// alphabet and some beside it, drops it, and doubles it.
func TestTokenCharacters(t *testing.T) {
	s := tokenText(t)
	const others = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= .\n\r\x00\xff"
	for i := range len(s) {
		for j := range len(others) {
			if others[j] != s[i] {
				tokenRefused(t, s[:i]+others[j:j+1]+s[i+1:], "another character")
			}
		}
		tokenRefused(t, s[:i]+s[i+1:], "a character less")
		tokenRefused(t, s[:i]+s[i:i+1]+s[i:], "a character twice")
		tokenRefused(t, s[:i], "the beginning")
		for _, c := range []string{"\n", "\r\n", " ", "=", "\x00"} {
			if i > 0 {
				tokenRefused(t, s[:i]+c+s[i:], "white space within")
			}
		}
	}
}

// TestTokenSpellings shows that the same bytes have one spelling.
func TestTokenSpellings(t *testing.T) {
	s := tokenText(t)
	body := strings.TrimPrefix(s, "hufu1_")
	raw, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		t.Fatal(err)
	}
	for what, other := range map[string]string{
		"padding":            s + "=",
		"more padding":       s + "==",
		"the prefix in caps": "HUFU1_" + body,
		"no prefix":          body,
		"another version":    "hufu2_" + body,
		"the prefix twice":   "hufu1_" + s,
		"base64 with + /":    "hufu1_" + base64.RawStdEncoding.EncodeToString(append(raw[:len(raw)-1:len(raw)-1], 0xff)),
		"hex":                "hufu1_" + strings.ToUpper(body),
		"nothing":            "",
		"the prefix alone":   "hufu1_",
		"four bytes":         handToken(nil),
		"far too long":       "hufu1_" + strings.Repeat("A", 1<<20),
	} {
		tokenRefused(t, other, what)
	}
	// Bits that the last character does not need must be zero.
	for _, url := range []string{"http://a", "http://ab", "http://abc"} {
		token := sampleToken()
		token.URL = url
		s, err := token.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(strings.TrimPrefix(s, "hufu1_"))%4 == 0 {
			continue
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(alphabet, s[len(s)-1])
		tokenRefused(t, s[:len(s)-1]+alphabet[last+1:last+2], "trailing bits")
	}
}

// TestTokenContent offers tokens whose checksum is right and whose content is not.
func TestTokenContent(t *testing.T) {
	const url = "https://keys.example.org"
	secret := run(1, 32)
	good := tokenBytes(url, "centre", "o-01", 1, 1, secret)
	if _, err := DecodeToken(handToken(good)); err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{
		"role 0":            tokenBytes(url, "centre", "o-01", 0, 1, secret),
		"role 4":            tokenBytes(url, "centre", "o-01", 4, 1, secret),
		"role 257":          tokenBytes(url, "centre", "o-01", 257, 1, secret),
		"epoch 0":           tokenBytes(url, "centre", "o-01", 1, 0, secret),
		"epoch 2^32":        tokenBytes(url, "centre", "o-01", 1, 1<<32, secret),
		"no serverId":       tokenBytes(url, "", "o-01", 1, 1, secret),
		"a long clientId":   tokenBytes(url, "centre", "123456789012", 1, 1, secret),
		"a space":           tokenBytes(url, "centre", "o 01", 1, 1, secret),
		"a short secret":    tokenBytes(url, "centre", "o-01", 1, 1, secret[1:]),
		"a long secret":     tokenBytes(url, "centre", "o-01", 1, 1, append([]byte{0}, secret...)),
		"a final slash":     tokenBytes(url+"/", "centre", "o-01", 1, 1, secret),
		"another label":     NewE("hufu1 tokem").Text(url).Text("centre").Text("o-01").Uint(1).Uint(1).Bytes(secret).Sum(),
		"one part less":     NewE("hufu1 token").Text(url).Text("centre").Text("o-01").Uint(1).Uint(1).Sum(),
		"one part more":     NewE("hufu1 token").Text(url).Text("centre").Text("o-01").Uint(1).Uint(1).Bytes(secret).Uint(1).Sum(),
		"a short role":      NewE("hufu1 token").Text(url).Text("centre").Text("o-01").Bytes([]byte{1}).Uint(1).Bytes(secret).Sum(),
		"a byte at the end": append(append([]byte(nil), good...), 0),
		"a long length":     append([]byte{0xff, 0xff, 0xff, 0xff}, good[4:]...),
	} {
		tokenRefused(t, handToken(b), what)
	}
	for n := range good {
		tokenRefused(t, handToken(good[:n]), "cut short under a right checksum")
	}
}

func TestTokenEncodeRefuses(t *testing.T) {
	for what, change := range map[string]func(*Token){
		"no url":      func(t *Token) { t.URL = "" },
		"no serverId": func(t *Token) { t.ServerID = "" },
		"no clientId": func(t *Token) { t.ClientID = "" },
		"no role":     func(t *Token) { t.Role = 0 },
		"role 4":      func(t *Token) { t.Role = 4 },
		"no epoch":    func(t *Token) { t.Epoch = 0 },
		"epoch 2^32":  func(t *Token) { t.Epoch = 1 << 32 },
	} {
		token := sampleToken()
		change(token)
		if s, err := token.Encode(); !errors.Is(err, ErrToken) || s != "" {
			t.Errorf("%s: %q %v", what, s, err)
		}
	}
}

// TestTokenErrors shows that a refusal repeats nothing of a token.
func TestTokenErrors(t *testing.T) {
	s := tokenText(t)
	for i := range s {
		_, err := DecodeToken(s[:i])
		for j := 0; err != nil && j+8 <= len(s); j++ {
			if part := s[j : j+8]; part != "valid to" && strings.Contains(err.Error(), part) {
				t.Fatalf("%v", err)
			}
		}
	}
}

func TestValidURL(t *testing.T) {
	for s, want := range map[string]bool{
		"http://a": true, "https://keys.example.org": true, "https://keys.example.org/hufu": true, "http://127.0.0.1:8080": true,
		"http://[::1]:8080/a/b": true, "https://" + strings.Repeat("a", 247): true, "https://x/~a%20b": true,
		"": false, "http://": false, "https:///path": false, "http:///": false, "http://:8080": false, "http://:": false,
		"ws://a": false, "wss://a": false, "HTTP://a": false, "Https://a": false, "ftp://a": false, "//a": false, "a": false,
		"http:/a": false, "http//a": false, " http://a": false, "http://a ": false, "http://a b": false,
		"http://a/": false, "http://a/b/": false, "http://a//": false, "http://a?": false, "http://a?q=1": false, "http://a#f": false,
		"http://u@a": false, "http://u:p@a": false, "http://a\\b": false, "http://a\n": false, "http://a\x00": false, "http://a\x7f": false,
		"http://é": false, "http://網點": false, "https://" + strings.Repeat("a", 248): false,
		"http://a\"": false, "http://<a>": false, "http://a`": false, "http://{a}": false, "http://a|b": false, "http://a^": false,
	} {
		if ValidURL(s) != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
}

func TestDial(t *testing.T) {
	for url, want := range map[string]string{
		"http://a:80": "ws://a:80/ws", "https://keys.example.org/hufu": "wss://keys.example.org/hufu/ws", "http://http": "ws://http/ws",
	} {
		if got := (&Token{URL: url}).Dial(); got != want {
			t.Errorf("%s dials %s", url, got)
		}
	}
}

func TestValidID(t *testing.T) {
	for c := range 256 {
		s := string([]byte{byte(c)})
		want := strings.Contains("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.-", s)
		if ValidID(s) != want || ValidID("a"+s+"b") != want {
			t.Errorf("%q: %t", s, !want)
		}
	}
	if ValidID("") || !ValidID("12345678901") || ValidID("123456789012") {
		t.Error("the length of an identifier")
	}
}

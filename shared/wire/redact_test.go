package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// leaks looks for b in text, in any of the forms that Go prints bytes in.
func leaks(text string, b []byte) bool {
	decimal := strings.Trim(fmt.Sprint(b[:8]), "[]")
	forms := []string{string(b[:8]), hex.EncodeToString(b[:8]), strings.ToUpper(hex.EncodeToString(b[:8])), fmt.Sprintf("% x", b[:8]),
		decimal, strings.ReplaceAll(decimal, " ", ","), strings.ReplaceAll(decimal, " ", ", "),
		fmt.Sprintf("%#v", b[:4])[len("[]byte{") : len("[]byte{")+8],
		base64.StdEncoding.EncodeToString(b[:9]), base64.RawURLEncoding.EncodeToString(b[:9]), fmt.Sprintf("%q", b[:8])[1:9]}
	for _, f := range forms {
		if strings.Contains(text, f) {
			return true
		}
	}
	return false
}

var (
	plainVerbs = []string{"%v", "%+v", "%#v"}
	allVerbs   = append([]string{"%x", "%X", "% x", "%#x", "%s", "%q", "%d", "%o", "%b", "%c", "%U", "%e", "%t"}, plainVerbs...)
)

// printed is v under the verbs and in every log there is.
func printed(t *testing.T, verbs []string, v any) string {
	t.Helper()
	var b strings.Builder
	for _, verb := range verbs {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	fmt.Fprint(&b, v)
	fmt.Fprintln(&b, v)
	fmt.Fprintln(&b, fmt.Errorf("it was: %v", v))
	var text, js bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&js, nil)} {
		log := slog.New(h)
		log.Info("it", "v", v)
		log.Info("it", slog.Group("g", "v", v), slog.Any("all", []any{v}))
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b.String() + text.String() + js.String() + string(encoded)
}

func TestNothingIsPrinted(t *testing.T) {
	b := []byte("\xd3\x91\xe7\xb6\xf2\x8a\xc5\x9e\xd4\xa1\xbb\xec\x97\xc8\xf1\xa3\xd3\x91\xe7\xb6\xf2\x8a\xc5\x9e\xd4\xa1\xbb\xec\x97\xc8\xf1\xa3")
	secret, mac := Secret(b), MAC(b)
	if !leaks(printed(t, allVerbs, b), b) || !leaks(fmt.Sprint([32]byte(b)), b) || !leaks(fmt.Sprintf("%#v", [32]byte(b)), b) || !leaks(string(b), b) {
		t.Fatal("the test does not see bytes when they are there")
	}
	token := *sampleToken()
	token.Secret = secret
	request := RequestHead{Q: 1, ClientID: "c", ServerID: "s", AuthCode: mac}
	reply := ReplyHead{P: 1, Q: 1, ClientID: "c", ServerID: "s", AuthCode: mac}
	for name, v := range map[string]any{
		"secret": secret, "pointer to secret": &secret, "list of secrets": []Secret{secret},
		"map of secrets": map[string]Secret{"a": secret}, "struct with a secret": struct{ S Secret }{secret},
		"struct with a pointer to a secret": struct{ S *Secret }{&secret}, "interface": []any{secret, &secret},
		"mac": mac, "pointer to mac": &mac, "list of macs": []MAC{mac}, "struct with a mac": struct{ M MAC }{mac},
		"token": token, "pointer to token": &token, "list of tokens": []Token{token}, "list of pointers": []*Token{&token}, "struct with a token": struct{ T Token }{token},
		"head": request, "reply head": reply,
		"open": &Open{RequestHead: request}, "open by value": Open{RequestHead: request},
		"verify": &Verify{RequestHead: request, Confirm: mac}, "verify by value": Verify{Confirm: mac},
		"negotiate ok": &NegotiateOK{ReplyHead: reply, Confirm: mac}, "verify ok": &VerifyOK{ReplyHead: reply, Confirm: mac},
		"done": &Done{ReplyHead: reply}, "push": &Push{NoticeHead: NoticeHead{AuthCode: mac}}, "messages": []Message{&Verify{Confirm: mac}},
	} {
		if text := printed(t, allVerbs, v); leaks(text, b) {
			t.Errorf("%s: %s", name, text)
		}
	}
	// fmt calls no methods on unexported fields: pointers keep to themselves there.
	type holder struct {
		s *Secret
		m *MAC
		t *Token
	}
	if text := printed(t, plainVerbs, holder{&secret, &mac, &token}); leaks(text, b) {
		t.Error(text)
	}
	if s := secret.String() + mac.String(); leaks(s, b) {
		t.Error(s)
	}
}

func TestSecretZero(t *testing.T) {
	s := Secret(run(1, 32))
	s.Zero()
	if s != (Secret{}) {
		t.Error("it is still there")
	}
}

package kex

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
)

// printed is v under every verb and in every log there is.
func printed(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%X", "% x", "%#x", "%s", "%q", "%d", "%c", "%U"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	fmt.Fprintln(&b, v, fmt.Sprint(v), fmt.Errorf("it was: %v", v))
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		log := slog.New(h)
		log.Info("it", "v", v)
		log.Info("it", slog.Group("g", "v", v), slog.Any("all", []any{v}))
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b.String() + string(encoded)
}

// leaks looks for 8 bytes of the repeated pattern in any form.
func leaks(text string, pattern byte) bool {
	p := bytes.Repeat([]byte{pattern}, 8)
	decimal := strings.Trim(fmt.Sprint(p), "[]")
	for _, form := range []string{string(p), fmt.Sprintf("%x", p), fmt.Sprintf("%X", p), fmt.Sprintf("% x", p), fmt.Sprintf("% X", p), decimal,
		strings.ReplaceAll(decimal, " ", ","), strings.TrimSuffix(strings.Repeat(fmt.Sprintf("%#x, ", pattern), 8), ", ")} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// fill writes the pattern into every key that v holds, however deep.
func fill(pattern byte) (held Held, l LongTerm, c Conn, a Agreed) {
	var b [keySize]byte
	for i := range b {
		b[i] = pattern
	}
	held = Held{Key: NewKey(&b), Confirm: ConfirmKeys{client: secretBytes{b: b}, server: secretBytes{b: b}}}
	l = LongTerm{id: someone, auth: secretBytes{b: b}, mix: secretBytes{b: b}}
	c = Conn{id: someone, th0: b, c2s: secretBytes{b: b}, s2c: secretBytes{b: b}, mix: secretBytes{b: b}}
	a = Agreed{Held: held, Seal: SealKey{secretBytes{b: b}}, th: b}
	return held, l, c, a
}

func TestNothingIsPrinted(t *testing.T) {
	const pattern = 0xd3
	if open := [32]byte(bytes.Repeat([]byte{pattern}, 32)); !leaks(fmt.Sprint(open), pattern) || !leaks(fmt.Sprintf("%#v", open), pattern) || !leaks(fmt.Sprintf("%x", open), pattern) {
		t.Fatal("the test does not see bytes when they are there")
	}
	held, l, c, a := fill(pattern)
	r := Response{z: bytes.Repeat([]byte{pattern}, 64)}
	i := Initiator{r1: [32]byte(bytes.Repeat([]byte{pattern}, 32))}
	for name, v := range map[string]any{
		"key": held.Key, "confirm keys": held.Confirm, "seal key": a.Seal, "held": held, "agreed": a, "long term": l, "conn": c, "response": r, "initiator": i,
		"secretBytes": l.auth,
		"pointers":    []any{&held.Key, &held.Confirm, &a.Seal, &held, &a, &l, &c, &r, &i, &l.auth},
		"struct": struct {
			Key     Key
			Confirm ConfirmKeys
			Held    Held
			Agreed  Agreed
			Long    LongTerm
			Conn    Conn
		}{held.Key, held.Confirm, held, a, l, c},
		"struct of pointers": struct {
			Key  *Key
			Held *Held
			Conn *Conn
		}{&held.Key, &held, &c},
		"embedding": struct{ Held }{held}, "list": []Held{held}, "list of pointers": []*Held{&held}, "map": map[string]Key{"a": held.Key},
		"map of pointers": map[string]*Agreed{"a": &a}, "pointer to key": &held.Key, "pointer to held": &held, "pointer to agreed": &a,
		"pointer to conn": &c, "pointer to long term": &l,
	} {
		if text := printed(t, v); leaks(text, pattern) {
			t.Errorf("%s: %s", name, text)
		}
	}
	// fmt calls no methods on unexported fields: pointers keep to themselves there.
	type holder struct {
		key  *Key
		held *Held
		conn *Conn
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, holder{&held.Key, &held, &c}); leaks(text, pattern) {
			t.Errorf("%s", text)
		}
	}
}

// TestNotComparable shows that the compiler refuses == on keys.
func TestNotComparable(t *testing.T) {
	for _, v := range []any{Key{}, SealKey{}, ConfirmKeys{}, Held{}, Agreed{}, LongTerm{}, Conn{}} {
		if reflect.TypeOf(v).Comparable() {
			t.Errorf("%T can be compared with ==", v)
		}
	}
}

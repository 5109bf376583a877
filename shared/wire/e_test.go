package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// takeE is the inverse of E. That there is one is why no two inputs give the
// same bytes.
func takeE(b []byte) (label string, parts [][]byte, ok bool) {
	head, b, ok := cutLP(b)
	if !ok || len(b) < 4 {
		return "", nil, false
	}
	n := binary.BigEndian.Uint32(b)
	b = b[4:]
	for range n {
		var part []byte
		if part, b, ok = cutLP(b); !ok {
			return "", nil, false
		}
		parts = append(parts, part)
	}
	return string(head), parts, len(b) == 0
}

func build(label string, parts [][]byte) []byte {
	e := NewE(label)
	for _, p := range parts {
		e.Bytes(p)
	}
	return bytes.Clone(e.Sum())
}

func TestE(t *testing.T) {
	for _, c := range []struct {
		e    *E
		want string
	}{
		{NewE(""), "0000000000000000"},
		{NewE("hufu1 key"), "00000009" + "6875667531206b6579" + "00000000"},
		{NewE("a").Uint(258), "00000001" + "61" + "00000001" + "00000008" + "0000000000000102"},
		{NewE("a").Int(-1), "00000001" + "61" + "00000001" + "00000008" + "ffffffffffffffff"},
		{NewE("a").Int(0), "00000001" + "61" + "00000001" + "00000008" + "0000000000000000"},
		{NewE("a").Text("bc").Bytes(nil).Bytes([]byte{7}), "00000001" + "61" + "00000003" + "00000002" + "6263" + "00000000" + "00000001" + "07"},
	} {
		if got := hex.EncodeToString(c.e.Sum()); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestEHasAnInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.StringN(0, 20, 40).Draw(t, "label")
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 40), 0, 12).Draw(t, "parts")
		gotLabel, got, ok := takeE(build(label, parts))
		if !ok || gotLabel != label || len(got) != len(parts) {
			t.Fatalf("%q of %d came back as %q of %d", label, len(parts), gotLabel, len(got))
		}
		for i := range got {
			if !bytes.Equal(got[i], parts[i]) {
				t.Fatalf("part %d: %x came back as %x", i, parts[i], got[i])
			}
		}
	})
}

// TestESplits cuts the same bytes in different places: the usual way to confuse
// an encoding that is not injective.
func TestESplits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 0, 0, 1, 4, 'a'}), 0, 40).Draw(t, "bytes")
		split := func(name string) (string, [][]byte) {
			cuts := rapid.SliceOfN(rapid.IntRange(0, len(b)), 1, 6).Draw(t, name)
			at, parts := 0, [][]byte{}
			for _, c := range cuts {
				if c > at {
					parts, at = append(parts, b[at:c]), c
				}
			}
			parts = append(parts, b[at:])
			return string(parts[0]), parts[1:]
		}
		l1, p1 := split("one")
		l2, p2 := split("two")
		same := l1 == l2 && reflect.DeepEqual(p1, p2)
		if equal := bytes.Equal(build(l1, p1), build(l2, p2)); equal != same {
			t.Fatalf("%q %x and %q %x: equal %t", l1, p1, l2, p2, equal)
		}
	})
}

// TestInputsDiffer changes one field of a message at a time: what the authCode
// covers has to change, and nothing but the authCode itself may stay out.
func TestInputsDiffer(t *testing.T) {
	th0 := make([]byte, 32)
	input := func(m Message) []byte {
		switch m := m.(type) {
		case Request:
			return RequestInput(th0, m)
		case Reply:
			return ReplyInput(th0, MAC{}, m)
		case Notice:
			return NoticeInput(th0, m)
		}
		return nil
	}
	for _, s := range samples() {
		if _, ok := s.msg.(*Hello); ok {
			continue // bound by th0
		}
		before := input(s.msg)
		r := ranges(s)
		for _, e := range s.raw {
			for _, v := range r[e.key].in {
				m, err := s.decode(s.raw.with(e.key, v).bytes())
				if err != nil {
					t.Fatal(err)
				}
				// version, epoch and nonce of open are bound by th0.
				covered := e.key != "authCode" && e.key != "epoch" && e.key != "nonce"
				if same := bytes.Equal(before, input(m)); same != (reflect.DeepEqual(m, s.msg) || !covered) {
					t.Errorf("%s with %s % x: the input stayed the same %t", s.name, e.key, v[:min(len(v), 9)], same)
				}
			}
		}
	}
}

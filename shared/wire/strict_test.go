package wire

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestTruncated(t *testing.T) {
	for _, s := range samples() {
		whole := s.raw.bytes()
		for n := range whole {
			m, err := s.decode(whole[:n:n])
			refused(t, m, err, "%s, the first %d bytes", s.name, n)
		}
	}
}

func TestTrailing(t *testing.T) {
	for _, s := range samples() {
		for _, tail := range []string{"\x00", "\xc0", "\x80", "\xc1", "\xff\xff\xff\xff"} {
			m, err := s.decode(append(s.raw.bytes(), tail...))
			refused(t, m, err, "%s and %x", s.name, tail)
		}
		m, err := s.decode(append(s.raw.bytes(), s.raw.bytes()...))
		refused(t, m, err, "%s twice", s.name)
	}
}

func TestMissingField(t *testing.T) {
	for _, s := range samples() {
		for i := range s.raw {
			m, err := s.decode(s.raw.without(i).bytes())
			refused(t, m, err, "%s without %s", s.name, s.raw[i].key)
		}
		m, err := s.decode(table{}.bytes())
		refused(t, m, err, "%s without all", s.name)
	}
}

func TestDuplicateField(t *testing.T) {
	for _, s := range samples() {
		for i, e := range s.raw {
			m, err := s.decode(s.raw.and(e.key, e.v).bytes())
			refused(t, m, err, "%s with %s twice", s.name, e.key)
			// In the place of another field, so that the count is right.
			j := (i + 1) % len(s.raw)
			twice := append(table(nil), s.raw...)
			twice[j] = e
			m, err = s.decode(twice.bytes())
			refused(t, m, err, "%s with %s instead of %s", s.name, e.key, s.raw[j].key)
		}
		// A second spelling of the key is the same key.
		double := append(value{0x80 | byte(len(s.raw)+1)}, s.raw.entries()...)
		double = append(append(double, sizedValue(0xd9, 1, 7, []byte("cmdType"))...), 5)
		m, err := s.decode(double)
		refused(t, m, err, "%s with cmdType in another spelling", s.name)
	}
}

func TestUnknownField(t *testing.T) {
	for _, s := range samples() {
		m, err := s.decode(s.raw.and("extra", uintValue(1)).bytes())
		refused(t, m, err, "%s with a further field", s.name)
		for i, e := range s.raw {
			for _, key := range []string{"", strings.ToUpper(e.key), e.key + "\x00", e.key + "_"} {
				if key == e.key {
					continue
				}
				other := append(table(nil), s.raw...)
				other[i].key = key
				m, err := s.decode(other.bytes())
				refused(t, m, err, "%s with %q for %s", s.name, key, e.key)
			}
		}
		m, err = s.decode(append(append(table(nil), s.raw...), make(table, 20)...).bytes())
		refused(t, m, err, "%s with too many entries", s.name)
	}
}

func TestKeyIsText(t *testing.T) {
	for _, key := range []value{binValue([]byte("q")), uintValue(1), valueNil, valueTrue, listValue(), table{}.bytes(), {0xff}} {
		for _, s := range samples() {
			b := append(value{0x80 | byte(len(s.raw)+1)}, s.raw.entries()...)
			m, err := s.decode(append(append(b, key...), 1))
			refused(t, m, err, "%s with the key % x", s.name, key)
		}
	}
}

// foreign are values that no field may have, whatever its type.
var foreign = map[string]value{
	"nil": valueNil, "false": valueFalse, "true": valueTrue,
	"never used": {0xc1},
	"float32":    {0xca, 0, 0, 0, 0}, "float32 1.0": {0xca, 0x3f, 0x80, 0, 0},
	"float64": {0xcb, 0, 0, 0, 0, 0, 0, 0, 0}, "float64 1.0": {0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0},
	"list": listValue(), "list of one": listValue(uintValue(1)), "array16": {0xdc, 0, 0}, "array32": {0xdd, 0, 0, 0, 0},
	"map": table{}.bytes(), "map of one": table{{"a", uintValue(1)}}.bytes(), "map16": {0xde, 0, 0}, "map32": {0xdf, 0, 0, 0, 0},
	"fixext1": {0xd4, 1, 0}, "fixext2": {0xd5, 1, 0, 0}, "fixext4": {0xd6, 0xff, 0, 0, 0, 0},
	"fixext8": append(value{0xd7, 0xff}, make(value, 8)...), "fixext16": append(value{0xd8, 1}, make(value, 16)...),
	"ext8": {0xc7, 1, 1, 0}, "ext16": {0xc8, 0, 1, 1, 0}, "ext32": {0xc9, 0, 0, 0, 1, 1, 0},
	"-2": {0xfe}, "-128": {0xd0, 0x80}, "int16 -1000": {0xd1, 0xfc, 0x18}, "int32 min": {0xd2, 0x80, 0, 0, 0},
	"int64 min": {0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0},
}

func TestWrongType(t *testing.T) {
	for _, s := range samples() {
		for _, e := range s.raw {
			for name, v := range foreign {
				m, err := s.decode(s.raw.with(e.key, v).bytes())
				refused(t, m, err, "%s with %s %s", s.name, e.key, name)
			}
			own := kindOf(t, e.v)
			for _, v := range []value{uintValue(1), {0xff}, textValue("centre"), binValue([]byte("centre")),
				textValue(string(run('a', 32))), binValue(run('a', 32)), textValue("1"), binValue([]byte{1})} {
				if k := kindOf(t, v); k == own || e.key == "rv" && k == kindNegative {
					continue
				}
				m, err := s.decode(s.raw.with(e.key, v).bytes())
				refused(t, m, err, "%s with %s % x", s.name, e.key, v)
			}
		}
		for name, v := range foreign {
			m, err := s.decode(v)
			refused(t, m, err, "%s in place of %s", name, s.name)
		}
	}
}

// TestRefusedIsNotOK shows that rv chooses the form: a body does not come with
// a refusal, and does not stay away without one.
func TestRefusedIsNotOK(t *testing.T) {
	for _, s := range samples() {
		if _, ok := s.msg.(Reply); !ok {
			continue
		}
		for _, v := range spellings(value{0xff}) {
			m, err := s.decode(s.raw.with("rv", v).with("error", uintValue(2)).bytes())
			if done, ok := s.msg.(*Done); ok {
				if err != nil || !m.(*Done).Refused || m.(*Done).Code != CodeNoKey || m.(*Done).To != done.To {
					t.Errorf("%s refused with rv % x: %+v %v", s.name, v, m, err)
				}
				continue
			}
			refused(t, m, err, "%s with rv -1 and a body", s.name)
		}
	}
}

func kindOf(t *testing.T, v value) kind {
	t.Helper()
	s := scanner{b: v, elements: 100, nested: true}
	k, err := s.value(9)
	if err != nil || s.pos != len(v) {
		t.Fatalf("% x: %v", v, err)
	}
	return k
}

// TestOtherSpellings shows that every legal header of a value is taken, in
// keys, values and the map itself, and entries in any order.
func TestOtherSpellings(t *testing.T) {
	for _, s := range samples() {
		same := func(frame []byte, what string) {
			t.Helper()
			if m, err := s.decode(frame); err != nil || !reflect.DeepEqual(m, s.msg) {
				t.Errorf("%s with %s: %+v %v", s.name, what, m, err)
			}
		}
		for _, e := range s.raw {
			for _, v := range spellings(e.v) {
				same(s.raw.with(e.key, v).bytes(), e.key)
			}
		}
		for i, e := range s.raw {
			for _, key := range spellings(textValue(e.key)) {
				frame := append(value{0x80 | byte(len(s.raw))}, s.raw[:i].entries()...)
				frame = append(append(append(frame, key...), e.v...), s.raw[i+1:].entries()...)
				same(frame, "the key "+e.key)
			}
			turned := append(append(table(nil), s.raw[i:]...), s.raw[:i]...)
			same(turned.bytes(), "entries turned")
		}
		n := uint64(len(s.raw))
		same(sizedValue(0xde, 2, n, s.raw.entries()), "map16")
		same(sizedValue(0xdf, 4, n, s.raw.entries()), "map32")
	}
}

// rangeOf is the column "size, range" of §3: values just inside and just outside.
type rangeOf struct{ in, out []value }

func uints(in, out []uint64) (r rangeOf) {
	for _, v := range in {
		r.in = append(r.in, uintValue(v))
	}
	for _, v := range append(out, 1<<63, 1<<64-1) {
		r.out = append(r.out, uintValue(v))
	}
	return r
}

func bins(size int) rangeOf {
	return rangeOf{[]value{binValue(make([]byte, size))},
		[]value{binValue(nil), binValue(make([]byte, size-1)), binValue(make([]byte, size+1)), binValue(make([]byte, 2*size))}}
}

func ranges(s sample) map[string]rangeOf {
	c := uint64(s.msg.Cmd())
	ids := rangeOf{
		[]value{textValue("a"), textValue("Az09_.-"), textValue("12345678901")},
		[]value{textValue(""), textValue("123456789012"), textValue("a b"), textValue("a/b"), textValue("a\x00"), textValue("é"),
			textValue("\xff"), textValue("a\n"), textValue("a:"), textValue(strings.Repeat("a", 267))},
	}
	hex32 := strings.Repeat("0a", 32)
	r := map[string]rangeOf{
		"version":  uints([]uint64{1}, []uint64{0, 2, 257, 1<<32 + 1}),
		"cmdType":  uints([]uint64{c}, []uint64{8, 15, 19, 255, c + 256, c + 1<<16, c + 1<<32}),
		"clientId": ids, "serverId": ids,
		"epoch": uints([]uint64{1, 1<<32 - 1}, []uint64{0, 1 << 32, 1<<32 + 1}),
		"nonce": bins(32), "r1": bins(32), "r2": bins(32), "confirm": bins(32),
		"q":        uints([]uint64{1, 1<<32 - 1}, []uint64{1 << 32, 1<<32 + 1}),
		"p":        uints([]uint64{1, 1<<32 - 1}, []uint64{1 << 32, 1<<32 + 1}),
		"seckeyid": uints([]uint64{1, 1<<53 - 1}, []uint64{0, 1 << 53}),
		"lifetime": uints([]uint64{60, 2592000}, []uint64{0, 59, 2592001}),
		"idle":     uints([]uint64{75, 900}, []uint64{0, 74, 901}),
		"grace":    uints([]uint64{60, 2592000}, []uint64{0, 59, 2592001}),
		"now":      uints([]uint64{0, 1<<53 - 1}, []uint64{1 << 53}),
		"role":     uints([]uint64{1, 2, 3}, []uint64{0, 4, 257, 258}),
		"state":    uints([]uint64{1, 2, 3, 4, 5}, []uint64{0, 6, 257, 261}),
		"reason":   uints([]uint64{0, 255}, []uint64{256, 300, 1<<16 + 1}),
		"cursor":   uints([]uint64{0, 1<<53 - 1}, []uint64{1 << 53}),
		"limit":    uints([]uint64{1, 500}, []uint64{0, 501, 1<<32 + 1}),
		"error":    uints([]uint64{0}, []uint64{1, 9, 10, 256}),
		"rv":       {[]value{{0}}, append(uints(nil, []uint64{1, 255, 256}).out, value{0xff}, value{0xfe}, sizedValue(0xd3, 8, 1<<63, nil))},
		"authCode": {[]value{textValue(hex32)}, []value{textValue(""), textValue(hex32[1:]), textValue(hex32[2:]), textValue(hex32 + "0"),
			textValue(hex32 + "00"), textValue(strings.Repeat("0A", 32)), textValue("0A" + hex32[2:]), textValue("g" + hex32[1:]),
			textValue(" " + hex32[1:]), textValue("0x" + hex32[2:]), binValue(make([]byte, 32)), binValue([]byte(hex32))}},
	}
	most := MaxDocRequest
	switch m := s.msg.(type) {
	case *Negotiate:
		r["share"] = bins(1216)
	case *NegotiateOK:
		r["share"] = bins(1120)
	case *VerifyOK:
		r["state"] = uints([]uint64{2, 3}, []uint64{0, 1, 4, 5, 6, 258})
	case *Push:
		r["state"] = uints([]uint64{3, 4, 5}, []uint64{0, 1, 2, 6, 259})
	case *Done:
		if m.Refused {
			r["error"] = uints([]uint64{1, 9}, []uint64{0, 10, 257})
			r["rv"] = rangeOf{[]value{{0xff}}, append(uints(nil, []uint64{1, 255, 1<<32 - 1}).out, value{0}, value{0xfe}, sizedValue(0xd1, 2, 0xff00, nil))}
		}
	}
	switch s.msg.(type) {
	case Request:
		q := r["q"]
		q.out = append(q.out, uintValue(0))
		r["q"] = q
	case Reply:
		most = MaxDocReply
	case Notice:
		most = MaxDocReply
		p := r["p"]
		p.out = append(p.out, uintValue(0))
		r["p"] = p
	}
	r["doc"] = rangeOf{[]value{binValue(nil), binValue(make([]byte, most))}, []value{binValue(make([]byte, most+1))}}
	return r
}

func TestRanges(t *testing.T) {
	for _, s := range samples() {
		r := ranges(s)
		for _, e := range s.raw {
			if len(r[e.key].in) == 0 || len(r[e.key].out) == 0 {
				t.Fatalf("no range for %s", e.key)
			}
			for _, v := range r[e.key].in {
				if _, err := s.decode(s.raw.with(e.key, v).bytes()); err != nil {
					t.Errorf("%s with %s % x: %v", s.name, e.key, v[:min(len(v), 20)], err)
				}
			}
			for _, v := range r[e.key].out {
				m, err := s.decode(s.raw.with(e.key, v).bytes())
				refused(t, m, err, "%s with %s % x", s.name, e.key, v[:min(len(v), 20)])
			}
		}
	}
}

// TestErrorsDoNotEcho shows that a refusal repeats nothing of what was sent.
func TestErrorsDoNotEcho(t *testing.T) {
	const mark = "zebra"
	for _, frame := range []value{
		table{{mark, uintValue(1)}}.bytes(), table{{"cmdType", uintValue(5)}, {mark, uintValue(1)}}.bytes(),
		samples()[1].raw.with("clientId", textValue(mark+" "+mark)).bytes(),
		samples()[1].raw.with("authCode", textValue(mark)).bytes(),
	} {
		for _, s := range samples() {
			if _, err := s.decode(frame); err == nil || strings.Contains(err.Error(), mark) {
				t.Errorf("%s: %v", s.name, err)
			}
		}
	}
}

// bombs are frames and documents that declare more than they hold.
func bombs() map[string]value {
	all := map[string]value{}
	for name, header := range map[string]byte{"array16": 0xdc, "array32": 0xdd, "map16": 0xde, "map32": 0xdf,
		"str8": 0xd9, "str16": 0xda, "str32": 0xdb, "bin8": 0xc4, "bin16": 0xc5, "bin32": 0xc6} {
		width := map[byte]int{0xdc: 2, 0xde: 2, 0xd9: 1, 0xda: 2, 0xc4: 1, 0xc5: 2}[header]
		if width == 0 {
			width = 4
		}
		for _, n := range []uint64{1<<64 - 1, 1 << 31, 1<<31 - 1, 1 << 30} {
			name := fmt.Sprintf("%s of %#x", name, n)
			bomb := sizedValue(header, width, n, []byte{1, 2, 3})
			all[name+" alone"] = bomb
			all[name+" as a value"] = append(append(value{0x81}, textValue("cmdType")...), bomb...)
			all[name+" as a key"] = append(value{0x81}, bomb...)
			all[name+" in rows"] = append(append(value{0x81}, textValue("rows")...), bomb...)
			all[name+" in a row"] = append(append(append(value{0x81}, textValue("rows")...), 0x91), bomb...)
			all[name+" in states"] = append(append(append(value{0x81}, textValue("states")...), 0x91), bomb...)
		}
	}
	all["lists in lists"] = bytes.Repeat([]byte{0x91}, 60000)
	all["maps in maps"] = bytes.Repeat([]byte("\x81\xa1a"), 20000)
	all["a map of nothing"] = append(sizedValue(0xdf, 4, 60000, nil), make([]byte, 60000)...)
	all["a list of lists"] = append(append(append(value{0x81}, textValue("rows")...), sizedValue(0xdc, 2, 60000, nil)...), bytes.Repeat([]byte{0x90}, 60000)...)
	return all
}

func TestLengthBombs(t *testing.T) {
	for name, b := range bombs() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, decode := range []func([]byte) (Message, error){decodeHello, decodeOpen, decodeRequest, decodeOpenReply, decodeServer} {
			m, err := decode(b)
			refused(t, m, err, "%s", name)
		}
		filter, err := DecodeFilter(b)
		refused(t, filter, err, "%s as a filter", name)
		rows, err := DecodePage(b)
		refused(t, rows, err, "%s as a page", name)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

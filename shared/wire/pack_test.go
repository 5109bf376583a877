package wire

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// A msgpack writer by hand, so that the tests do not ask the library whether
// the library is right. A value is one whole msgpack value.
type value []byte

var (
	valueNil   = value{0xc0}
	valueFalse = value{0xc2}
	valueTrue  = value{0xc3}
)

func uintValue(v uint64) value {
	switch {
	case v < 1<<7:
		return value{byte(v)}
	case v < 1<<8:
		return sizedValue(0xcc, 1, v, nil)
	case v < 1<<16:
		return sizedValue(0xcd, 2, v, nil)
	case v < 1<<32:
		return sizedValue(0xce, 4, v, nil)
	}
	return sizedValue(0xcf, 8, v, nil)
}

func textValue(s string) value {
	switch {
	case len(s) < 32:
		return append(value{0xa0 | byte(len(s))}, s...)
	case len(s) < 1<<8:
		return sizedValue(0xd9, 1, uint64(len(s)), []byte(s))
	}
	return sizedValue(0xda, 2, uint64(len(s)), []byte(s))
}

func binValue(b []byte) value {
	if len(b) < 1<<8 {
		return sizedValue(0xc4, 1, uint64(len(b)), b)
	}
	return sizedValue(0xc5, 2, uint64(len(b)), b)
}

func listValue(items ...value) value {
	v := value{0x90 | byte(len(items))}
	if len(items) > 15 {
		v = sizedValue(0xdc, 2, uint64(len(items)), nil)
	}
	return append(v, bytes.Join(plain(items), nil)...)
}

// sizedValue is a header byte, a big-endian number of width bytes, and what follows.
func sizedValue(header byte, width int, n uint64, rest []byte) value {
	number := binary.BigEndian.AppendUint64(nil, n)[8-width:]
	return append(append(value{header}, number...), rest...)
}

func plain(values []value) (b [][]byte) {
	for _, v := range values {
		b = append(b, v)
	}
	return b
}

type entryValue struct {
	key string
	v   value
}

// table is a map, entry by entry.
type table []entryValue

func (t table) bytes() value {
	v := value{0x80 | byte(len(t))}
	if len(t) > 15 {
		v = sizedValue(0xde, 2, uint64(len(t)), nil)
	}
	return append(v, t.entries()...)
}

func (t table) entries() (v value) {
	for _, e := range t {
		v = append(append(v, textValue(e.key)...), e.v...)
	}
	return v
}

// with returns the table with one value replaced.
func (t table) with(key string, v value) table {
	u := append(table(nil), t...)
	for i := range u {
		if u[i].key == key {
			u[i].v = v
			return u
		}
	}
	panic("no entry " + key)
}

func (t table) without(i int) table { return append(append(table(nil), t[:i]...), t[i+1:]...) }

func (t table) and(key string, v value) table {
	return append(append(table(nil), t...), entryValue{key, v})
}

// spellings are all legal ways to write what v says, v included.
func spellings(v value) []value {
	switch c := v[0]; {
	case c <= 0x7f, c >= 0xcc && c <= 0xcf:
		return uintSpellings(v)
	case c >= 0xe0:
		n := uint64(int64(int8(c)))
		return []value{v, sizedValue(0xd0, 1, n, nil), sizedValue(0xd1, 2, n, nil), sizedValue(0xd2, 4, n, nil), sizedValue(0xd3, 8, n, nil)}
	case c >= 0xa0 && c <= 0xbf:
		s := v[1:]
		return append(longer(0xd9, 1, s), v)
	case c == 0xd9:
		return longer(0xd9, 1, v[2:])
	case c == 0xc4:
		return longer(0xc4, 1, v[2:])
	case c == 0xc5:
		return longer(0xc4, 1, v[3:])
	}
	panic("no such value in the tests")
}

func uintSpellings(v value) []value {
	n := uint64(v[0])
	if len(v) > 1 {
		var wide [8]byte
		copy(wide[9-len(v):], v[1:])
		n = binary.BigEndian.Uint64(wide[:])
	}
	all := []value{sizedValue(0xcf, 8, n, nil)}
	for i, bits := range []int{8, 16, 32, 64} {
		if bits < 64 && n < 1<<bits {
			all = append(all, sizedValue(0xcc+byte(i), 1<<i, n, nil))
		}
		if n < 1<<(bits-1) {
			all = append(all, sizedValue(0xd0+byte(i), 1<<i, n, nil))
		}
	}
	if n < 128 {
		all = append(all, value{byte(n)})
	}
	return all
}

func longer(header byte, width int, b []byte) (all []value) {
	for i := 0; width<<i <= 4; i++ {
		if w := width << i; w == 4 || len(b) < 1<<(8*w) {
			all = append(all, sizedValue(header+byte(i), w, uint64(len(b)), b))
		}
	}
	return all
}

func TestSpellings(t *testing.T) {
	for _, c := range []struct {
		v    value
		want int
	}{
		{uintValue(5), 9}, {uintValue(200), 7}, {uintValue(1 << 40), 2}, {uintValue(1<<64 - 1), 1},
		{value{0xff}, 5}, {textValue("q"), 4}, {textValue(string(make([]byte, 64))), 3},
		{binValue(make([]byte, 32)), 3}, {binValue(make([]byte, 1216)), 2},
	} {
		if got := len(spellings(c.v)); got != c.want {
			t.Errorf("% x has %d spellings in the tests, not %d", c.v, got, c.want)
		}
	}
}

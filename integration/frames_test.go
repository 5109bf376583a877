package integration

import (
	"bytes"
	"encoding/hex"
	"slices"
	"testing"
)

// Bytes of msgpack, made by hand: what no encoder of ours would write.

// split takes a flat map apart into its entries, whose names are given in the
// order in which they stand.
func split(t testing.TB, frame []byte, names ...string) [][]byte {
	t.Helper()
	var entries [][]byte
	rest := frame[1:] // after the header of the map
	for i, name := range names {
		if !bytes.HasPrefix(rest, key(name)) {
			t.Fatalf("%s is not where it was expected", name)
		}
		end := len(rest)
		if i+1 < len(names) {
			end = bytes.Index(rest, key(names[i+1]))
		}
		entries, rest = append(entries, rest[:end]), rest[end:]
	}
	return entries
}

// join is the inverse of split.
func join(entries ...[]byte) []byte {
	return slices.Concat(append([][]byte{{0x80 | byte(len(entries))}}, entries...)...)
}

// key is a short string.
func key(name string) []byte { return append([]byte{0xa0 | byte(len(name))}, name...) }

// field is an entry whose value is given as bytes.
func field(name string, value ...byte) []byte { return append(key(name), value...) }

// replace puts another value under a name.
func replace(entries [][]byte, name string, value ...byte) []byte {
	changed := slices.Clone(entries)
	for i, e := range changed {
		if bytes.HasPrefix(e, key(name)) {
			changed[i] = field(name, value...)
		}
	}
	return join(changed...)
}

// flipped is b with one bit turned.
func flipped(b []byte, at int, bit byte) []byte {
	c := bytes.Clone(b)
	c[at] ^= bit
	return c
}

// flippedIn is a frame with one bit of a field's value turned, beyond the
// value's header.
func flippedIn(frame []byte, name string) []byte {
	return flipped(frame, bytes.Index(frame, key(name))+len(key(name))+5, 1)
}

// bombs declare lengths that are not there. An unguarded decoder allocates
// gigabytes for them.
func bombs() [][]byte {
	long := []byte{0xff, 0xff, 0xff, 0xff}
	var list [][]byte
	for _, header := range []byte{0xc6, 0xc9, 0xdb, 0xdd, 0xdf} { // bin, ext, str, array, map of 32 bits
		bomb := append([]byte{header}, long...)
		list = append(list, bomb, join(field("cmdType", bomb...)), join(append(bytes.Clone(bomb), 1)))
	}
	return append(list,
		bytes.Repeat([]byte{0x91}, 512), // arrays in arrays
		bytes.Repeat([]byte{0x81}, 512),
		join(field("cmdType", 1), field("x", 0x81, 0xa1, 'y', 0x80)),
	)
}

// oddities are ways to spoil a well-formed frame. Each of their results has to
// be refused.
func oddities(entries [][]byte) map[string][][]byte {
	var missing, twice [][]byte
	for i := range entries {
		missing = append(missing, join(slices.Delete(slices.Clone(entries), i, i+1)...))
		twice = append(twice, join(append(slices.Clone(entries), entries[i])...))
	}
	return map[string][][]byte{
		"missing":  missing,
		"twice":    twice,
		"unknown":  {join(append(slices.Clone(entries), field("x", 0))...)},
		"trailing": {append(join(entries...), 0), append(join(entries...), join(entries...)...)},
		"bombs":    bombs(),
		"wrong type": {
			replace(entries, "clientId", 0xc0),                        // nil
			replace(entries, "clientId", 0xc4, 1, 'A'),                // bin for str
			replace(entries, "clientId", 0x01),                        // a number
			replace(entries, "cmdType", 0xcb, 0, 0, 0, 0, 0, 0, 0, 0), // a float
			replace(entries, "cmdType", 0xff),                         // -1
			replace(entries, "authCode", 0xa0),
		},
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

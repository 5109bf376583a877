package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The guard is one pass over raw msgpack before the library may see it. It
// checks every declared length against the bytes that are there, counts
// elements, bounds nesting and allows only the formats of docs/protocol.md §2.
// Without it a nine-byte frame makes the library allocate gigabytes.

// kind is what a msgpack value is, whatever header format carries it.
type kind uint8

const (
	kindNone     kind = iota
	kindUint          // an integer that is not negative
	kindNegative      // an integer below zero
	kindText
	kindBin
	kindBool
	kindArray
	kindMap
)

// scanner walks over raw msgpack. Its limits shrink as it goes.
type scanner struct {
	b        []byte
	pos      int
	elements int  // how many map entries and array items may still come
	nested   bool // arrays, maps and bools are allowed as values
}

// header reads one header. For text, bin, array and map, size is the declared
// length, which is at most what is left of b; for integers and bools it is 0
// and the value has been passed over.
func (s *scanner) header() (k kind, size int, err error) {
	if s.pos >= len(s.b) {
		return kindNone, 0, malformed("it ends in the middle")
	}
	c := s.b[s.pos]
	s.pos++
	switch {
	case c <= 0x7f:
		return kindUint, 0, nil
	case c <= 0x8f:
		return s.sized(kindMap, uint64(c&0x0f))
	case c <= 0x9f:
		return s.sized(kindArray, uint64(c&0x0f))
	case c <= 0xbf:
		return s.sized(kindText, uint64(c&0x1f))
	case c >= 0xe0:
		return kindNegative, 0, nil
	}
	switch c {
	case 0xc2, 0xc3:
		return kindBool, 0, nil
	case 0xc4, 0xc5, 0xc6:
		return s.long(kindBin, 1<<(c-0xc4))
	case 0xcc, 0xcd, 0xce, 0xcf:
		return s.integer(1<<(c-0xcc), false)
	case 0xd0, 0xd1, 0xd2, 0xd3:
		return s.integer(1<<(c-0xd0), true)
	case 0xd9, 0xda, 0xdb:
		return s.long(kindText, 1<<(c-0xd9))
	case 0xdc, 0xdd:
		return s.long(kindArray, 2<<(c-0xdc))
	case 0xde, 0xdf:
		return s.long(kindMap, 2<<(c-0xde))
	}
	return kindNone, 0, malformed("format %#02x is not allowed", c)
}

// integer passes over an integer of width bytes.
func (s *scanner) integer(width int, signed bool) (kind, int, error) {
	if len(s.b)-s.pos < width {
		return kindNone, 0, malformed("it ends in the middle")
	}
	negative := signed && s.b[s.pos] >= 0x80
	s.pos += width
	if negative {
		return kindNegative, 0, nil
	}
	return kindUint, 0, nil
}

// long reads a length of width bytes.
func (s *scanner) long(k kind, width int) (kind, int, error) {
	if len(s.b)-s.pos < width {
		return kindNone, 0, malformed("it ends in the middle")
	}
	var wide [8]byte
	copy(wide[8-width:], s.b[s.pos:])
	s.pos += width
	return s.sized(k, binary.BigEndian.Uint64(wide[:]))
}

// sized checks that a length is there; an element of a container has at least
// one byte.
func (s *scanner) sized(k kind, size uint64) (kind, int, error) {
	if size > uint64(len(s.b)-s.pos) {
		return kindNone, 0, malformed("a length goes beyond its end")
	}
	return k, int(size), nil
}

// spend counts n elements of a container.
func (s *scanner) spend(n int) error {
	if n > s.elements {
		return malformed("it has too many elements")
	}
	s.elements -= n
	return nil
}

// value passes over one whole value, which may nest depth levels deep.
func (s *scanner) value(depth int) (kind, error) {
	k, size, err := s.header()
	if err != nil {
		return k, err
	}
	switch k {
	case kindText, kindBin:
		s.pos += size
	case kindBool:
		if !s.nested {
			return k, malformed("a bool is not allowed")
		}
	case kindArray, kindMap:
		err = s.container(k, size, depth)
	}
	return k, err
}

func (s *scanner) container(k kind, size, depth int) error {
	if !s.nested || depth == 0 {
		return malformed("it is nested too deep")
	}
	if err := s.spend(size); err != nil {
		return err
	}
	for range size {
		if k == kindMap {
			if _, err := s.key(); err != nil {
				return err
			}
		}
		if _, err := s.value(depth - 1); err != nil {
			return err
		}
	}
	return nil
}

// key reads a map's key, which is text.
func (s *scanner) key() ([]byte, error) {
	k, size, err := s.header()
	if err != nil {
		return nil, err
	}
	if k != kindText {
		return nil, malformed("a key is not a string")
	}
	s.pos += size
	return s.b[s.pos-size : s.pos], nil
}

// open reads the header of the outermost map.
func (s *scanner) open() (entries int, err error) {
	k, size, err := s.header()
	if err != nil {
		return 0, err
	}
	if k != kindMap {
		return 0, malformed("it is not a map")
	}
	return size, s.spend(size)
}

// ErrFrame is wrapped by every refusal of a frame or document: its bytes are
// not what docs/protocol.md §2, §3 or §12 allow.
var ErrFrame = errors.New("wire: refused")

// ErrRefused is the failure of an open, which nothing authenticates: to a
// client it is a lost connection and nothing more.
var ErrRefused = errors.New("wire: the server refused to open")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFrame, fmt.Sprintf(format, args...))
}

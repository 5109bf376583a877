package wire

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Values is a document whose keys its reader does not choose (§12). A value is
// a uint64 up to MaxInteger, a string of UTF-8, a bool, a []byte, or an []any or
// a Values of these.
type Values map[string]any

// Encode returns the document, its keys in order.
func (v Values) Encode() ([]byte, error) {
	b, err := writeDoc(func(d *docWriter) { d.values(v, docDepth) })
	if err != nil {
		return nil, fmt.Errorf("wire: document: %w", err)
	}
	return b, nil
}

// DecodeValues decodes a document whatever its keys are.
func DecodeValues(b []byte) (Values, error) {
	var v Values
	err := readDoc(b, func(d *docReader) { v = d.values() })
	return whole(v, err)
}

func (d *docWriter) values(v Values, depth int) {
	if depth == 0 {
		d.put(fmt.Errorf("it is nested deeper than %d", docDepth))
		return
	}
	d.open(len(v))
	for _, key := range slices.Sorted(maps.Keys(v)) {
		d.key(key)
		d.any(v[key], depth-1)
	}
}

// any writes one value, in which containers may nest depth levels deep.
func (d *docWriter) any(v any, depth int) {
	switch v := v.(type) {
	case uint64:
		if v > MaxInteger {
			d.put(fmt.Errorf("a number is above 2^53-1"))
		}
		d.uint(v)
	case string:
		if !utf8.ValidString(v) {
			d.put(fmt.Errorf("a string is not UTF-8"))
		}
		d.text(v)
	case bool:
		d.put(d.enc.EncodeBool(v))
	case []byte:
		d.put(d.enc.EncodeBytes(append([]byte{}, v...))) // of nil it would make a nil
	case []any:
		if depth == 0 {
			d.put(fmt.Errorf("it is nested deeper than %d", docDepth))
			return
		}
		d.array(len(v))
		for _, item := range v {
			d.any(item, depth-1)
		}
	case Values:
		d.values(v, depth)
	default:
		d.put(fmt.Errorf("a %T cannot stand in it", v))
	}
}

func (d *docReader) values() Values {
	v := Values{}
	d.object(nil, func(key string) bool {
		if !utf8.ValidString(key) {
			d.fail("a key is not UTF-8")
		}
		v[key] = d.any()
		return true
	})
	return v
}

func (d *docReader) any() any {
	switch d.peek() {
	case kindUint:
		return d.uint(0, MaxInteger)
	case kindText:
		return d.text(0, len(d.raw))
	case kindMap:
		return d.values()
	case kindArray:
		list := []any{}
		d.list(func() { list = append(list, d.any()) })
		return list
	case kindBool:
		b, err := d.dec.DecodeBool()
		d.take(err)
		return b
	case kindBin:
		b, err := d.dec.DecodeBytes()
		d.take(err)
		return b
	}
	d.fail("a value is not allowed")
	return nil
}

package wire

import (
	"bytes"
	"encoding/hex"

	"github.com/vmihailenco/msgpack/v5"
)

// field is one entry of a message: its name, where its value lives, and what
// values it may have. A message lists its fields once; encoding, decoding,
// checking and the MAC's input all follow that list.
type field struct {
	name     string
	kind     fieldKind
	small    *uint8
	big      *uint64
	min, max uint64  // of numbers; of the length of doc
	text     *string // id
	fixed    []byte  // bin of exactly this length, mac
	doc      *[]byte // bin of any length up to max
}

type fieldKind uint8

const (
	fieldConst fieldKind = iota // the number min, and no other
	fieldSmall
	fieldBig
	fieldRV // the number -min, and no other: 0 or -1
	fieldID
	fieldFixed
	fieldDoc
	fieldMAC // text of lower-case hex
)

func konst(name string, v uint64) field { return field{name: name, kind: fieldConst, min: v, max: v} }

func small(name string, p *uint8, min, max uint64) field {
	return field{name: name, kind: fieldSmall, small: p, min: min, max: max}
}

func number(name string, p *uint64, min, max uint64) field {
	return field{name: name, kind: fieldBig, big: p, min: min, max: max}
}

func id(name string, p *string) field { return field{name: name, kind: fieldID, text: p} }
func bin(name string, b []byte) field { return field{name: name, kind: fieldFixed, fixed: b} }
func authCode(m *MAC) field           { return field{name: "authCode", kind: fieldMAC, fixed: m[:]} }
func doc(p *[]byte, limit uint64) field {
	return field{name: "doc", kind: fieldDoc, doc: p, max: limit}
}

func (f *field) value() uint64 {
	switch f.kind {
	case fieldSmall:
		return uint64(*f.small)
	case fieldBig:
		return *f.big
	}
	return f.min
}

// check tells whether the value that stands in the field is one of those it may have.
func (f *field) check() error {
	switch f.kind {
	case fieldSmall, fieldBig:
		if v := f.value(); v < f.min || v > f.max {
			return malformed("%s is out of range", f.name)
		}
	case fieldID:
		if !ValidID(*f.text) {
			return malformed("%s is not an identifier", f.name)
		}
	case fieldDoc:
		if uint64(len(*f.doc)) > f.max {
			return malformed("%s is too long", f.name)
		}
	}
	return nil
}

// appendTo appends the field's decoded value to a MAC's input.
func (f *field) appendTo(e *E) {
	switch f.kind {
	case fieldID:
		e.Text(*f.text)
	case fieldFixed:
		e.Bytes(f.fixed)
	case fieldDoc:
		e.Bytes(*f.doc)
	default:
		e.Uint(f.value())
	}
}

// encode writes the fields as one map. Values out of range are a defect of the caller.
func encode(fields []field) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(&buf)
	err := enc.EncodeMapLen(len(fields))
	for i := 0; i < len(fields) && err == nil; i++ {
		f := &fields[i]
		if err = f.check(); err != nil {
			break
		}
		if err = enc.EncodeString(f.name); err != nil {
			break
		}
		switch f.kind {
		case fieldConst, fieldSmall, fieldBig:
			err = enc.EncodeUint(f.value())
		case fieldRV:
			err = enc.EncodeInt(-int64(f.min))
		case fieldID:
			err = enc.EncodeString(*f.text)
		case fieldFixed:
			err = enc.EncodeBytes(f.fixed)
		case fieldDoc:
			err = enc.EncodeBytes(nonNil(*f.doc))
		case fieldMAC:
			err = enc.EncodeString(hex.EncodeToString(f.fixed))
		}
	}
	return whole(buf.Bytes(), err)
}

// nonNil keeps the library from writing nil for an empty byte string.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// decode reads the frame into the fields: all of them, once each, no others.
func (f *Frame) decode(fields []field) error {
	if f.n != len(fields) {
		return f.misfit(fields)
	}
	dec := msgpack.GetDecoder()
	defer msgpack.PutDecoder(dec)
	dec.Reset(bytes.NewReader(f.raw))
	if _, err := dec.DecodeMapLen(); err != nil {
		return malformed("%v", err)
	}
	for i := range f.n {
		to := find(fields, f.entries[i].key)
		if to == nil {
			return malformed("it has an unknown field")
		}
		if err := dec.Skip(); err != nil {
			return malformed("%v", err)
		}
		if err := to.read(dec, f.entries[i].kind); err != nil {
			return err
		}
		if err := to.check(); err != nil {
			return err
		}
	}
	return nil
}

// misfit says which of the fields is missing or that there is an unknown one.
func (f *Frame) misfit(fields []field) error {
	for i := range fields {
		if f.index(fields[i].name, f.n) < 0 {
			return malformed("%s is missing", fields[i].name)
		}
	}
	return malformed("it has an unknown field")
}

func find(fields []field, key []byte) *field {
	for i := range fields {
		if fields[i].name == string(key) {
			return &fields[i]
		}
	}
	return nil
}

// read takes one value, of the kind that the guard has seen, from the decoder.
func (f *field) read(dec *msgpack.Decoder, k kind) error {
	var err error
	switch f.kind {
	case fieldConst, fieldSmall, fieldBig:
		err = f.readUint(dec, k)
	case fieldRV:
		err = f.readRV(dec, k)
	case fieldID:
		if k != kindText {
			return f.wrongType()
		}
		*f.text, err = dec.DecodeString()
	case fieldFixed:
		err = f.readFixed(dec, k)
	case fieldDoc:
		if k != kindBin {
			return f.wrongType()
		}
		*f.doc, err = dec.DecodeBytes()
	case fieldMAC:
		err = f.readMAC(dec, k)
	}
	return err
}

func (f *field) readUint(dec *msgpack.Decoder, k kind) error {
	if k != kindUint {
		return f.wrongType()
	}
	v, err := dec.DecodeUint64()
	if err != nil {
		return malformed("%v", err)
	}
	if v < f.min || v > f.max {
		return malformed("%s is out of range", f.name)
	}
	switch f.kind {
	case fieldSmall:
		*f.small = uint8(v)
	case fieldBig:
		*f.big = v
	}
	return nil
}

func (f *field) readRV(dec *msgpack.Decoder, k kind) error {
	if k != kindUint && k != kindNegative {
		return f.wrongType()
	}
	v, err := dec.DecodeInt64()
	if err != nil {
		return malformed("%v", err)
	}
	if v != -int64(f.min) || (v < 0) != (k == kindNegative) {
		return malformed("%s is out of range", f.name)
	}
	return nil
}

func (f *field) readFixed(dec *msgpack.Decoder, k kind) error {
	if k != kindBin {
		return f.wrongType()
	}
	n, err := dec.DecodeBytesLen()
	if err != nil {
		return malformed("%v", err)
	}
	if n != len(f.fixed) {
		return malformed("%s has the wrong length", f.name)
	}
	return dec.ReadFull(f.fixed)
}

func (f *field) readMAC(dec *msgpack.Decoder, k kind) error {
	if k != kindText {
		return f.wrongType()
	}
	s, err := dec.DecodeString()
	if err != nil {
		return malformed("%v", err)
	}
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(f.fixed) || hex.EncodeToString(raw) != s {
		return malformed("%s is not %d lower-case hex digits", f.name, 2*len(f.fixed))
	}
	copy(f.fixed, raw)
	return nil
}

func (f *field) wrongType() error { return malformed("%s has the wrong type", f.name) }

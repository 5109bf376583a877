package wire

import (
	"bytes"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// Limits of a document (§12): depth counts the outer map as 1, and every map
// entry and array item is one element.
const (
	docDepth    = 4
	docElements = 8192
)

// docReader decodes a document that the guard has passed. The first error
// stays and makes every later call do nothing.
type docReader struct {
	dec     *msgpack.Decoder
	raw     []byte
	at      *bytes.Reader
	lenient bool // keys that are not known are passed over
	err     error
}

// readDoc guards b and calls read with the document's outer map.
func readDoc(b []byte, read func(d *docReader)) error {
	s := scanner{b: b, elements: docElements, nested: true}
	k, err := s.value(docDepth)
	switch {
	case err != nil:
		return err
	case k != kindMap:
		return malformed("it is not a map")
	case s.pos != len(b):
		return malformed("bytes follow it")
	}
	d := &docReader{dec: msgpack.GetDecoder(), raw: b, at: bytes.NewReader(b)}
	defer msgpack.PutDecoder(d.dec)
	d.dec.Reset(d.at)
	read(d)
	return d.err
}

func (d *docReader) fail(format string, args ...any) {
	if d.err == nil {
		d.err = malformed(format, args...)
	}
}

// take runs one read of the library, whose failures are the document's.
func (d *docReader) take(err error) bool {
	if d.err == nil && err != nil {
		d.err = malformed("%v", err)
	}
	return d.err == nil
}

// object reads a map: entry is called once for every key and reads its value,
// or answers false for an unknown key. Every key in must has to be there.
func (d *docReader) object(must []string, entry func(key string) bool) {
	if d.peek() != kindMap {
		d.fail("a map is missing")
	}
	if d.err != nil {
		return
	}
	n, err := d.dec.DecodeMapLen()
	if !d.take(err) {
		return
	}
	seen := make(map[string]bool, n)
	for range n {
		key, err := d.dec.DecodeString()
		if !d.take(err) {
			return
		}
		if seen[key] {
			d.fail("a key stands twice")
			return
		}
		seen[key] = true
		if !entry(key) {
			d.unknown()
		}
		if d.err != nil {
			return
		}
	}
	for _, key := range must {
		if !seen[key] {
			d.fail("%s is missing", key)
		}
	}
}

// unknown takes the value of a key that is not known.
func (d *docReader) unknown() {
	if !d.lenient {
		d.fail("it has an unknown key")
		return
	}
	d.any()
}

// list reads an array: item is called for every one.
func (d *docReader) list(item func()) {
	if d.peek() != kindArray {
		d.fail("an array is missing")
	}
	if d.err != nil {
		return
	}
	n, err := d.dec.DecodeArrayLen()
	d.take(err)
	for i := 0; i < n && d.err == nil; i++ {
		item()
	}
}

// uint reads an integer from min to max.
func (d *docReader) uint(min, max uint64) uint64 {
	if d.peek() != kindUint {
		d.fail("a number is missing")
	}
	if d.err != nil {
		return 0
	}
	v, err := d.dec.DecodeUint64()
	if d.take(err) && (v < min || v > max) {
		d.fail("a number is out of range")
	}
	return v
}

// text reads a string of min to max bytes of UTF-8.
func (d *docReader) text(min, max int) string {
	if d.peek() != kindText {
		d.fail("a string is missing")
	}
	if d.err != nil {
		return ""
	}
	s, err := d.dec.DecodeString()
	if d.take(err) && (len(s) < min || len(s) > max || !utf8.ValidString(s)) {
		d.fail("a string is not allowed")
	}
	return s
}

func (d *docReader) id() string {
	s := d.text(1, MaxID)
	if d.err == nil && !ValidID(s) {
		d.fail("an identifier is not allowed")
	}
	return s
}

// peek tells what comes next. The library reads straight from d.at, without a
// buffer of its own, so what is left there tells the place.
func (d *docReader) peek() kind {
	if d.err != nil {
		return kindNone
	}
	s := scanner{b: d.raw, pos: len(d.raw) - d.at.Len()}
	k, _, err := s.header()
	d.take(err)
	return k
}

// docWriter encodes a document.
type docWriter struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
	err error
}

func writeDoc(write func(d *docWriter)) ([]byte, error) {
	d := &docWriter{enc: msgpack.GetEncoder()}
	defer msgpack.PutEncoder(d.enc)
	d.enc.Reset(&d.buf)
	write(d)
	return whole(d.buf.Bytes(), d.err)
}

func (d *docWriter) put(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *docWriter) open(entries int)          { d.put(d.enc.EncodeMapLen(entries)) }
func (d *docWriter) array(items int)           { d.put(d.enc.EncodeArrayLen(items)) }
func (d *docWriter) uint(v uint64)             { d.put(d.enc.EncodeUint(v)) }
func (d *docWriter) key(name string)           { d.put(d.enc.EncodeString(name)) }
func (d *docWriter) text(s string)             { d.put(d.enc.EncodeString(s)) }
func (d *docWriter) number(k string, v uint64) { d.key(k); d.uint(v) }
func (d *docWriter) string(k, v string)        { d.key(k); d.text(v) }

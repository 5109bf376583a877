package wire

import (
	"unicode"
	"unicode/utf8"
)

// item is one entry of a document's map: its key, and how its value is read
// and written. A document lists its entries once; both ways follow that list.
type item struct {
	key    string
	absent bool // it may be
	gone   bool // it is, when written
	read   func(d *docReader)
	write  func(d *docWriter)
}

// optional is an entry that may be absent, and is written only if it is there.
func optional(there bool, e item) item {
	e.absent, e.gone = true, !there
	return e
}

// items reads a map, strictly or not as the reader is.
func (d *docReader) items(all []item) {
	var must []string
	for i := range all {
		if !all[i].absent {
			must = append(must, all[i].key)
		}
	}
	d.object(must, func(key string) bool {
		for i := range all {
			if all[i].key == key {
				all[i].read(d)
				return true
			}
		}
		return false
	})
}

func (d *docWriter) items(all []item) {
	n := 0
	for i := range all {
		if !all[i].gone {
			n++
		}
	}
	d.open(n)
	for i := range all {
		if !all[i].gone {
			d.key(all[i].key)
			all[i].write(d)
		}
	}
}

// readItems decodes a document that is one map of these entries; lenient, one
// that may have others besides.
func readItems(b []byte, lenient bool, all []item) error {
	return readDoc(b, func(d *docReader) {
		d.lenient = lenient
		d.items(all)
	})
}

func writeItems(all []item) ([]byte, error) {
	b, err := writeDoc(func(d *docWriter) { d.items(all) })
	if err == nil && len(b) > MaxDocReply {
		return nil, malformed("the document is too long")
	}
	return b, err
}

// uintOf is a number from min to max.
func uintOf(key string, p *uint64, min, max uint64) item {
	return item{key: key, read: func(d *docReader) { *p = d.uint(min, max) }, write: func(d *docWriter) { d.uint(*p) }}
}

// timeOf is a time in milliseconds since 1970 UTC.
func timeOf(key string, p *uint64) item { return uintOf(key, p, 0, MaxInteger) }

// moment is a time that may not have been reached, 0.
func moment(key string, p *uint64) item { return optional(*p != 0, timeOf(key, p)) }

// smallOf is a number of a type of its own, from min to max.
func smallOf[T ~uint8](key string, p *T, min, max T) item {
	return item{key: key, read: func(d *docReader) { *p = T(d.uint(uint64(min), uint64(max))) },
		write: func(d *docWriter) { d.uint(uint64(*p)) }}
}

func boolOf(key string, p *bool) item {
	return item{key: key, read: func(d *docReader) { *p = d.bool() }, write: func(d *docWriter) { d.put(d.enc.EncodeBool(*p)) }}
}

func idOf(key string, p *string) item {
	return item{key: key, read: func(d *docReader) { *p = d.id() }, write: func(d *docWriter) { d.text(*p) }}
}

// lineOf is a line of up to max bytes, without control characters: it is shown
// on screens and terminals.
func lineOf(key string, p *string, min, max int) item {
	return item{key: key, read: func(d *docReader) { *p = d.line(min, max) }, write: func(d *docWriter) { d.text(*p) }}
}

func binOf(key string, p *[]byte, min, max int) item {
	return item{key: key, read: func(d *docReader) { *p = d.bytes(min, max) },
		write: func(d *docWriter) { d.put(d.enc.EncodeBytes(nonNil(*p))) }}
}

func fingerprintOf(key string, p *Fingerprint) item {
	return item{key: key, read: func(d *docReader) { *p = d.fingerprint() }, write: func(d *docWriter) { d.text(p.String()) }}
}

// mapOf is a map within the document.
func mapOf(key string, all func() []item) item {
	return item{key: key, read: func(d *docReader) { d.items(all()) }, write: func(d *docWriter) { d.items(all()) }}
}

// mapsOf is a list of maps. An empty one is read as nil.
func mapsOf[T any](key string, p *[]T, all func(*T) []item) item {
	return item{key: key,
		read: func(d *docReader) {
			*p = nil
			d.list(func() {
				var v T
				d.items(all(&v))
				*p = append(*p, v)
			})
		},
		write: func(d *docWriter) {
			d.array(len(*p))
			for i := range *p {
				d.items(all(&(*p)[i]))
			}
		}}
}

// smallsOf is a list of numbers from min to max. An empty one is not nil.
func smallsOf[T ~uint8](key string, p *[]T, min, max T) item {
	return item{key: key,
		read: func(d *docReader) {
			*p = []T{}
			d.list(func() { *p = append(*p, T(d.uint(uint64(min), uint64(max)))) })
		},
		write: func(d *docWriter) {
			d.array(len(*p))
			for _, v := range *p {
				d.uint(uint64(v))
			}
		}}
}

// pointerTo is an entry that is there if p is not nil.
func pointerTo[T any](p **T, e func(*T) item) item {
	var v T
	if *p != nil {
		v = **p
	}
	of := e(&v)
	read := of.read
	of.read = func(d *docReader) {
		read(d)
		*p = &v
	}
	return optional(*p != nil, of)
}

func (d *docReader) bool() bool {
	if d.peek() != kindBool {
		d.fail("a bool is missing")
	}
	if d.err != nil {
		return false
	}
	b, err := d.dec.DecodeBool()
	d.take(err)
	return b
}

func (d *docReader) bytes(min, max int) []byte {
	if d.peek() != kindBin {
		d.fail("bytes are missing")
	}
	if d.err != nil {
		return nil
	}
	b, err := d.dec.DecodeBytes()
	if d.take(err) && (len(b) < min || len(b) > max) {
		d.fail("bytes are not of the length that they may have")
	}
	return b
}

func (d *docReader) line(min, max int) string {
	s := d.text(min, max)
	if d.err == nil && !ValidLine(s, max) {
		d.fail("a string has characters that it may not have")
	}
	return s
}

// ValidLine reports whether s is a line of at most max bytes of UTF-8 without
// control characters: what a note or a query may be.
func ValidLine(s string, max int) bool {
	if len(s) > max || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

package wire

import "encoding/binary"

// E builds the one injective encoding that every MAC, transcript and label of
// the protocol covers (docs/protocol.md §2):
//
//	LP(b) = U32(len b) ‖ b
//	E(label, x1..xn) = LP(label) ‖ U32(n) ‖ LP(x1) ‖ … ‖ LP(xn)
//
// with all integers big-endian. Methods return the receiver, for chains.
type E struct {
	buf   []byte
	count int // where U32(n) stands
	n     uint32
}

// NewE begins E(label, …).
func NewE(label string) *E {
	e := &E{buf: make([]byte, 0, 512)}
	e.prefix(len(label))
	e.buf = append(e.buf, label...)
	e.count = len(e.buf)
	e.buf = append(e.buf, 0, 0, 0, 0)
	return e
}

// Uint appends an integer as U64, 8 bytes.
func (e *E) Uint(v uint64) *E {
	e.next(8)
	e.buf = binary.BigEndian.AppendUint64(e.buf, v)
	return e
}

// Int appends a signed integer as I64, 8 bytes.
func (e *E) Int(v int64) *E { return e.Uint(uint64(v)) }

// Text appends the bytes of s.
func (e *E) Text(s string) *E {
	e.next(len(s))
	e.buf = append(e.buf, s...)
	return e
}

// Bytes appends b.
func (e *E) Bytes(b []byte) *E {
	e.next(len(b))
	e.buf = append(e.buf, b...)
	return e
}

// Sum returns the encoding. It stays valid until the next append.
func (e *E) Sum() []byte {
	binary.BigEndian.PutUint32(e.buf[e.count:], e.n)
	return e.buf
}

func (e *E) next(size int) {
	e.n++
	e.prefix(size)
}

func (e *E) prefix(size int) { e.buf = binary.BigEndian.AppendUint32(e.buf, uint32(size)) }

package wire

// Frame is a message's raw bytes with its entries found, nothing decoded yet.
// It refers to the bytes it was parsed from.
type Frame struct {
	raw     []byte
	entries [maxEntries]entry
	n       int
	Cmd     Cmd // field cmdType
}

type entry struct {
	key  []byte
	kind kind
}

// Parse guards a frame: one flat map of at most 16 entries with string keys,
// none twice, and values that are integers, strings or byte strings, with
// nothing behind it. It finds cmdType. The size limit is the caller's.
func Parse(raw []byte) (*Frame, error) {
	s := scanner{b: raw, elements: maxEntries}
	n, err := s.open()
	if err != nil {
		return nil, err
	}
	f := &Frame{raw: raw, n: n}
	found := false
	for i := range n {
		if f.entries[i].key, err = s.key(); err != nil {
			return nil, err
		}
		if f.index(string(f.entries[i].key), i) >= 0 {
			return nil, malformed("a field stands twice")
		}
		begin := s.pos
		if f.entries[i].kind, err = s.value(0); err != nil {
			return nil, err
		}
		if string(f.entries[i].key) == "cmdType" {
			// Every command fits a positive fixint; longer spellings of one are read below.
			v, err := smallUint(raw[begin:s.pos], f.entries[i].kind)
			if err != nil {
				return nil, err
			}
			f.Cmd, found = Cmd(v), true
		}
	}
	switch {
	case s.pos != len(raw):
		return nil, malformed("bytes follow it")
	case !found:
		return nil, malformed("cmdType is missing")
	}
	return f, nil
}

// index finds a key among the first n entries.
func (f *Frame) index(key string, n int) int {
	for i := range n {
		if string(f.entries[i].key) == key {
			return i
		}
	}
	return -1
}

// smallUint reads an integer of at most 255 in any of its spellings: a fixint,
// or a header byte and a big-endian number.
func smallUint(b []byte, k kind) (uint8, error) {
	if k != kindUint {
		return 0, malformed("cmdType is not a number")
	}
	for i := 1; i < len(b)-1; i++ {
		if b[i] != 0 {
			return 0, malformed("cmdType is out of range")
		}
	}
	return b[len(b)-1], nil
}

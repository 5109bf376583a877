package wire

import "encoding/hex"

// Filter selects keys of the history (§12): those whose life [verified, end)
// meets [From, To). Its zero value selects all.
type Filter struct {
	Outlet   string // empty: any that the role may see
	From, To uint64 // milliseconds since 1970 UTC; 0: not bounded
	States   []State
	Bounded  bool // States counts, even if empty; then nothing is selected
}

// Encode returns the document; of a filter that selects all, 0 bytes.
func (f *Filter) Encode() ([]byte, error) {
	entries := count(f.Outlet != "", f.From != 0, f.To != 0, f.Bounded)
	if entries == 0 {
		return nil, nil
	}
	return writeDoc(func(d *docWriter) {
		d.open(entries)
		if f.Outlet != "" {
			d.string("outlet", f.Outlet)
		}
		d.optional("from", f.From)
		d.optional("to", f.To)
		if f.Bounded {
			d.key("states")
			d.array(len(f.States))
			for _, s := range f.States {
				d.uint(uint64(s))
			}
		}
	})
}

// DecodeFilter decodes a document; 0 bytes are the filter that selects all.
func DecodeFilter(b []byte) (*Filter, error) {
	f := &Filter{}
	if len(b) == 0 {
		return f, nil
	}
	never := false // nothing lies before to: 0
	err := readDoc(b, func(d *docReader) {
		d.object(nil, func(key string) bool {
			switch key {
			case "outlet":
				f.Outlet = d.id()
			case "from":
				f.From = d.uint(0, MaxInteger)
			case "to":
				f.To = d.uint(0, MaxInteger)
				never = f.To == 0
			case "states":
				f.Bounded = true
				d.list(func() { f.States = append(f.States, State(d.uint(1, uint64(StateRevoked)))) })
			default:
				return false
			}
			return true
		})
	})
	if never {
		f.Bounded, f.States = true, nil
	}
	return whole(f, err)
}

// Row is one key of the history. Times are milliseconds since 1970 UTC; 0
// stands for a state that was not reached.
type Row struct {
	N          uint64 // the store's row number
	Outlet     string
	Seckeyid   uint64
	State      State
	Negotiated uint64
	Verified   uint64
	Retired    uint64
	Expires    uint64 // always created + lifetime
	Ended      uint64
	Reason     Reason // with StateRetired and above
	By         string // the clientId that acted; empty for the server
	Receipt    uint64
	FP         Fingerprint
}

// Fingerprint is what screens, logs and records show of a key: the first 8
// bytes of SHA256(E("hufu1 fp", key)), printed as 16 hex digits.
type Fingerprint [8]byte

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// EncodePage encodes as many whole rows as fit a reply, in order, and no fewer
// than one if there is one; n tells how many.
func EncodePage(rows []Row) (page []byte, n int, err error) {
	var body []byte
	for n < min(len(rows), maxRows) {
		row, err := writeDoc(rows[n].write)
		if err != nil {
			return nil, 0, err
		}
		if n > 0 && pageHead+len(body)+len(row) > MaxDocReply {
			break
		}
		body = append(body, row...)
		n++
	}
	head, err := writeDoc(func(d *docWriter) {
		d.open(1)
		d.key("rows")
		d.array(n)
	})
	return append(head, body...), n, err
}

const (
	// pageHead is what stands before the rows, at most: a map, its key, a list.
	pageHead = 1 + 5 + 3
	// maxRows keeps a page below the element limit: 14 for a row with all it
	// may have, 1 for the list.
	maxRows = (docElements - 1) / 14
)

func (r *Row) write(d *docWriter) {
	reasoned := r.State >= StateRetired || r.Reason != 0
	d.open(7 + count(r.Verified != 0, r.Retired != 0, r.Ended != 0, reasoned, r.By != "", r.Receipt != 0))
	d.number("n", r.N)
	d.string("outlet", r.Outlet)
	d.number("seckeyid", r.Seckeyid)
	d.number("state", uint64(r.State))
	d.number("negotiated", r.Negotiated)
	d.optional("verified", r.Verified)
	d.optional("retired", r.Retired)
	d.number("expires", r.Expires)
	d.optional("ended", r.Ended)
	if reasoned {
		d.number("reason", uint64(r.Reason))
	}
	if r.By != "" {
		d.string("by", r.By)
	}
	d.optional("receipt", r.Receipt)
	d.string("fp", r.FP.String())
}

// DecodePage decodes a page of the history.
func DecodePage(b []byte) ([]Row, error) {
	var rows []Row
	err := readDoc(b, func(d *docReader) {
		d.object([]string{"rows"}, func(key string) bool {
			if key != "rows" {
				return false
			}
			d.list(func() {
				var r Row
				r.read(d)
				rows = append(rows, r)
			})
			return true
		})
	})
	return whole(rows, err)
}

func (r *Row) read(d *docReader) {
	d.object([]string{"n", "outlet", "seckeyid", "state", "negotiated", "expires", "fp"}, func(key string) bool {
		switch key {
		case "n":
			r.N = d.uint(0, MaxInteger)
		case "outlet":
			r.Outlet = d.id()
		case "seckeyid":
			r.Seckeyid = d.uint(1, MaxSeckeyid)
		case "state":
			r.State = State(d.uint(1, uint64(StateRevoked)))
		case "negotiated":
			r.Negotiated = d.uint(0, MaxInteger)
		case "verified":
			r.Verified = d.uint(0, MaxInteger)
		case "retired":
			r.Retired = d.uint(0, MaxInteger)
		case "expires":
			r.Expires = d.uint(0, MaxInteger)
		case "ended":
			r.Ended = d.uint(0, MaxInteger)
		case "reason":
			r.Reason = Reason(d.uint(0, MaxReason))
		case "by":
			r.By = d.id()
		case "receipt":
			r.Receipt = d.uint(0, MaxInteger)
		case "fp":
			r.FP = d.fingerprint()
		default:
			return false
		}
		return true
	})
}

func (d *docReader) fingerprint() (f Fingerprint) {
	s := d.text(16, 16)
	raw, err := hex.DecodeString(s)
	if d.err == nil && (err != nil || hex.EncodeToString(raw) != s) {
		d.fail("a fingerprint is not 16 lower-case hex digits")
	}
	copy(f[:], raw)
	return f
}

func (d *docWriter) optional(k string, v uint64) {
	if v != 0 {
		d.number(k, v)
	}
}

func count(there ...bool) (n int) {
	for _, t := range there {
		if t {
			n++
		}
	}
	return n
}

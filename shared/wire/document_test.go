package wire

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// document is one Filter or page in both forms.
type document struct {
	name string
	doc  any // *Filter or []Row
	raw  value
}

func (d document) encode(t *testing.T) []byte {
	t.Helper()
	var b []byte
	var err error
	switch doc := d.doc.(type) {
	case *Filter:
		b, err = doc.Encode()
	case []Row:
		b, _, err = EncodePage(doc)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (d document) decode(b []byte) (any, error) {
	if _, ok := d.doc.(*Filter); ok {
		return DecodeFilter(b)
	}
	return DecodePage(b)
}

const someTime = 1_750_000_000_000

// rawRow is a row with all that a row may have.
var rawRow = table{{"n", uintValue(1 << 35)}, {"outlet", textValue("o-01")}, {"seckeyid", uintValue(300)}, {"state", uintValue(5)},
	{"negotiated", uintValue(someTime)}, {"verified", uintValue(someTime + 1)}, {"retired", uintValue(someTime + 2)},
	{"expires", uintValue(someTime + 3)}, {"ended", uintValue(someTime + 4)}, {"reason", uintValue(2)}, {"by", textValue("op-1")},
	{"receipt", uintValue(someTime + 5)}, {"fp", textValue("0123456789abcdef")}}

var rawFilter = table{{"outlet", textValue("o-01")}, {"from", uintValue(someTime)}, {"to", uintValue(someTime + 9)},
	{"states", listValue(uintValue(2), uintValue(3))}}

func rawPage(rows ...value) value { return table{{"rows", listValue(rows...)}}.bytes() }

func documents() []document {
	row := Row{N: 1 << 35, Outlet: "o-01", Seckeyid: 300, State: StateRevoked, Negotiated: someTime, Verified: someTime + 1,
		Retired: someTime + 2, Expires: someTime + 3, Ended: someTime + 4, Reason: ReasonKeyCompromised, By: "op-1",
		Receipt: someTime + 5, FP: Fingerprint{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}}
	pending := Row{N: 1, Outlet: "o-01", Seckeyid: 1, State: StatePending, Negotiated: someTime, Expires: someTime + 3}
	rawPending := table{{"n", uintValue(1)}, {"outlet", textValue("o-01")}, {"seckeyid", uintValue(1)}, {"state", uintValue(1)},
		{"negotiated", uintValue(someTime)}, {"expires", uintValue(someTime + 3)}, {"fp", textValue("0000000000000000")}}
	return []document{
		{"filter", &Filter{Outlet: "o-01", From: someTime, To: someTime + 9, Bounded: true, States: []State{StateActive, StateRetired}}, rawFilter.bytes()},
		{"filter of all", &Filter{}, nil},
		{"filter by outlet", &Filter{Outlet: "o-01"}, table{rawFilter[0]}.bytes()},
		{"filter of nothing", &Filter{Bounded: true}, table{{"states", listValue()}}.bytes()},
		{"empty page", []Row(nil), rawPage()},
		{"page", []Row{row, pending}, rawPage(rawRow.bytes(), rawPending.bytes())},
	}
}

func TestDocuments(t *testing.T) {
	for _, d := range documents() {
		b := d.encode(t)
		if !bytes.Equal(b, d.raw) {
			t.Errorf("%s:\n got %x\nwant %x", d.name, b, d.raw)
		}
		got, err := d.decode(b)
		if err != nil || !reflect.DeepEqual(got, d.doc) {
			t.Errorf("%s: %+v came back as %+v, %v", d.name, d.doc, got, err)
		}
		for n := 1; n < len(b); n++ {
			m, err := d.decode(b[:n:n])
			refused(t, m, err, "%s, the first %d bytes", d.name, n)
		}
		if len(b) > 0 {
			m, err := d.decode(append(bytes.Clone(b), 0x80))
			refused(t, m, err, "%s and more", d.name)
		}
	}
	m, err := DecodePage(nil)
	refused(t, m, err, "a page of 0 bytes")
}

// TestFilterTo shows that a bound that nothing lies before is not the same as none.
func TestFilterTo(t *testing.T) {
	for _, raw := range []table{
		{{"to", uintValue(0)}},
		{{"to", uintValue(0)}, {"states", listValue(uintValue(2))}},
		{{"states", listValue(uintValue(2))}, {"to", uintValue(0)}},
	} {
		f, err := DecodeFilter(raw.bytes())
		if err != nil || !reflect.DeepEqual(f, &Filter{Bounded: true}) {
			t.Errorf("%x: %+v %v", raw.bytes(), f, err)
		}
	}
	f, err := DecodeFilter(table{}.bytes())
	if err != nil || !reflect.DeepEqual(f, &Filter{}) {
		t.Errorf("{}: %+v %v", f, err)
	}
}

// inDoc are the maps of documents, each within a whole document.
var inDoc = []struct {
	name string
	t    table
	must []string
	wrap func(table) value
	read func([]byte) (any, error)
}{
	{"filter", rawFilter, nil, table.bytes, readFilter},
	{"page", table{{"rows", listValue(rawRow.bytes())}}, []string{"rows"}, table.bytes, readPage},
	{"row", rawRow, []string{"n", "outlet", "seckeyid", "state", "negotiated", "expires", "fp"},
		func(t table) value { return rawPage(rawRow.bytes(), t.bytes()) }, readPage},
}

func readFilter(b []byte) (any, error) { return DecodeFilter(b) }
func readPage(b []byte) (any, error)   { return DecodePage(b) }

func TestDocumentKeys(t *testing.T) {
	for _, c := range inDoc {
		for i, e := range c.t {
			m, err := c.read(c.wrap(c.t.and(e.key, e.v)))
			refused(t, m, err, "%s with %s twice", c.name, e.key)
			m, err = c.read(c.wrap(c.t.without(i)))
			if must := strings.Contains(" "+strings.Join(c.must, " ")+" ", " "+e.key+" "); must {
				refused(t, m, err, "%s without %s", c.name, e.key)
			} else if err != nil {
				t.Errorf("%s without %s: %v", c.name, e.key, err)
			}
			turned := append(append(table(nil), c.t[i:]...), c.t[:i]...)
			if _, err := c.read(c.wrap(turned)); err != nil {
				t.Errorf("%s in another order: %v", c.name, err)
			}
			other := append(table(nil), c.t...)
			other[i].key += "x"
			m, err = c.read(c.wrap(other))
			refused(t, m, err, "%s with %s", c.name, other[i].key)
		}
		m, err := c.read(c.wrap(c.t.and("", uintValue(1))))
		refused(t, m, err, "%s with an unknown key", c.name)
	}
}

func TestDocumentTypes(t *testing.T) {
	for _, c := range inDoc {
		for _, e := range c.t {
			for name, v := range foreign {
				if e.key == "states" && strings.HasPrefix(name, "list of one") ||
					(e.key == "states" || e.key == "rows") && (name == "list" || strings.HasPrefix(name, "array")) {
					continue
				}
				m, err := c.read(c.wrap(c.t.with(e.key, v)))
				refused(t, m, err, "%s with %s %s", c.name, e.key, name)
			}
			own := kindOf(t, e.v)
			for _, v := range []value{uintValue(1), textValue("o-01"), binValue([]byte("o-01")), textValue("0123456789abcdef"), binValue(make([]byte, 8))} {
				if kindOf(t, v) == own {
					continue
				}
				m, err := c.read(c.wrap(c.t.with(e.key, v)))
				refused(t, m, err, "%s with %s % x", c.name, e.key, v)
			}
			if own == kindArray {
				continue
			}
			for _, v := range spellings(e.v) {
				if _, err := c.read(c.wrap(c.t.with(e.key, v))); err != nil {
					t.Errorf("%s with %s % x: %v", c.name, e.key, v, err)
				}
			}
		}
	}
	for _, v := range []value{uintValue(1), textValue("a"), binValue(nil), listValue(), valueNil, valueTrue, {0xca, 0, 0, 0, 0}} {
		m, err := DecodeFilter(v)
		refused(t, m, err, "% x as a filter", v)
		rows, err := DecodePage(v)
		refused(t, rows, err, "% x as a page", v)
	}
}

func TestDocumentRanges(t *testing.T) {
	time := uints([]uint64{0, 1, 1<<53 - 1}, []uint64{1 << 53})
	ids := rangeOf{[]value{textValue("a"), textValue("12345678901")},
		[]value{textValue(""), textValue("123456789012"), textValue("a b"), textValue("\xff"), textValue("網")}}
	list := func(values ...uint64) value {
		var v []value
		for _, n := range values {
			v = append(v, uintValue(n))
		}
		return listValue(v...)
	}
	r := map[string]rangeOf{
		"outlet": ids, "by": ids, "from": time, "to": time, "negotiated": time, "verified": time, "retired": time,
		"expires": time, "ended": time, "receipt": time, "n": time,
		"states":   {[]value{list(), list(1, 2, 3, 4, 5), list(2, 2), {0xdc, 0, 1, 5}, {0xdd, 0, 0, 0, 1, 5}}, []value{list(0), list(6), list(2, 257), list(1<<64 - 1)}},
		"rows":     {[]value{listValue(), listValue(rawRow.bytes())}, []value{listValue(rawRow.bytes(), uintValue(1)), listValue(listValue())}},
		"seckeyid": uints([]uint64{1, 1<<53 - 1}, []uint64{0, 1 << 53}),
		"state":    uints([]uint64{1, 5}, []uint64{0, 6, 257}),
		"reason":   uints([]uint64{0, 255}, []uint64{256, 300}),
		"fp": {[]value{textValue("ffffffffffffffff")}, []value{textValue(""), textValue("fffffffffffffff"), textValue("fffffffffffffffff"),
			textValue("FFFFFFFFFFFFFFFF"), textValue("fffffffffffffffF"), textValue("gfffffffffffffff"), textValue("0xffffffffffffff")}},
	}
	for _, c := range inDoc {
		for _, e := range c.t {
			for _, v := range r[e.key].in {
				if _, err := c.read(c.wrap(c.t.with(e.key, v))); err != nil {
					t.Errorf("%s with %s % x: %v", c.name, e.key, v, err)
				}
			}
			if len(r[e.key].out) == 0 {
				t.Fatalf("no range for %s", e.key)
			}
			for _, v := range r[e.key].out {
				m, err := c.read(c.wrap(c.t.with(e.key, v)))
				refused(t, m, err, "%s with %s % x", c.name, e.key, v)
			}
		}
	}
}

// TestDocumentLimits counts as §12 does: the outer map is depth 1, a map entry
// and an array item are one element each.
func TestDocumentLimits(t *testing.T) {
	any := func(b []byte) error { return readDoc(b, func(*docReader) {}) }
	nest := func(depth int) value {
		v := value(table{}.bytes())
		for range depth - 1 {
			v = table{{"a", v}}.bytes()
		}
		return v
	}
	list := func(items int) value {
		return table{{"a", append(sizedValue(0xdd, 4, uint64(items), nil), bytes.Repeat(valueTrue, items)...)}}.bytes()
	}
	wide := func(entries int) value {
		return append(sizedValue(0xdf, 4, uint64(entries), nil), bytes.Repeat([]byte("\xa1a\x01"), entries)...)
	}
	for name, c := range map[string]struct {
		doc  value
		want bool
	}{
		"depth 4": {nest(4), true}, "depth 5": {nest(5), false},
		"lists to depth 4": {table{{"a", listValue(listValue(listValue(uintValue(1))))}}.bytes(), true},
		"lists to depth 5": {table{{"a", listValue(listValue(listValue(listValue())))}}.bytes(), false},
		"8192 elements":    {list(8191), true}, "8193 elements": {list(8192), false},
		"8192 entries": {wide(8192), true}, "8193 entries": {wide(8193), false},
		"a bool":     {table{{"a", valueFalse}}.bytes(), true},
		"a nil":      {table{{"a", valueNil}}.bytes(), false},
		"a float":    {table{{"a", foreign["float64"]}}.bytes(), false},
		"a time":     {table{{"a", foreign["fixext4"]}}.bytes(), false},
		"a negative": {table{{"a", value{0xff}}}.bytes(), true},
	} {
		if err := any(c.doc); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestText(t *testing.T) {
	read := func(s string) (got string, err error) {
		err = readDoc(table{{"a", textValue(s)}}.bytes(), func(d *docReader) {
			d.object([]string{"a"}, func(string) bool { got = d.text(1, 6); return true })
		})
		return got, err
	}
	for s, want := range map[string]bool{"a": true, "123456": true, "虎符": true, "": false, "1234567": false,
		"\xff": false, "\xed\xa0\x80": false, "\xc0\x80": false, "a\xe8": false} {
		if got, err := read(s); (err == nil) != want || want && got != s {
			t.Errorf("%q: %q %v", s, got, err)
		}
	}
}

func TestFirstErrorStays(t *testing.T) {
	b := table{{"a", uintValue(7)}}.bytes()
	err := readDoc(b, func(d *docReader) {
		d.fail("first")
		d.fail("second")
		d.object(nil, func(string) bool { t.Error("it went on"); return true })
		d.list(func() { t.Error("it went on") })
		if d.uint(0, 9) != 0 || d.text(0, 9) != "" || d.id() != "" || d.fingerprint() != (Fingerprint{}) {
			t.Error("a value was read after an error")
		}
	})
	if err == nil || !strings.Contains(err.Error(), "first") {
		t.Error(err)
	}
}

func fullRow(i int) Row {
	id := strings.Repeat("x", MaxID)
	return Row{N: MaxInteger - uint64(i), Outlet: id, Seckeyid: MaxSeckeyid, State: StateRevoked, Negotiated: MaxInteger,
		Verified: MaxInteger, Retired: MaxInteger, Expires: MaxInteger, Ended: MaxInteger, Reason: MaxReason, By: id,
		Receipt: MaxInteger, FP: Fingerprint{255, 255, 255, 255, 255, 255, 255, 255}}
}

func shortRow(int) Row { return Row{Outlet: "o", Seckeyid: 1, State: StatePending} }

// TestEncodePage shows that a page stays within the limits, holds whole rows
// in order, as many as fit, and never none.
func TestEncodePage(t *testing.T) {
	shapes := map[string]func(i int) Row{
		"full rows": fullRow, "short rows": shortRow,
		"full rows first": func(i int) Row {
			if i < 250 {
				return fullRow(i)
			}
			return shortRow(i)
		},
		"short rows first": func(i int) Row {
			if i < 250 {
				return shortRow(i)
			}
			return fullRow(i)
		},
	}
	for name, row := range shapes {
		for _, count := range []int{0, 1, 2, 15, 16, 17, 250, 292, 293, 294, 500, 600, 5000} {
			rows := make([]Row, count)
			for i := range rows {
				rows[i] = row(i)
			}
			page, n, err := EncodePage(rows)
			switch {
			case err != nil:
				t.Fatal(err)
			case len(page) > MaxDocReply:
				t.Errorf("%d %s: %d bytes", count, name, len(page))
			case n == 0 && count > 0:
				t.Errorf("%d %s: none of them", count, name)
			}
			got, err := DecodePage(page)
			if err != nil || len(got) != n || n > 0 && !reflect.DeepEqual(got, rows[:n]) {
				t.Errorf("%d %s: %d rows came back as %d, %v", count, name, n, len(got), err)
			}
			if n < count && n < maxRows {
				next := rows[n]
				if b, _ := writeDoc(next.write); len(page)+len(b)+2 <= MaxDocReply {
					t.Errorf("%d %s: %d bytes hold %d rows, and one more would fit", count, name, len(page), n)
				}
			}
		}
	}
}

// TestRowReason shows that a row keeps its reason through decoding and encoding.
func TestRowReason(t *testing.T) {
	for _, state := range []State{StatePending, StateActive, StateRetired, StateExpired, StateRevoked} {
		for _, reason := range []Reason{0, 1, 255} {
			row := Row{Outlet: "o", Seckeyid: 1, State: state, Reason: reason}
			page, _, err := EncodePage([]Row{row})
			if err != nil {
				t.Fatal(err)
			}
			got, err := DecodePage(page)
			if err != nil || !reflect.DeepEqual(got, []Row{row}) {
				t.Errorf("%+v came back as %+v, %v", row, got, err)
			}
			if there := bytes.Contains(page, []byte("reason")); there != (state >= StateRetired || reason != 0) {
				t.Errorf("%s with reason %d: written %t", state, reason, there)
			}
		}
	}
}

package wire

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// adminDoc is an operation or a result in both forms, and which of its keys
// have to be there. At a path of keys stands a map within it.
type adminDoc struct {
	name string
	doc  any // Operation or Result
	raw  table
	must string
}

func (d *adminDoc) encode(t *testing.T) []byte {
	t.Helper()
	var b []byte
	var err error
	if o, is := d.doc.(Operation); is {
		b, err = EncodeOperation(o)
	} else {
		b, err = EncodeResult(d.doc.(Result))
	}
	if err != nil {
		t.Fatalf("%s: %v", d.name, err)
	}
	return b
}

// decode reads what the document is one of. Nothing is returned with an error.
func (d *adminDoc) decode(b []byte) (any, error) {
	if _, is := d.doc.(Operation); is {
		o, err := DecodeOperation(b)
		if o == nil {
			return nil, err
		}
		return o, err
	}
	r := reflect.New(reflect.TypeOf(d.doc).Elem()).Interface()
	if err := DecodeResult(b, r.(Result)); err != nil {
		return nil, err
	}
	return r, nil
}

func rawOp(op Op, rest ...entryValue) table {
	return append(table{{"op", textValue(string(op))}}, rest...)
}

func pointer[T any](v T) *T { return &v }

var (
	rawOutletRow = table{{"id", textValue("o-01")}, {"role", uintValue(1)}, {"disabled", valueFalse}, {"enrolled", uintValue(someTime)},
		{"epoch", uintValue(2)}, {"number", uintValue(300)}, {"connected", valueTrue}, {"seen", uintValue(someTime + 1)}, {"freshness", uintValue(2)},
		{"seckeyid", uintValue(300)}, {"fp", textValue("0123456789abcdef")}, {"expires", uintValue(someTime + 2)}, {"ends", uintValue(someTime + 3)}}
	rawEvent = table{{"n", uintValue(1 << 35)}, {"at", uintValue(someTime)}, {"kind", textValue("revoked")}, {"outlet", textValue("o-01")},
		{"seckeyid", uintValue(300)}, {"state", uintValue(5)}, {"reason", uintValue(2)}, {"by", textValue("op-1")}, {"note", textValue("在抽屉里")},
		{"settled", uintValue(7)}}
	rawStep = table{{"state", uintValue(5)}, {"at", uintValue(someTime)}, {"reason", uintValue(200)}, {"by", textValue("op-1")}, {"note", textValue("a")}}
	rawSeen = table{{"state", uintValue(5)}, {"at", uintValue(someTime)}, {"conn", textValue("c12")}}
	rawHour = table{{"at", uintValue(someTime)}, {"negotiated", uintValue(1)}, {"verified", uintValue(2)}, {"mismatch", uintValue(3)},
		{"refused", uintValue(4)}, {"revoked", uintValue(5)}, {"expired", uintValue(6)}}
	rawCounts = table{{"all", uintValue(100000)}, {"disabled", uintValue(1)}, {"connected", uintValue(2)}, {"none", uintValue(3)},
		{"fresh", uintValue(4)}, {"soon", uintValue(5)}, {"stale", uintValue(6)}}
	rawEpoch = table{{"epoch", uintValue(2)}, {"created", uintValue(someTime)}, {"used", uintValue(someTime + 1)}}
	rawKeys  = table{{"pending", uintValue(1)}, {"active", uintValue(2)}, {"retired", uintValue(3)}}
	rawEnded = table{{"expired", uintValue(8)}, {"revoked", uintValue(9)}}
)

func someOutlet() OutletRow {
	return OutletRow{ID: "o-01", Role: RoleOutlet, Enrolled: someTime, Epoch: 2, Number: 300, Connected: true, Seen: someTime + 1, Freshness: FreshnessSoon,
		Active: &ActiveKey{Seckeyid: 300, FP: Fingerprint{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}, Expires: someTime + 2, Ends: someTime + 3}}
}

func someEvent() EventRow {
	return EventRow{N: 1 << 35, At: someTime, Kind: "revoked", Outlet: "o-01", Seckeyid: 300, State: StateRevoked, Reason: ReasonKeyCompromised,
		By: "op-1", Note: "在抽屉里", Settled: pointer(uint64(7))}
}

func adminDocs() []adminDoc {
	full := documents()[5].doc.([]Row)[0]
	overview := &OverviewOK{Now: someTime, Outlets: OutletCounts{All: 100000, Disabled: 1, Connected: 2, None: 3, Fresh: 4, Soon: 5, Stale: 6},
		Hours: []Hour{{someTime, 1, 2, 3, 4, 5, 6}}, Last: []EventRow{someEvent()}}
	overview.Keys.Pending, overview.Keys.Active, overview.Keys.Retired = 1, 2, 3
	overview.Ended.Expired, overview.Ended.Revoked = 8, 9
	return []adminDoc{
		{"operation overview", &Overview{}, rawOp(OpOverview), "op"},
		{"operation outlets", &Outlets{Query: "o", Freshness: pointer(FreshnessSoon), Connected: pointer(false), Disabled: pointer(true),
			Roles: []Role{RoleOutlet, RoleAuditor}, After: "o-01", Limit: 100},
			rawOp(OpOutlets, entryValue{"query", textValue("o")}, entryValue{"freshness", uintValue(2)}, entryValue{"connected", valueFalse},
				entryValue{"disabled", valueTrue}, entryValue{"roles", listValue(uintValue(1), uintValue(3))}, entryValue{"after", textValue("o-01")},
				entryValue{"limit", uintValue(100)}), "op limit"},
		{"operation outlets of all", &Outlets{Limit: 1}, rawOp(OpOutlets, entryValue{"limit", uintValue(1)}), "op limit"},
		{"operation outlets of nobody", &Outlets{Roles: []Role{}, Limit: 500}, rawOp(OpOutlets, entryValue{"roles", listValue()}, entryValue{"limit", uintValue(500)}), "op limit"},
		{"operation outlet", &OutletOf{ID: "o-01"}, rawOp(OpOutlet, entryValue{"id", textValue("o-01")}), "op id"},
		{"operation key", &KeyOf{Outlet: "o-01", Seckeyid: 300}, rawOp(OpKey, entryValue{"outlet", textValue("o-01")}, entryValue{"seckeyid", uintValue(300)}), "op outlet seckeyid"},
		{"operation events", &Events{Outlet: "o-01", Kinds: []string{"revoked", "refused"}, From: someTime, To: someTime + 9, Before: 1 << 35, Limit: 100},
			rawOp(OpEvents, entryValue{"outlet", textValue("o-01")}, entryValue{"kinds", listValue(textValue("revoked"), textValue("refused"))},
				entryValue{"from", uintValue(someTime)}, entryValue{"to", uintValue(someTime + 9)}, entryValue{"before", uintValue(1 << 35)}, entryValue{"limit", uintValue(100)}), "op limit"},
		{"operation watch", &Watch{}, rawOp(OpWatch), "op"},
		{"operation watch since", &Watch{Since: pointer(uint64(0))}, rawOp(OpWatch, entryValue{"since", uintValue(0)}), "op"},
		{"operation unwatch", &Unwatch{}, rawOp(OpUnwatch), "op"},
		{"operation enrol", &Enrol{ID: "o-02", Role: RoleOutlet}, rawOp(OpEnrol, entryValue{"id", textValue("o-02")}, entryValue{"role", uintValue(1)}), "op id role"},
		{"operation newsecret", &NewSecret{ID: "o-02", Cut: true, Epoch: 2},
			rawOp(OpNewSecret, entryValue{"id", textValue("o-02")}, entryValue{"cut", valueTrue}, entryValue{"epoch", uintValue(2)}), "op id cut"},
		{"operation enable", &Enable{ID: "o-01"}, rawOp(OpEnable, entryValue{"id", textValue("o-01")}), "op id"},
		{"operation disable", &Disable{ID: "o-01"}, rawOp(OpDisable, entryValue{"id", textValue("o-01")}), "op id"},
		{"operation revoke", &RevokeOf{Outlet: "o-01", Seckeyid: 300, Reason: 200, Note: "遗失"},
			rawOp(OpRevoke, entryValue{"outlet", textValue("o-01")}, entryValue{"seckeyid", uintValue(300)}, entryValue{"reason", uintValue(200)},
				entryValue{"note", textValue("遗失")}), "op outlet seckeyid reason"},

		{"result overview", overview, table{{"now", uintValue(someTime)}, {"outlets", rawCounts.bytes()}, {"keys", rawKeys.bytes()}, {"ended", rawEnded.bytes()},
			{"hours", listValue(rawHour.bytes())}, {"last", listValue(rawEvent.bytes())}}, "now outlets keys ended hours last"},
		{"result outlets", &OutletsOK{Rows: []OutletRow{someOutlet()}, After: "o-01"}, table{{"rows", listValue(rawOutletRow.bytes())}, {"after", textValue("o-01")}}, "rows"},
		{"result outlets, none", &OutletsOK{}, table{{"rows", listValue()}}, "rows"},
		{"result outlet", &OutletOK{Outlet: someOutlet(), Secrets: []SecretRow{{2, someTime, someTime + 1}}, Rows: []Row{full}},
			table{{"outlet", rawOutletRow.bytes()}, {"secrets", listValue(rawEpoch.bytes())}, {"rows", listValue(rawRow.bytes())}}, "outlet secrets rows"},
		{"result key", &KeyOK{Row: full, Steps: []Step{{StateRevoked, someTime, 200, "op-1", "a"}}, Receipts: []ReceiptStep{{StateRevoked, someTime, "c12"}}},
			table{{"row", rawRow.bytes()}, {"steps", listValue(rawStep.bytes())}, {"receipts", listValue(rawSeen.bytes())}}, "row steps receipts"},
		{"result events", &EventsOK{Rows: []EventRow{someEvent()}, Before: 1 << 35}, table{{"rows", listValue(rawEvent.bytes())}, {"before", uintValue(1 << 35)}}, "rows"},
		{"result watch", &WatchOK{N: 1 << 35}, table{{"n", uintValue(1 << 35)}}, "n"},
		{"result unwatch", &UnwatchOK{}, table{}, ""},
		{"result enrol", &EnrolledOK{ID: "o-02", Role: RoleOutlet, Epoch: 1, Sealed: []byte("sealed"), Seckeyid: 300},
			table{{"id", textValue("o-02")}, {"role", uintValue(1)}, {"epoch", uintValue(1)}, {"sealed", binValue([]byte("sealed"))}, {"seckeyid", uintValue(300)}}, "id role epoch"},
		{"result newsecret, stale", &EnrolledOK{ID: "o-02", Role: RoleOutlet, Epoch: 2},
			table{{"id", textValue("o-02")}, {"role", uintValue(1)}, {"epoch", uintValue(2)}}, "id role epoch"},
		{"result changed", &ChangedOK{Changed: true}, table{{"changed", valueTrue}}, "changed"},
		{"event", pointer(someEvent()), rawEvent, "n at kind"},
		{"event lost", &EventRow{N: 9, At: someTime, Kind: EventLost}, table{{"n", uintValue(9)}, {"at", uintValue(someTime)}, {"kind", textValue("lost")}}, "n at kind"},
	}
}

func TestAdminDocuments(t *testing.T) {
	for _, d := range adminDocs() {
		b := d.encode(t)
		if !bytes.Equal(b, d.raw.bytes()) {
			t.Errorf("%s:\n got %x\nwant %x", d.name, b, d.raw.bytes())
		}
		got, err := d.decode(b)
		if err != nil || !reflect.DeepEqual(got, d.doc) {
			t.Errorf("%s: %+v came back as %+v, %v", d.name, d.doc, got, err)
		}
		for n := range b {
			m, err := d.decode(b[:n:n])
			refused(t, m, err, "%s, the first %d bytes", d.name, n)
		}
		m, err := d.decode(append(bytes.Clone(b), 0x80))
		refused(t, m, err, "%s and more", d.name)
		if o, is := d.doc.(Operation); is {
			if op, err := OpOf(b); op != o.Op() || err != nil {
				t.Errorf("%s: %q, %v", d.name, op, err)
			}
		}
	}
}

// inAdmin are the maps within the documents of adminDocs.
func inAdmin() []adminDoc {
	at := func(name string, r Result, raw table, wrap func(table) table, must string) adminDoc {
		return adminDoc{name, &within{r, wrap}, raw, must}
	}
	overview := adminDocs()[15].raw
	in := func(raw table, key string) func(table) table {
		return func(v table) table { return raw.with(key, v.bytes()) }
	}
	inList := func(raw table, key string) func(table) table {
		return func(v table) table { return raw.with(key, listValue(v.bytes())) }
	}
	key := table{{"row", rawRow.bytes()}, {"steps", listValue()}, {"receipts", listValue()}}
	outlet := table{{"outlet", rawOutletRow.bytes()}, {"secrets", listValue()}, {"rows", listValue()}}
	return []adminDoc{
		at("counts", &OverviewOK{}, rawCounts, in(overview, "outlets"), "all disabled connected none fresh soon stale"),
		at("keys", &OverviewOK{}, rawKeys, in(overview, "keys"), "pending active retired"),
		at("ended", &OverviewOK{}, rawEnded, in(overview, "ended"), "expired revoked"),
		at("hour", &OverviewOK{}, rawHour, inList(overview, "hours"), "at negotiated verified mismatch refused revoked expired"),
		at("row of key", &KeyOK{}, rawRow, in(key, "row"), "n outlet seckeyid state negotiated expires fp"),
		at("step", &KeyOK{}, rawStep, inList(key, "steps"), "state at reason"),
		at("receipt", &KeyOK{}, rawSeen, inList(key, "receipts"), "state at conn"),
		at("outlet", &OutletOK{}, rawOutletRow, in(outlet, "outlet"), "id role disabled enrolled epoch number connected freshness"),
		at("secret", &OutletOK{}, rawEpoch, inList(outlet, "secrets"), "epoch created"),
		at("row of outlet", &OutletOK{}, rawRow, inList(outlet, "rows"), "n outlet seckeyid state negotiated expires fp"),
	}
}

// within is a result that has the map in question somewhere inside.
type within struct {
	Result
	wrap func(table) table
}

func (d *adminDoc) read(raw table) (any, error) {
	w, is := d.doc.(*within)
	if !is {
		return d.decode(raw.bytes())
	}
	inner := adminDoc{doc: w.Result}
	return inner.decode(w.wrap(raw).bytes())
}

// TestAdminKeys: what has to be there, stands there once, under its name; S
// refuses what it does not know, C passes it over.
func TestAdminKeys(t *testing.T) {
	for _, d := range slices.Concat(adminDocs(), inAdmin()) {
		_, strict := d.doc.(Operation)
		must := strings.Fields(d.must)
		for i, e := range d.raw {
			m, err := d.read(d.raw.and(e.key, e.v))
			refused(t, m, err, "%s with %s twice", d.name, e.key)
			m, err = d.read(d.raw.without(i))
			if slices.Contains(must, e.key) {
				refused(t, m, err, "%s without %s", d.name, e.key)
			} else if err != nil {
				t.Errorf("%s without %s: %v", d.name, e.key, err)
			}
			turned := slices.Concat(d.raw[i:], d.raw[:i])
			if _, err := d.read(turned); err != nil {
				t.Errorf("%s in another order: %v", d.name, err)
			}
		}
		for _, v := range []value{uintValue(1), textValue("a"), valueTrue, binValue([]byte{1}), listValue(), table{}.bytes()} {
			if m, err := d.read(d.raw.and("x", v)); strict {
				refused(t, m, err, "%s with an unknown key", d.name)
			} else if err != nil {
				t.Errorf("%s with an unknown key % x: %v", d.name, v, err)
			}
		}
		m, err := d.read(d.raw.and("x", valueNil))
		refused(t, m, err, "%s with a nil", d.name)
	}
}

// TestAdminTypes puts a value of every other kind in every place.
func TestAdminTypes(t *testing.T) {
	kinds := []value{uintValue(1), textValue("o-01"), binValue([]byte("o-01")), valueTrue, listValue(), table{}.bytes()}
	for _, d := range slices.Concat(adminDocs(), inAdmin()) {
		for _, e := range d.raw {
			own := kindOf(t, e.v)
			for _, v := range kinds {
				if kindOf(t, v) == own {
					continue
				}
				m, err := d.read(d.raw.with(e.key, v))
				refused(t, m, err, "%s with %s % x", d.name, e.key, v)
			}
			for name, v := range foreign {
				if isKind(v, own) {
					continue
				}
				m, err := d.read(d.raw.with(e.key, v))
				refused(t, m, err, "%s with %s %s", d.name, e.key, name)
			}
		}
	}
	for _, v := range append(kinds[:5], valueNil) {
		for _, d := range adminDocs() {
			m, err := d.decode(v)
			refused(t, m, err, "% x as %s", v, d.name)
		}
	}
}

func isKind(v value, k kind) bool {
	s := scanner{b: v}
	got, _, err := s.header()
	return err == nil && got == k
}

func TestAdminRanges(t *testing.T) {
	long := func(n int) value { return textValue(strings.Repeat("a", n)) }
	ids := rangeOf{[]value{textValue("a"), textValue("12345678901")}, []value{textValue(""), textValue("123456789012"), textValue("a b"), textValue("\xff"), textValue("網")}}
	line := rangeOf{[]value{textValue(""), long(200), textValue("抽屉 “a”")}, []value{long(201), textValue("a\nb"), textValue("\x00"), textValue("\x1b[31m"), textValue("\u0085"), textValue("\xff")}}
	numbers := uints([]uint64{0, 1<<53 - 1}, []uint64{1 << 53, 1<<64 - 1})
	seckeyids := uints([]uint64{1, 1<<53 - 1}, []uint64{0, 1 << 53})
	for doc, ranges := range map[string]map[string]rangeOf{
		"operation outlets": {
			"query": line, "freshness": uints([]uint64{0, 3}, []uint64{4, 256}), "after": ids, "limit": uints([]uint64{1, 500}, []uint64{0, 501}),
			"roles": {[]value{listValue(), listValue(uintValue(3), uintValue(3))}, []value{listValue(uintValue(0)), listValue(uintValue(4)), listValue(textValue("a"))}},
		},
		"operation outlet": {"id": ids, "op": {nil, []value{textValue(""), textValue("Outlet"), textValue("outle"), long(33), textValue("enrol")}}},
		"operation key":    {"outlet": ids, "seckeyid": seckeyids},
		"operation events": {
			"outlet": ids, "from": numbers, "to": numbers, "before": numbers, "limit": uints([]uint64{1, 500}, []uint64{0, 501}),
			"kinds": {[]value{listValue(), listValue(textValue("boom"))}, []value{listValue(textValue("")), listValue(long(33)), listValue(uintValue(1))}},
		},
		"operation watch since": {"since": numbers},
		"operation enrol":       {"id": ids, "role": uints([]uint64{1, 3}, []uint64{0, 4, 257})},
		"operation newsecret":   {"id": ids, "epoch": uints([]uint64{1, 1<<32 - 1}, []uint64{0, 1 << 32})},
		"operation revoke":      {"outlet": ids, "seckeyid": seckeyids, "reason": uints([]uint64{0, 255}, []uint64{256}), "note": line},
		"result enrol": {
			"id": ids, "role": uints([]uint64{1, 3}, []uint64{0, 4}), "epoch": uints([]uint64{1, 1<<32 - 1}, []uint64{0, 1 << 32}), "seckeyid": seckeyids,
			"sealed": {[]value{binValue(make([]byte, 1)), binValue(make([]byte, 1024))}, []value{binValue(nil), binValue(make([]byte, 1025))}},
		},
		"outlet": {
			"id": ids, "role": uints([]uint64{1, 3}, []uint64{0, 4}), "enrolled": numbers, "epoch": uints([]uint64{0, 1<<32 - 1}, []uint64{1 << 32}),
			"number": numbers, "seen": numbers, "freshness": uints([]uint64{0, 3}, []uint64{4}), "seckeyid": seckeyids, "expires": numbers, "ends": numbers,
			"fp": {[]value{textValue("ffffffffffffffff")}, []value{textValue("FFFFFFFFFFFFFFFF"), textValue("fffffffffffffff"), textValue("gfffffffffffffff")}},
		},
		"event": {
			"n": numbers, "at": numbers, "outlet": ids, "seckeyid": seckeyids, "state": uints([]uint64{1, 5}, []uint64{0, 6}), "reason": uints([]uint64{0, 255}, []uint64{256}),
			"by": ids, "settled": numbers, "kind": {[]value{textValue("boom"), long(32)}, []value{textValue(""), long(33), textValue("a\n")}},
			"note": {[]value{textValue(""), long(200), textValue("a\nb")}, []value{long(201), textValue("\xff")}}, // as it was recorded
		},
		"step":    {"state": uints([]uint64{1, 5}, []uint64{0, 6}), "at": numbers, "reason": uints([]uint64{0, 255}, []uint64{256}), "by": ids},
		"receipt": {"state": uints([]uint64{4, 5}, []uint64{0, 3, 6}), "at": numbers, "conn": {[]value{textValue(""), long(200)}, []value{long(201), textValue("\xff")}}},
		"secret":  {"epoch": uints([]uint64{1, 1<<32 - 1}, []uint64{0, 1 << 32}), "created": numbers, "used": numbers},
	} {
		all := slices.Concat(adminDocs(), inAdmin())
		i := slices.IndexFunc(all, func(d adminDoc) bool { return d.name == doc })
		if i < 0 {
			t.Fatalf("no document %q", doc)
		}
		d := all[i]
		for key, r := range ranges {
			for _, v := range r.in {
				if _, err := d.read(d.raw.with(key, v)); err != nil {
					t.Errorf("%s with %s % x: %v", d.name, key, v, err)
				}
			}
			for _, v := range r.out {
				m, err := d.read(d.raw.with(key, v))
				refused(t, m, err, "%s with %s % x", d.name, key, v)
			}
		}
	}
}

// TestEncodeAdmin: what may not be asked for is not encoded.
func TestEncodeAdmin(t *testing.T) {
	kinds := slices.Repeat([]string{strings.Repeat("k", 32)}, 100)
	if b, err := EncodeOperation(&Events{Kinds: kinds, Limit: 1}); !errors.Is(err, ErrFrame) || b != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	rows := slices.Repeat([]EventRow{{N: 1, Kind: "k", Note: strings.Repeat("n", 200)}}, 400)
	if b, err := EncodeResult(&EventsOK{Rows: rows}); !errors.Is(err, ErrFrame) || b != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestFit: as many whole rows as a reply has room for, and no more.
func TestFit(t *testing.T) {
	event := someEvent()
	event.Note = strings.Repeat("n", 200)
	for _, count := range []int{0, 1, 150, 250, 500} {
		rows := slices.Repeat([]EventRow{event}, count)
		n, err := Fit(rows)
		if err != nil || n > count || n == 0 && count > 0 {
			t.Fatalf("%d of %d, %v", n, count, err)
		}
		b, err := EncodeResult(&EventsOK{Rows: rows[:n], Before: MaxInteger})
		if err != nil || len(b) > MaxDocReply {
			t.Errorf("%d of %d: %d bytes, %v", n, count, len(b), err)
		}
		if n < count {
			if b, err := writeDoc(func(d *docWriter) { d.items((&EventsOK{Rows: rows[:n+1], Before: MaxInteger}).items()) }); err != nil || len(b) <= MaxDocReply-pageRest {
				t.Errorf("%d of %d: one more would have fit into %d bytes", n, count, len(b))
			}
		}
		var back EventsOK
		if err := DecodeResult(b, &back); err != nil || len(back.Rows) != n {
			t.Errorf("%d of %d came back as %d, %v", n, count, len(back.Rows), err)
		}
	}
	outlets := slices.Repeat([]OutletRow{{ID: "a", Role: RoleOutlet, Active: &ActiveKey{Seckeyid: 1}, Seen: 1}}, 500)
	n, err := Fit(outlets)
	if err != nil {
		t.Fatal(err)
	}
	b, err := EncodeResult(&OutletsOK{Rows: outlets[:n], After: "12345678901"})
	if err == nil {
		err = DecodeResult(b, &OutletsOK{})
	}
	if err != nil || n < 300 {
		t.Errorf("%d rows: %v", n, err)
	}
}

func FuzzDecodeOperation(f *testing.F) {
	for _, d := range adminDocs() {
		f.Add([]byte(d.raw.bytes()))
	}
	seedDocs(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		spent(t, len(b), func() {
			op, err := OpOf(b)
			if err != nil && (op != "" || !errors.Is(err, ErrFrame)) {
				t.Fatal(op, err)
			}
			o, err := DecodeOperation(b)
			if err != nil {
				if o != nil || !errors.Is(err, ErrFrame) {
					t.Fatal(o, err)
				}
				return
			}
			if o.Op() != op {
				t.Fatalf("%q and %q", o.Op(), op)
			}
			c, err := EncodeOperation(o)
			if err != nil {
				if len(b) <= MaxDocRequest {
					t.Fatal(err)
				}
				return
			}
			again, err := DecodeOperation(c)
			if err != nil {
				t.Fatal(err)
			}
			if d, err := EncodeOperation(again); err != nil || !bytes.Equal(c, d) {
				t.Fatalf("%x was encoded again as %x, %v", c, d, err)
			}
		})
	})
}

func FuzzDecodeResult(f *testing.F) {
	docs := slices.DeleteFunc(adminDocs(), func(d adminDoc) bool { _, is := d.doc.(Operation); return is })
	for i, d := range docs {
		f.Add(byte(i), []byte(d.raw.bytes()))
	}
	f.Fuzz(func(t *testing.T, which byte, b []byte) {
		d := docs[int(which)%len(docs)]
		spent(t, len(b), func() {
			r, err := d.decode(b)
			if err != nil {
				if !errors.Is(err, ErrFrame) {
					t.Fatal(err)
				}
				return
			}
			c, err := EncodeResult(r.(Result))
			if err != nil {
				return // longer than a reply may be
			}
			again, err := d.decode(c)
			if err != nil {
				t.Fatalf("%x of %x: %v", c, b, err)
			}
			if e, err := EncodeResult(again.(Result)); err != nil || !bytes.Equal(c, e) {
				t.Fatalf("%x was encoded again as %x, %v", c, e, err)
			}
		})
	})
}

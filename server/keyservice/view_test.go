package keyservice_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// view asks for one page.
func (c *client) view(f wire.Filter, cursor, limit uint64) ([]wire.Row, uint64, error) {
	c.Helper()
	doc := must(f.Encode())(c.T)
	ok, err := c.View(c.Context(), c.peer, &wire.View{RequestHead: c.head(), Doc: doc, Cursor: cursor, Limit: limit})
	if err != nil {
		return nil, 0, err
	}
	return must(wire.DecodePage(ok.Doc))(c.T), ok.Cursor, nil
}

// pages asks for all pages.
func (c *client) pages(f wire.Filter, limit uint64) (all []wire.Row) {
	c.Helper()
	for cursor, n := uint64(0), 0; ; n++ {
		rows, next, err := c.view(f, cursor, limit)
		if err != nil || uint64(len(rows)) > limit || n > 1000 {
			c.Fatalf("page %d: %d rows, %v", n, len(rows), err)
		}
		all = append(all, rows...)
		if next == 0 {
			return all
		}
		cursor = next
	}
}

func TestView(t *testing.T) {
	c := newCentre(t)
	began := c.now()
	a, b := c.enrol(t, "a", wire.RoleOutlet), c.enrol(t, "b", wire.RoleOutlet)
	operator, auditor := c.enrol(t, "op", wire.RoleOperator), c.enrol(t, "aud", wire.RoleAuditor)
	for range 7 {
		for _, o := range []*client{a, b} {
			o.active()
			c.advance(time.Minute)
		}
	}
	if err := a.revoke(7, 200); err != nil {
		t.Fatal(err)
	}
	pending := b.negotiate()
	ms := func(d time.Duration) uint64 { return uint64(began.Add(d).UnixMilli()) }

	whole, _, err := operator.view(wire.Filter{}, 0, 500)
	if err != nil || len(whole) != 15 {
		t.Fatalf("%d rows, %v", len(whole), err)
	}
	if !slices.IsSortedFunc(whole, func(x, y wire.Row) int { return int(y.N) - int(x.N) }) {
		t.Error("not newest first")
	}
	own := func(id string) []wire.Row {
		return slices.DeleteFunc(slices.Clone(whole), func(r wire.Row) bool { return r.Outlet != id })
	}
	for name, test := range map[string]struct {
		by     *client
		filter wire.Filter
		want   []wire.Row
	}{
		"operator":                       {operator, wire.Filter{}, whole},
		"auditor":                        {auditor, wire.Filter{}, whole},
		"auditor, one outlet":            {auditor, wire.Filter{Outlet: "b"}, own("b")},
		"outlet sees its own":            {a, wire.Filter{}, own("a")},
		"outlet names itself":            {b, wire.Filter{Outlet: "b"}, own("b")},
		"auditor, nobody's":              {auditor, wire.Filter{Outlet: "nobody"}, nil},
		"pending":                        {auditor, wire.Filter{States: []wire.State{wire.StatePending}, Bounded: true}, whole[:1]},
		"no states":                      {auditor, wire.Filter{Bounded: true}, nil},
		"from is to":                     {auditor, wire.Filter{From: ms(time.Minute), To: ms(time.Minute)}, nil},
		"from after to":                  {auditor, wire.Filter{From: ms(time.Hour), To: ms(time.Minute)}, nil},
		"before all":                     {auditor, wire.Filter{To: ms(0)}, nil},
		"the first millisecond":          {auditor, wire.Filter{To: ms(time.Millisecond)}, whole[14:]},
		"the first minute":               {auditor, wire.Filter{From: ms(0), To: ms(time.Minute)}, whole[14:]},
		"a moment when three were alive": {a, wire.Filter{From: ms(4 * time.Minute), To: ms(4*time.Minute + time.Second)}, own("a")[4:]},
		"long after":                     {auditor, wire.Filter{From: ms(24 * time.Hour)}, nil},
	} {
		for _, limit := range []uint64{1, 2, 3, 500} {
			if got := test.by.pages(test.filter, limit); !slices.Equal(got, test.want) {
				t.Errorf("%s, %d a page: rows %v, want %v", name, limit, numbers(got), numbers(test.want))
			}
		}
	}

	// The row says what the history says.
	row := own("a")[0]
	if row.Seckeyid != 7 || row.State != wire.StateRevoked || row.Reason != 200 || row.By != "a" || row.Receipt != 0 ||
		row.Verified == 0 || row.Ended == 0 || row.Retired != 0 || row.FP != a.held[7].Key.Fingerprint() {
		t.Errorf("the revoked one: %+v", row)
	}
	if row := own("b")[0]; row.Seckeyid != pending || row.Verified != 0 || row.Expires != row.Negotiated+uint64(lifetime.Milliseconds()) {
		t.Errorf("the pending one: %+v", row)
	}

	// A cursor is no more than a bound: for an outlet of numbers, for others of rows.
	for _, cursor := range []uint64{1, 5, 8, 9, 100, wire.MaxInteger} {
		rows, _, err := a.view(wire.Filter{}, cursor, 500)
		want := slices.DeleteFunc(own("a"), func(r wire.Row) bool { return r.Seckeyid >= cursor })
		if err != nil || !slices.Equal(rows, want) {
			t.Errorf("outlet's cursor %d: %v, %v", cursor, numbers(rows), err)
		}
		rows, _, err = auditor.view(wire.Filter{}, cursor, 500)
		want = slices.DeleteFunc(slices.Clone(whole), func(r wire.Row) bool { return r.N >= cursor })
		if err != nil || !slices.Equal(rows, want) {
			t.Errorf("auditor's cursor %d: %v, %v", cursor, numbers(rows), err)
		}
	}
}

func numbers(rows []wire.Row) (all []uint64) {
	for _, r := range rows {
		all = append(all, r.N)
	}
	return all
}

// TestViewWholePage: what does not fit one reply comes with the next.
func TestViewWholePage(t *testing.T) {
	c := newCentre(t)
	const outlets, keys = 8, 70
	change := func(id string) *keyservice.Change {
		return &keyservice.Change{Outlet: id, Decide: func(l *keyservice.Ledger) error {
			for n := uint64(1); n <= keys; n++ {
				l.Outlet.LastNumber, l.Writes.SetOutlet = n, true
				l.Writes.NewKeys = append(l.Writes.NewKeys, keyservice.LivingKey{Seckeyid: n, State: wire.StatePending,
					Created: c.now(), Expires: c.now().Add(lifetime), EndsAt: c.now().Add(lifetime), Sealed: []byte{1}})
				l.Writes.Moves = append(l.Writes.Moves, keyservice.Move{Seckeyid: n,
					StateRow: keyservice.StateRow{State: wire.StateRevoked, At: c.now(), Reason: 255, By: id}})
			}
			return nil
		}}
	}
	var all []*keyservice.Change
	for i := range outlets {
		o := c.enrol(t, fmt.Sprintf("out-%d", i), wire.RoleOutlet)
		all = append(all, change(o.peer.ClientID))
	}
	if err := c.store.Store.Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	auditor := c.enrol(t, "aud", wire.RoleAuditor)
	first, cursor, err := auditor.view(wire.Filter{}, 0, 500)
	if err != nil || len(first) == 0 || len(first) == 500 || cursor != first[len(first)-1].N {
		t.Fatalf("%d rows, cursor %d, %v; want as many as fit", len(first), cursor, err)
	}
	if got := auditor.pages(wire.Filter{}, 500); len(got) != outlets*keys {
		t.Errorf("%d rows in all, want %d", len(got), outlets*keys)
	}
}

// TestRoles: what a role may not do is error 8, and recorded.
func TestRoles(t *testing.T) {
	c := newCentre(t)
	a := c.enrol(t, "a", wire.RoleOutlet)
	c.enrol(t, "b", wire.RoleOutlet).active()
	before := a.last()
	if _, _, err := a.view(wire.Filter{Outlet: "b"}, 0, 1); code(t, err) != wire.CodeNotPermitted {
		t.Errorf("view of another's: %v", err)
	}
	if _, _, err := a.view(wire.Filter{Outlet: "nobody"}, 0, 1); code(t, err) != wire.CodeNotPermitted {
		t.Errorf("view of nobody's tells that there is nobody: %v", err)
	}
	for _, doc := range [][]byte{nil, []byte("\x80"), []byte("not a document")} { // unread
		if _, err := a.Administer(t.Context(), a.peer, &wire.Administer{RequestHead: a.head(), Doc: doc}, 1); code(t, err) != wire.CodeNotPermitted {
			t.Errorf("administer %q: %v", doc, err)
		}
	}
	if got := brief(a.changes(before)); !slices.Equal(got, slices.Repeat([]string{"refused 0"}, 5)) {
		t.Errorf("recorded %q", got)
	}
	for _, role := range []wire.Role{wire.RoleOperator, wire.RoleAuditor} {
		o := c.enrol(t, "as-"+role.String()[:4], role)
		if _, err := o.Administer(t.Context(), o.peer, &wire.Administer{RequestHead: o.head(), Doc: []byte("\x80")}, 1); code(t, err) != wire.CodeBadBody {
			t.Errorf("%v administers with an empty map: %v", role, err)
		}
		o.active() // every role has keys of its own
	}
}

func TestBrokenDocs(t *testing.T) {
	c := newCentre(t)
	o := c.enrol(t, "o", wire.RoleAuditor)
	before := o.last()
	for _, doc := range []string{
		"\x81", "\xc0", "\x90", "\x81\xa4what\x01", "\x81\xa4from\xa1x", "\x81\xa6states\x01", "\x81\xa6states\x91\x06",
		"\x81\xa6states\x91\x00", "\x82\xa4from\x01\xa4from\x01", "\x81\xa4from\xff", "\x81\xa6outlet\xa0", "\x81\xa6outlet\xa3a b",
		"\x80\x00", "\x81\xa4from\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", "\x81\xa6states\xdd\xff\xff\xff\xff",
	} {
		m := &wire.View{RequestHead: o.head(), Doc: []byte(doc), Limit: 1}
		if _, err := c.View(t.Context(), o.peer, m); code(t, err) != wire.CodeBadBody {
			t.Errorf("%q: %v", doc, err)
		}
	}
	if got := o.changes(before); len(got) != 0 {
		t.Errorf("recorded %q", brief(got))
	}
}

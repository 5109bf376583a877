package wire

// The replies to the operations of administer, and events (§12). Their readers
// pass over keys that they do not know.

// Freshness tells how far an outlet's keys are from their end.
type Freshness uint8

const (
	FreshnessNone  Freshness = 0 // it never had a verified key
	FreshnessFresh Freshness = 1
	FreshnessSoon  Freshness = 2 // less than a quarter of the active key's lifetime is left
	FreshnessStale Freshness = 3 // it had a verified key, and has no active one now
)

var freshnessNames = map[Freshness]string{FreshnessNone: "none", FreshnessFresh: "fresh", FreshnessSoon: "soon", FreshnessStale: "stale"}

func (f Freshness) String() string { return nameOf(freshnessNames, f) }

// Result is one of the replies below.
type Result interface{ items() []item }

// EncodeResult returns the document.
func EncodeResult(r Result) ([]byte, error) { return writeItems(r.items()) }

// DecodeResult decodes a document into r, of which nothing counts after an error.
func DecodeResult(b []byte, r Result) error { return readItems(b, true, r.items()) }

// OverviewOK is how the network is. Outlets counts role 1 alone.
type OverviewOK struct {
	Now     uint64
	Outlets OutletCounts
	Keys    struct{ Pending, Active, Retired uint64 }
	Ended   struct{ Expired, Revoked uint64 } // within Hours
	Hours   []Hour                            // 24, oldest first; the last one runs
	Last    []EventRow                        // newest first
}

// OutletCounts counts outlets. None to Stale are those that are not disabled.
type OutletCounts struct{ All, Disabled, Connected, None, Fresh, Soon, Stale uint64 }

// Hour counts what happened in one hour.
type Hour struct {
	At                                                        uint64 // when it began
	Negotiated, Verified, Mismatch, Refused, Revoked, Expired uint64
}

func (r *OverviewOK) items() []item {
	return []item{
		timeOf("now", &r.Now),
		mapOf("outlets", func() []item {
			o := &r.Outlets
			return countsOf(named{"all", &o.All}, named{"disabled", &o.Disabled}, named{"connected", &o.Connected},
				named{"none", &o.None}, named{"fresh", &o.Fresh}, named{"soon", &o.Soon}, named{"stale", &o.Stale})
		}),
		mapOf("keys", func() []item {
			return countsOf(named{"pending", &r.Keys.Pending}, named{"active", &r.Keys.Active}, named{"retired", &r.Keys.Retired})
		}),
		mapOf("ended", func() []item {
			return countsOf(named{"expired", &r.Ended.Expired}, named{"revoked", &r.Ended.Revoked})
		}),
		mapsOf("hours", &r.Hours, func(h *Hour) []item {
			return countsOf(named{"at", &h.At}, named{"negotiated", &h.Negotiated}, named{"verified", &h.Verified}, named{"mismatch", &h.Mismatch},
				named{"refused", &h.Refused}, named{"revoked", &h.Revoked}, named{"expired", &h.Expired})
		}),
		mapsOf("last", &r.Last, (*EventRow).items),
	}
}

type named struct {
	key string
	p   *uint64
}

func countsOf(counts ...named) (all []item) {
	for _, c := range counts {
		all = append(all, uintOf(c.key, c.p, 0, MaxInteger))
	}
	return all
}

// OutletRow is one outlet, or a person at a console.
type OutletRow struct {
	ID        string
	Role      Role
	Disabled  bool
	Enrolled  uint64
	Epoch     uint64 // the greatest given out
	Number    uint64 // the greatest seckeyid given out; 0: none
	Connected bool
	Seen      uint64 // when it was last connected; 0: never
	Freshness Freshness
	Active    *ActiveKey // nil: it has no active key
}

// ActiveKey is an outlet's active key.
type ActiveKey struct {
	Seckeyid uint64
	FP       Fingerprint
	Expires  uint64 // created + lifetime
	Ends     uint64 // its end by §6
}

func (r *OutletRow) items() []item {
	var k ActiveKey
	there := r.Active != nil
	if there {
		k = *r.Active
	}
	number := seckeyidOf(&k.Seckeyid)
	read := number.read
	number.read = func(d *docReader) { // the other three come with it
		read(d)
		r.Active = &k
	}
	return []item{
		idOf("id", &r.ID),
		smallOf("role", &r.Role, RoleOutlet, RoleAuditor),
		boolOf("disabled", &r.Disabled),
		timeOf("enrolled", &r.Enrolled),
		uintOf("epoch", &r.Epoch, 0, MaxEpoch),
		uintOf("number", &r.Number, 0, MaxSeckeyid),
		boolOf("connected", &r.Connected),
		moment("seen", &r.Seen),
		smallOf("freshness", &r.Freshness, FreshnessNone, FreshnessStale),
		optional(there, number),
		optional(there, fingerprintOf("fp", &k.FP)),
		optional(there, timeOf("expires", &k.Expires)),
		optional(there, timeOf("ends", &k.Ends)),
	}
}

// OutletsOK is a page of outlets.
type OutletsOK struct {
	Rows  []OutletRow
	After string // where the next page begins; empty: this was the last
}

func (r *OutletsOK) items() []item {
	return []item{mapsOf("rows", &r.Rows, (*OutletRow).items), optional(r.After != "", idOf("after", &r.After))}
}

// OutletOK is one outlet with its secrets, and its newest keys.
type OutletOK struct {
	Outlet  OutletRow
	Secrets []SecretRow // newest epoch first
	Rows    []Row       // newest first
}

// SecretRow is the secret of one epoch: when, never what.
type SecretRow struct{ Epoch, Created, Used uint64 }

func (r *OutletOK) items() []item {
	return []item{
		mapOf("outlet", r.Outlet.items),
		mapsOf("secrets", &r.Secrets, func(s *SecretRow) []item {
			return []item{uintOf("epoch", &s.Epoch, 1, MaxEpoch), timeOf("created", &s.Created), moment("used", &s.Used)}
		}),
		rowsOf("rows", &r.Rows),
	}
}

// rowsOf is a list of rows of the history, as in a page of view.
func rowsOf(key string, p *[]Row) item {
	return item{key: key,
		read: func(d *docReader) {
			*p = nil
			d.list(func() {
				var r Row
				r.read(d)
				*p = append(*p, r)
			})
		},
		write: func(d *docWriter) {
			d.array(len(*p))
			for i := range *p {
				(*p)[i].write(d)
			}
		}}
}

// KeyOK is one key with its timeline.
type KeyOK struct {
	Row      Row
	Steps    []Step        // oldest first
	Receipts []ReceiptStep // for states 4 and 5
}

// Step is one state that a key has reached.
type Step struct {
	State  State
	At     uint64
	Reason Reason
	By     string // the clientId that acted; empty for the server
	Note   string
}

// ReceiptStep tells that the outlet has wiped its copies.
type ReceiptStep struct {
	State State
	At    uint64
	Conn  string // which connection brought it
}

func (r *KeyOK) items() []item {
	return []item{
		{key: "row", read: func(d *docReader) { r.Row.read(d) }, write: func(d *docWriter) { r.Row.write(d) }},
		mapsOf("steps", &r.Steps, func(s *Step) []item {
			return []item{smallOf("state", &s.State, StatePending, StateRevoked), timeOf("at", &s.At), smallOf("reason", &s.Reason, 0, MaxReason),
				optional(s.By != "", idOf("by", &s.By)), noteOf(&s.Note)}
		}),
		mapsOf("receipts", &r.Receipts, func(s *ReceiptStep) []item {
			return []item{smallOf("state", &s.State, StateExpired, StateRevoked), timeOf("at", &s.At),
				{key: "conn", read: func(d *docReader) { s.Conn = d.text(0, MaxLine) }, write: func(d *docWriter) { d.text(s.Conn) }}}
		}),
	}
}

// noteOf is a note as it was recorded, whatever wrote it.
func noteOf(p *string) item {
	return optional(*p != "", item{key: "note", read: func(d *docReader) { *p = d.text(0, MaxLine) }, write: func(d *docWriter) { d.text(*p) }})
}

// EventLost is the kind of an event that says that events were left out.
const EventLost = "lost"

// EventRow is a line of the change table.
type EventRow struct {
	N        uint64
	At       uint64
	Kind     string
	Outlet   string // empty: about nobody
	Seckeyid uint64 // 0: about no key
	State    State  // 0: no state was reached
	Reason   Reason // with State
	By       string // the clientId that acted; empty for the server
	Note     string
	Settled  *uint64 // of those that are pushed: by which to resume after this one; nil: by N
}

func (r *EventRow) items() []item {
	return []item{
		uintOf("n", &r.N, 0, MaxInteger),
		timeOf("at", &r.At),
		lineOf("kind", &r.Kind, 1, maxWord),
		optional(r.Outlet != "", idOf("outlet", &r.Outlet)),
		optional(r.Seckeyid != 0, seckeyidOf(&r.Seckeyid)),
		optional(r.State != 0, smallOf("state", &r.State, StatePending, StateRevoked)),
		optional(r.State >= StateRetired || r.Reason != 0, smallOf("reason", &r.Reason, 0, MaxReason)),
		optional(r.By != "", idOf("by", &r.By)),
		noteOf(&r.Note),
		pointerTo(&r.Settled, func(p *uint64) item { return uintOf("settled", p, 0, MaxInteger) }),
	}
}

// EventsOK is a page of events, newest first.
type EventsOK struct {
	Rows   []EventRow
	Before uint64 // for the next page; 0: this was the last
}

func (r *EventsOK) items() []item {
	return []item{mapsOf("rows", &r.Rows, (*EventRow).items), optional(r.Before != 0, uintOf("before", &r.Before, 1, MaxInteger))}
}

// WatchOK tells after which event those begin that become visible from now on.
type WatchOK struct{ N uint64 }

func (r *WatchOK) items() []item { return []item{uintOf("n", &r.N, 0, MaxInteger)} }

// UnwatchOK says no more than that it is so.
type UnwatchOK struct{}

func (*UnwatchOK) items() []item { return nil }

// EnrolledOK hands out a token, sealed (§5). Of a new secret that was asked for
// with a stale epoch it tells the present one, and nothing is sealed.
type EnrolledOK struct {
	ID       string
	Role     Role
	Epoch    uint64
	Sealed   []byte // nil: nothing was done
	Seckeyid uint64 // the key under which it is sealed; 0: none
}

func (r *EnrolledOK) items() []item {
	return []item{idOf("id", &r.ID), smallOf("role", &r.Role, RoleOutlet, RoleAuditor), uintOf("epoch", &r.Epoch, 1, MaxEpoch),
		optional(r.Sealed != nil, binOf("sealed", &r.Sealed, 1, maxSealed)), optional(r.Seckeyid != 0, seckeyidOf(&r.Seckeyid))}
}

// maxSealed is the longest sealed token, and some more.
const maxSealed = 1 << 10

// ChangedOK answers enable, disable and revoke: whether it was not so before.
type ChangedOK struct{ Changed bool }

func (r *ChangedOK) items() []item { return []item{boolOf("changed", &r.Changed)} }

// Fit returns how many of the first rows fit a reply, at least one if there is
// one. Each is a row as it stands in a list.
func Fit[T any, P interface {
	*T
	items() []item
}](rows []T) (int, error) {
	bytes, elements := 0, pageElements
	for i := range rows {
		row, err := writeItems(P(&rows[i]).items())
		if err != nil {
			return 0, err
		}
		bytes += len(row)
		elements += 1 + len(P(&rows[i]).items())
		if i > 0 && (bytes > MaxDocReply-pageRest || elements > docElements) {
			return i, nil
		}
	}
	return len(rows), nil
}

const (
	pageRest     = 64 // bytes beside the rows: two keys, a list's head, a cursor
	pageElements = 2  // elements beside the rows
)

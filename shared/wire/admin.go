package wire

// The operations of administer (§12). Roles 2 and 3 may read; role 2 alone may act.

// Op names an operation.
type Op string

const (
	OpOverview  Op = "overview"
	OpOutlets   Op = "outlets"
	OpOutlet    Op = "outlet"
	OpKey       Op = "key"
	OpEvents    Op = "events"
	OpWatch     Op = "watch"
	OpUnwatch   Op = "unwatch"
	OpEnrol     Op = "enrol"
	OpNewSecret Op = "newsecret"
	OpEnable    Op = "enable"
	OpDisable   Op = "disable"
	OpRevoke    Op = "revoke"
)

// MaxLine bounds a query and a note, in bytes.
const MaxLine = 200

// maxWord bounds the name of an operation or of a kind of event.
const maxWord = 32

// Operation is one of the requests below.
type Operation interface {
	Op() Op
	items() []item
}

// Overview asks how the network is.
type Overview struct{}

func (*Overview) Op() Op        { return OpOverview }
func (*Overview) items() []item { return nil }

// Outlets asks for a page of outlets, in ascending order of id.
type Outlets struct {
	Query     string // a part of the id, in any case; empty: all
	Freshness *Freshness
	Connected *bool
	Disabled  *bool
	Roles     []Role // nil: outlets alone; empty and not nil: none
	After     string // exclusive lower bound; empty: from the start
	Limit     uint64
}

func (*Outlets) Op() Op { return OpOutlets }
func (m *Outlets) items() []item {
	return []item{
		optional(m.Query != "", lineOf("query", &m.Query, 0, MaxLine)),
		pointerTo(&m.Freshness, func(p *Freshness) item { return smallOf("freshness", p, FreshnessNone, FreshnessStale) }),
		pointerTo(&m.Connected, func(p *bool) item { return boolOf("connected", p) }),
		pointerTo(&m.Disabled, func(p *bool) item { return boolOf("disabled", p) }),
		optional(m.Roles != nil, smallsOf("roles", &m.Roles, RoleOutlet, RoleAuditor)),
		optional(m.After != "", idOf("after", &m.After)),
		limitOf(&m.Limit),
	}
}

// OutletOf asks for one outlet.
type OutletOf struct{ ID string }

func (*OutletOf) Op() Op          { return OpOutlet }
func (m *OutletOf) items() []item { return []item{idOf("id", &m.ID)} }

// KeyOf asks for one key with its timeline.
type KeyOf struct {
	Outlet   string
	Seckeyid uint64
}

func (*KeyOf) Op() Op          { return OpKey }
func (m *KeyOf) items() []item { return keyItems(&m.Outlet, &m.Seckeyid) }

// Events asks for a page of what was recorded, newest first.
type Events struct {
	Outlet   string   // empty: any
	Kinds    []string // nil: any; empty and not nil: none
	From, To uint64   // [From, To); 0: not bounded
	Before   uint64   // exclusive upper bound of n; 0: from the newest
	Limit    uint64
}

func (*Events) Op() Op { return OpEvents }
func (m *Events) items() []item {
	return []item{
		optional(m.Outlet != "", idOf("outlet", &m.Outlet)),
		optional(m.Kinds != nil, wordsOf("kinds", &m.Kinds)),
		moment("from", &m.From),
		moment("to", &m.To),
		optional(m.Before != 0, timeOf("before", &m.Before)),
		limitOf(&m.Limit),
	}
}

// Watch asks for events from now on, or for those above Since first.
type Watch struct{ Since *uint64 }

func (*Watch) Op() Op { return OpWatch }
func (m *Watch) items() []item {
	return []item{pointerTo(&m.Since, func(p *uint64) item { return uintOf("since", p, 0, MaxInteger) })}
}

// Unwatch ends Watch.
type Unwatch struct{}

func (*Unwatch) Op() Op        { return OpUnwatch }
func (*Unwatch) items() []item { return nil }

// Enrol makes a client and asks for its token.
type Enrol struct {
	ID   string
	Role Role
}

func (*Enrol) Op() Op { return OpEnrol }
func (m *Enrol) items() []item {
	return []item{idOf("id", &m.ID), smallOf("role", &m.Role, RoleOutlet, RoleAuditor)}
}

// NewSecret asks for a token of the next epoch.
type NewSecret struct {
	ID    string
	Cut   bool
	Epoch uint64 // the greatest that the asker knows of: another, and nothing is done; 0: whatever it is
}

func (*NewSecret) Op() Op { return OpNewSecret }
func (m *NewSecret) items() []item {
	return []item{idOf("id", &m.ID), boolOf("cut", &m.Cut), optional(m.Epoch != 0, uintOf("epoch", &m.Epoch, 1, MaxEpoch))}
}

// Enable lets a client open again.
type Enable struct{ ID string }

func (*Enable) Op() Op          { return OpEnable }
func (m *Enable) items() []item { return []item{idOf("id", &m.ID)} }

// Disable closes a client's connections and lets it open none. Its keys stay.
type Disable struct{ ID string }

func (*Disable) Op() Op          { return OpDisable }
func (m *Disable) items() []item { return []item{idOf("id", &m.ID)} }

// RevokeOf ends any client's key for good.
type RevokeOf struct {
	Outlet   string
	Seckeyid uint64
	Reason   Reason
	Note     string // recorded; at most MaxLine bytes
}

func (*RevokeOf) Op() Op { return OpRevoke }
func (m *RevokeOf) items() []item {
	return append(keyItems(&m.Outlet, &m.Seckeyid), smallOf("reason", &m.Reason, 0, MaxReason),
		optional(m.Note != "", lineOf("note", &m.Note, 0, MaxLine)))
}

// operation makes an empty one, or nil for a name that is none.
func operation(op Op) Operation {
	switch op {
	case OpOverview:
		return &Overview{}
	case OpOutlets:
		return &Outlets{}
	case OpOutlet:
		return &OutletOf{}
	case OpKey:
		return &KeyOf{}
	case OpEvents:
		return &Events{}
	case OpWatch:
		return &Watch{}
	case OpUnwatch:
		return &Unwatch{}
	case OpEnrol:
		return &Enrol{}
	case OpNewSecret:
		return &NewSecret{}
	case OpEnable:
		return &Enable{}
	case OpDisable:
		return &Disable{}
	case OpRevoke:
		return &RevokeOf{}
	}
	return nil
}

// EncodeOperation returns the document.
func EncodeOperation(m Operation) ([]byte, error) {
	op := string(m.Op())
	b, err := writeItems(append([]item{opOf(&op)}, m.items()...))
	if err == nil && len(b) > MaxDocRequest {
		return nil, malformed("the document is too long")
	}
	return b, err
}

// OpOf tells which operation a document asks for, and nothing of the rest. It
// need not be one that there is.
func OpOf(b []byte) (Op, error) {
	var op string
	err := readItems(b, true, []item{opOf(&op)})
	return whole(Op(op), err)
}

// DecodeOperation decodes a document strictly.
func DecodeOperation(b []byte) (Operation, error) {
	op, err := OpOf(b)
	if err != nil {
		return nil, err
	}
	m := operation(op)
	if m == nil {
		return nil, malformed("the operation is unknown")
	}
	again := string(op)
	if err := readItems(b, false, append([]item{opOf(&again)}, m.items()...)); err != nil {
		return nil, err
	}
	return m, nil
}

func opOf(op *string) item      { return lineOf("op", op, 1, maxWord) }
func limitOf(p *uint64) item    { return uintOf("limit", p, 1, MaxLimit) }
func seckeyidOf(p *uint64) item { return uintOf("seckeyid", p, 1, MaxSeckeyid) }
func keyItems(outlet *string, seckeyid *uint64) []item {
	return []item{idOf("outlet", outlet), seckeyidOf(seckeyid)}
}

// wordsOf is a list of names. An empty one is not nil.
func wordsOf(key string, p *[]string) item {
	return item{key: key,
		read: func(d *docReader) {
			*p = []string{}
			d.list(func() { *p = append(*p, d.line(1, maxWord)) })
		},
		write: func(d *docWriter) {
			d.array(len(*p))
			for _, word := range *p {
				d.text(word)
			}
		}}
}

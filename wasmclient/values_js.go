package main

import (
	"fmt"
	"math"
	"syscall/js"
	"time"

	"hufu/shared/client"
	"hufu/shared/wire"
)

func newObject() js.Value { return js.Global().Get("Object").New() }

// entry is one property; a nil value is left out.
type entry struct {
	name  string
	value any
}

// record is an object of the page's, its properties in this order.
type record []entry

// toJS copies a value of ours to the page. It panics on a type that it does not know.
func toJS(v any) js.Value {
	if value, ok := parsed(v); ok {
		return value
	}
	switch v := v.(type) {
	case nil:
		return js.Undefined()
	case js.Value:
		return v
	case []byte:
		array := js.Global().Get("Uint8Array").New(len(v))
		js.CopyBytesToJS(array, v)
		return array
	case record:
		object := newObject()
		for _, e := range v {
			if e.value != nil {
				object.Set(e.name, toJS(e.value))
			}
		}
		return object
	case []record:
		return list(v)
	case []any:
		return list(v)
	case wire.Values:
		object := newObject()
		for name, value := range v {
			// Not by Set, which would take the name __proto__ for more than a name.
			define(object, name, toJS(value))
		}
		return object
	case time.Time:
		return js.ValueOf(v.UnixMilli())
	case time.Duration:
		return js.ValueOf(v.Milliseconds())
	case wire.State:
		return js.ValueOf(v.String())
	case wire.Role:
		return js.ValueOf(v.String())
	}
	return js.ValueOf(v)
}

func list[T any](items []T) js.Value {
	array := js.Global().Get("Array").New(len(items))
	for i, item := range items {
		array.SetIndex(i, toJS(item))
	}
	return array
}

func define(object js.Value, name string, value js.Value) {
	js.Global().Get("Object").Call("defineProperty", object, name, map[string]any{
		"value": value, "enumerable": true, "writable": true, "configurable": true})
}

// property reads one of an object of the page's. js.Value.Get must not: what a
// getter throws would tear through the runtime's stack.
func property(object js.Value, name any) js.Value {
	return js.Global().Get("Reflect").Call("get", object, name)
}

// unlessZero leaves out what is not there.
func unlessZero[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// arguments reads what a function was called with. The first fault stays, and
// every later read gives a zero value.
type arguments struct {
	list []js.Value
	err  error
}

func (a *arguments) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

func (a *arguments) wrong(format string, args ...any) {
	a.fail(&argumentError{fmt.Sprintf(format, args...)})
}

func (a *arguments) at(i int) js.Value {
	if i < len(a.list) {
		return a.list[i]
	}
	return js.Undefined()
}

// maxText bounds what is copied from the page at once: memory that cannot be
// had ends the runtime.
const maxText = 1 << 20

func (a *arguments) text(name string, v js.Value) string {
	if v.Type() != js.TypeString || js.Global().Call("Object", v).Length() > maxText {
		a.wrong("%s is not a string of at most %d characters", name, maxText)
		return ""
	}
	return v.String()
}

func (a *arguments) number(name string, v js.Value, least, most uint64) uint64 {
	if v.Type() != js.TypeNumber {
		a.wrong("%s is not a number", name)
		return 0
	}
	f := v.Float()
	if f != math.Trunc(f) || f < float64(least) || f > float64(most) {
		a.wrong("%s is not a whole number from %d to %d", name, least, most)
		return 0
	}
	return uint64(f)
}

func (a *arguments) seckeyid(i int) uint64 {
	return a.number("seckeyid", a.at(i), 1, wire.MaxSeckeyid)
}

func (a *arguments) bytes(name string, v js.Value) []byte {
	if !isBytes(v) || v.Length() > maxText {
		a.wrong("%s is not a Uint8Array of at most %d bytes", name, maxText)
		return nil
	}
	b := make([]byte, v.Length())
	js.CopyBytesToGo(b, v)
	return b
}

// isBytes is not fooled by a Proxy, whose traps may throw.
func isBytes(v js.Value) bool {
	return js.Global().Get("ArrayBuffer").Call("isView", v).Bool() && v.InstanceOf(js.Global().Get("Uint8Array"))
}

// callback takes a function, or undefined if it may be left out.
func (a *arguments) callback(name string, v js.Value, must bool) js.Value {
	if v.Type() != js.TypeFunction && (must || !v.IsUndefined()) {
		a.wrong("%s is not a function", name)
	}
	return v
}

// object takes an object.
func (a *arguments) object(name string, v js.Value) js.Value {
	if v.Type() != js.TypeObject {
		a.wrong("%s is not an object", name)
		return newObject()
	}
	return v
}

// oneOf takes one of the words, and returns which.
func (a *arguments) oneOf(name string, v js.Value, words ...string) int {
	if v.Type() == js.TypeString {
		s := v.String()
		for i, word := range words {
			if s == word {
				return i
			}
		}
	}
	a.wrong("%s is not one of %q", name, words)
	return 0
}

var states = []string{"pending", "active", "retired", "expired", "revoked"}

// filter takes a Filter, or undefined for all.
func (a *arguments) filter(v js.Value) *wire.Filter {
	f := &wire.Filter{}
	if v.IsUndefined() {
		return f
	}
	v = a.object("filter", v)
	if outlet := property(v, "outlet"); !outlet.IsUndefined() {
		if f.Outlet = a.text("outlet", outlet); !wire.ValidID(f.Outlet) {
			a.wrong("outlet is not an identifier")
		}
	}
	if from := property(v, "from"); !from.IsUndefined() {
		f.From = a.number("from", from, 0, wire.MaxInteger)
	}
	if to := property(v, "to"); !to.IsUndefined() {
		f.To = a.number("to", to, 1, wire.MaxInteger)
	}
	if list := property(v, "states"); !list.IsUndefined() {
		f.Bounded = true
		for i := range a.length("states", list) {
			f.States = append(f.States, wire.State(1+a.oneOf("a state", property(list, i), states...)))
		}
	}
	return f
}

// maxList bounds how many items a list from the page may have.
const maxList = 8192

func (a *arguments) length(name string, v js.Value) int {
	n := -1
	if js.Global().Get("Array").Call("isArray", v).Bool() {
		n = property(v, "length").Int()
	}
	if n < 0 || n > maxList {
		a.wrong("%s is not a list of at most %d", name, maxList)
		return 0
	}
	return n
}

// maxDepth is deeper than a document may be, so that one that contains itself
// is refused and not followed.
const maxDepth = 8

// document takes an object for a document of docs/protocol.md §12.
func (a *arguments) document(v js.Value) wire.Values {
	doc, _ := a.value("op", a.object("op", v), maxDepth).(wire.Values)
	return doc
}

func (a *arguments) value(name string, v js.Value, depth int) any {
	switch {
	case a.err != nil:
		return nil
	case v.Type() == js.TypeBoolean:
		return v.Bool()
	case v.Type() == js.TypeNumber:
		return a.number(name, v, 0, wire.MaxInteger)
	case v.Type() == js.TypeString:
		return a.text(name, v)
	case v.Type() != js.TypeObject || depth == 0:
		a.wrong("%s cannot stand in a document", name)
		return nil
	case isBytes(v):
		return a.bytes(name, v)
	case js.Global().Get("Array").Call("isArray", v).Bool():
		items := []any{}
		for i := range a.length(name, v) {
			items = append(items, a.value(name, property(v, i), depth-1))
		}
		return items
	}
	doc := wire.Values{}
	keys := js.Global().Get("Object").Call("keys", v)
	for i := range a.length(name, keys) {
		key := keys.Index(i).String()
		if item := property(v, key); !item.IsUndefined() {
			doc[key] = a.value(key, item, depth-1)
		}
	}
	return doc
}

func traceRecord(e client.TraceEvent) record {
	fields := make([]record, len(e.Fields))
	for i, f := range e.Fields {
		fields[i] = record{{"name", f.Name}, {"size", f.Size}, {"value", unlessZero(f.Value)}}
	}
	return record{{"at", e.At}, {"sent", e.Sent}, {"name", e.Cmd.String()}, {"size", e.Size}, {"fields", fields}}
}

func rowRecord(r wire.Row) record {
	row := record{{"n", r.N}, {"outlet", r.Outlet}, {"seckeyid", r.Seckeyid}, {"state", r.State},
		{"negotiated", r.Negotiated}, {"verified", unlessZero(r.Verified)}, {"retired", unlessZero(r.Retired)},
		{"expires", r.Expires}, {"ended", unlessZero(r.Ended)}}
	if r.State >= wire.StateRetired || r.Reason != 0 {
		row = append(row, entry{"reason", int(r.Reason)})
	}
	return append(row, entry{"by", unlessZero(r.By)}, entry{"receipt", unlessZero(r.Receipt)}, entry{"fingerprint", r.FP.String()})
}

package main

import (
	"fmt"
	"strconv"
	"syscall/js"
	"time"

	"hufu/shared/wire"
)

// parsed copies a value of many parts to the page as one text, which takes a
// tenth of the time that its properties take one by one. JSON.parse makes of
// every name an own property, __proto__ included. Not ok: there is something
// in it that JSON has no form for.
func parsed(v any) (value js.Value, ok bool) {
	text, ok := appendJSON(nil, v)
	if !ok {
		return js.Undefined(), false
	}
	return js.Global().Get("JSON").Call("parse", string(text)), true
}

func appendJSON(b []byte, v any) ([]byte, bool) {
	switch v := v.(type) {
	case bool, int, int64, uint64:
		return fmt.Append(b, v), true
	case string:
		return appendText(b, v), true
	case time.Time:
		return strconv.AppendInt(b, v.UnixMilli(), 10), true
	case time.Duration:
		return strconv.AppendInt(b, v.Milliseconds(), 10), true
	case wire.State:
		return appendText(b, v.String()), true
	case wire.Role:
		return appendText(b, v.String()), true
	case record:
		return appendObject(b, func(yield func(string, any) bool) {
			for _, e := range v {
				if e.value != nil && !yield(e.name, e.value) {
					return
				}
			}
		})
	case wire.Values:
		return appendObject(b, func(yield func(string, any) bool) {
			for name, value := range v {
				if !yield(name, value) {
					return
				}
			}
		})
	case []record:
		return appendList(b, v)
	case []any:
		return appendList(b, v)
	}
	return b, false
}

func appendObject(b []byte, entries func(yield func(string, any) bool)) (text []byte, ok bool) {
	text, ok = append(b, '{'), true
	first := true
	for name, value := range entries {
		if !first {
			text = append(text, ',')
		}
		first = false
		text = append(appendText(text, name), ':')
		if text, ok = appendJSON(text, value); !ok {
			return text, false
		}
	}
	return append(text, '}'), true
}

func appendList[T any](b []byte, items []T) (text []byte, ok bool) {
	text, ok = append(b, '['), true
	for i, item := range items {
		if i > 0 {
			text = append(text, ',')
		}
		if text, ok = appendJSON(text, item); !ok {
			return text, false
		}
	}
	return append(text, ']'), true
}

// appendText writes a string of valid UTF-8 (RFC 8259 §7).
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

package wire

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestValues(t *testing.T) {
	for _, v := range []Values{
		{},
		{"op": "outlets", "limit": uint64(100), "cut": false, "there": true},
		{"max": uint64(MaxInteger), "zero": uint64(0), "none": "", "sealed": []byte{}, "text": "网点"},
		{"rows": []any{Values{"a": []any{uint64(1), "b"}}, []any{}}, "empty": Values{}},
	} {
		b, err := v.Encode()
		if err != nil {
			t.Fatalf("%v: %v", v, err)
		}
		got, err := DecodeValues(b)
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%v became %v, %v", v, got, err)
		}
		if again, err := got.Encode(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%v: %v, encoded again %x and not %x", v, err, again, b)
		}
	}
}

func TestValuesRefused(t *testing.T) {
	deep := Values{"a": Values{"b": Values{"c": Values{"d": uint64(1)}}}} // as deep as may be
	if b, err := deep.Encode(); err != nil {
		t.Error(err)
	} else if _, err := DecodeValues(b); err != nil {
		t.Error(err)
	}
	for name, v := range map[string]Values{
		"number":  {"a": uint64(MaxInteger + 1)},
		"text":    {"a": "\xff"},
		"nil":     {"a": nil},
		"int":     {"a": 1},
		"deep":    {"a": deep},
		"deeper":  {"a": []any{[]any{[]any{[]any{}}}}},
		"in list": {"a": []any{1.5}},
	} {
		if b, err := v.Encode(); err == nil || b != nil || !strings.HasPrefix(err.Error(), "wire: document: ") {
			t.Errorf("%s: %x, %v", name, b, err)
		}
	}
}

func TestDecodeValuesRefused(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":     {},
		"no map":    {0x01},
		"twice":     {0x82, 0xa1, 'a', 0x01, 0xa1, 'a', 0x02},
		"nil":       {0x81, 0xa1, 'a', 0xc0},
		"float":     {0x81, 0xa1, 'a', 0xca, 0, 0, 0, 0},
		"negative":  {0x81, 0xa1, 'a', 0xff},
		"above":     {0x81, 0xa1, 'a', 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0},
		"no UTF-8":  {0x81, 0xa1, 'a', 0xa1, 0xff},
		"key":       {0x81, 0xa1, 0xff, 0x01},
		"in a list": {0x81, 0xa1, 'a', 0x91, 0xc0},
		"trailing":  {0x80, 0x80},
		"beyond":    {0x81, 0xa1, 'a', 0xdd, 0xff, 0xff, 0xff, 0xff},
	} {
		if v, err := DecodeValues(b); !errors.Is(err, ErrFrame) || v != nil {
			t.Errorf("%s: %v, %v", name, slices.Collect(maps.Keys(v)), err)
		}
	}
}

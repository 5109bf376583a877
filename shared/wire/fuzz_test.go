package wire

import (
	"bytes"
	"errors"
	"reflect"
	"runtime/metrics"
	"strings"
	"testing"
)

// Every fuzzer checks the same: a decoder does not panic, does not allocate
// more than its input is worth, returns nothing of what it refuses, and what it
// takes is stable: decode, encode, decode gives the same value and bytes.

// spent runs f and fails if it allocated much more than an input of n bytes is worth.
func spent(t *testing.T, n int, f func()) {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	if got := sample[0].Value.Uint64() - before; got > 1<<21+1000*uint64(n) {
		t.Errorf("%d bytes made it allocate %d", n, got)
	}
}

func stable(t *testing.T, frame []byte, decode func([]byte) (Message, error)) {
	m, err := decode(frame)
	if err != nil {
		if m != nil || !errors.Is(err, ErrFrame) && !errors.Is(err, ErrRefused) {
			t.Fatalf("%v %v", m, err)
		}
		return
	}
	b, err := Encode(m)
	if err != nil {
		t.Fatalf("%+v was taken and cannot be encoded: %v", m, err)
	}
	again, err := decode(b)
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Fatalf("%+v came back as %+v, %v", m, again, err)
	}
	if c, err := Encode(again); err != nil || !bytes.Equal(b, c) {
		t.Fatalf("%x was encoded again as %x, %v", b, c, err)
	}
}

func seedFrames(f *testing.F) {
	for _, s := range append(samples(), largest()[:5]...) {
		b, err := Encode(s.msg)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(OpenFailure())
	for _, b := range bombs() {
		if len(b) < 100 {
			f.Add([]byte(b))
		}
	}
	f.Add([]byte(samples()[1].raw.with("epoch", sizedValue(0xd3, 8, 5, nil)).bytes()))
}

func FuzzParse(f *testing.F) {
	seedFrames(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		spent(t, len(b), func() {
			frame, err := Parse(b)
			if (frame == nil) != (err != nil) || err != nil && !errors.Is(err, ErrFrame) {
				t.Fatal(frame, err)
			}
			if err == nil && (frame.n > maxEntries || frame.index("cmdType", frame.n) < 0) {
				t.Fatal("it parsed what it should not")
			}
		})
	})
}

func FuzzDecodeRequest(f *testing.F) {
	seedFrames(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		spent(t, len(b), func() {
			stable(t, b, decodeOpen)
			stable(t, b, decodeRequest)
		})
	})
}

func FuzzDecodeServer(f *testing.F) {
	seedFrames(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		spent(t, len(b), func() {
			stable(t, b, decodeHello)
			stable(t, b, decodeOpenReply)
			stable(t, b, decodeServer)
		})
	})
}

func seedDocs(f *testing.F) {
	for _, d := range documents() {
		f.Add([]byte(d.raw))
	}
	for _, b := range bombs() {
		if len(b) < 100 {
			f.Add([]byte(b))
		}
	}
	f.Add([]byte(table{{"to", uintValue(0)}, {"states", listValue(uintValue(5))}}.bytes()))
	f.Add([]byte(rawPage(rawRow.with("state", uintValue(1)).bytes())))
}

func FuzzDecodeFilter(f *testing.F) {
	seedDocs(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		spent(t, len(b), func() {
			filter, err := DecodeFilter(b)
			if err != nil {
				if filter != nil || !errors.Is(err, ErrFrame) {
					t.Fatal(filter, err)
				}
				return
			}
			c, err := filter.Encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := DecodeFilter(c)
			if err != nil || !sameFilter(filter, again) {
				t.Fatalf("%+v came back as %+v, %v", filter, again, err)
			}
			if d, err := again.Encode(); err != nil || !bytes.Equal(c, d) {
				t.Fatalf("%x was encoded again as %x, %v", c, d, err)
			}
		})
	})
}

func sameFilter(a, b *Filter) bool {
	return a.Outlet == b.Outlet && a.From == b.From && a.To == b.To && a.Bounded == b.Bounded && string(stateBytes(a)) == string(stateBytes(b))
}

func stateBytes(f *Filter) (b []byte) {
	for _, s := range f.States {
		b = append(b, byte(s))
	}
	return b
}

func FuzzDecodePage(f *testing.F) {
	seedDocs(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		spent(t, len(b), func() {
			rows, err := DecodePage(b)
			if err != nil {
				if rows != nil || !errors.Is(err, ErrFrame) {
					t.Fatal(rows, err)
				}
				return
			}
			c, n, err := EncodePage(rows)
			if err != nil || len(c) > MaxDocReply || n == 0 && len(rows) > 0 {
				t.Fatal(len(c), n, err)
			}
			again, err := DecodePage(c)
			if err != nil || len(again) != n || n > 0 && !reflect.DeepEqual(rows[:n], again) {
				t.Fatalf("%+v came back as %+v, %v", rows, again, err)
			}
		})
	})
}

func FuzzDecodeToken(f *testing.F) {
	s, err := sampleToken().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s)
	f.Add(s + "\n")
	f.Add(s + "=")
	f.Add("hufu1_")
	f.Add(handToken(tokenBytes("http://a", "b", "c", 3, MaxEpoch, run(0, 32))))
	f.Add(handToken(tokenBytes("http://a", "b", "c", 4, 0, run(0, 31))))
	f.Add(string(tokenBytes("http://a", "b", "c", 3, MaxEpoch, run(0, 32))))
	f.Fuzz(func(t *testing.T, s string) {
		spent(t, len(s), func() {
			token, err := DecodeToken(s)
			if err != nil {
				if token != nil || !errors.Is(err, ErrToken) {
					t.Fatal(token, err)
				}
			} else if again, err := token.Encode(); err != nil || again != strings.TrimSpace(s) {
				t.Fatalf("%q is another spelling of %q, %v", s, again, err)
			}
		})
		// The checksum hides the parser behind it: give it one that is right.
		if token, err := DecodeToken(handToken([]byte(s))); err == nil {
			if again, err := token.Encode(); err != nil || again != handToken([]byte(s)) {
				t.Fatalf("%x is another spelling of %q, %v", s, again, err)
			}
		}
	})
}

//go:build amd64 || arm64

package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// segment returns options for a segment of the test's own in /dev/shm, and removes it afterwards.
func segment(t testing.TB, capacity int) Options {
	t.Helper()
	dir, err := os.MkdirTemp(defaultDir, "hufu-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return Options{Dir: dir, Name: "hufu", Capacity: capacity}
}

func mustCreate(t testing.TB, o Options) Options {
	t.Helper()
	if err := Create(o); err != nil {
		t.Fatal(err)
	}
	return o
}

func mustWriter(t testing.TB, o Options) *Writer {
	t.Helper()
	w, err := OpenWriter(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func mustReader(t testing.TB, o Options) *Reader {
	t.Helper()
	r, err := OpenReader(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// keyOf makes the key bytes a function of client and number, the same in stress.c and docs/shm.md's test, so
// that a reader can tell a torn or foreign key.
func keyOf(client string, number uint64) (k Key) {
	d := toIdent(client)
	x := (uint64(d[0])|uint64(d[1])<<32)*0x9e3779b97f4a7c15 + uint64(d[2]) + number*0xd6e8feb86659fd93
	for i := range KeySize / 8 {
		x ^= x >> 29
		x = x*0xbf58476d1ce4e5b9 + uint64(i) + 1
		binary.LittleEndian.PutUint64(k[8*i:], x)
	}
	return k
}

func entry(client string, number uint64, state State) Entry {
	now := Now()
	return Entry{
		ClientID: client, ServerID: "centre", SeckeyID: number, State: state, Key: keyOf(client, number),
		NotBefore: now, NotAfter: now.Add(time.Hour), Fingerprint: Fingerprint{byte(number), 1, 2, 3, 4, 5, 6, 7},
		Generation: number,
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func TestLifeOfAKey(t *testing.T) {
	o := mustCreate(t, segment(t, 16))
	w, r := mustWriter(t, o), mustReader(t, o)
	_, err := r.Current("outlet1")
	wantErr(t, err, ErrNoCurrent)

	confirm := [ConfirmSize]byte{1, 2, 3}
	must(t, w.Put(entry("outlet1", 7, Pending), &confirm))
	_, err = r.Current("outlet1")
	wantErr(t, err, ErrNoCurrent)
	e, err := r.Key("outlet1", 7)
	must(t, err)
	if e.Key != keyOf("outlet1", 7) || e.State != Pending || !e.Usable || e.ServerID != "centre" {
		t.Fatalf("open-only: %v", e)
	}
	got, err := w.Confirm("outlet1", 7)
	must(t, err)
	if got != confirm {
		t.Fatal("confirmation keys differ")
	}

	must(t, w.MakeCurrent("outlet1", 7))
	must(t, w.Put(entry("outlet1", 8, Pending), nil))
	e, err = r.Current("outlet1")
	must(t, err)
	if e.SeckeyID != 7 {
		t.Fatalf("current before the switch: %v", e)
	}
	must(t, w.MakeCurrent("outlet1", 8))
	must(t, w.MakeCurrent("outlet1", 8))
	wantErr(t, w.MakeCurrent("outlet1", 7), ErrState)
	e, err = r.Current("outlet1")
	must(t, err)
	if e.SeckeyID != 8 || e.Key != keyOf("outlet1", 8) {
		t.Fatalf("current after the switch: %v", e)
	}
	e, err = r.Key("outlet1", 7)
	must(t, err)
	if e.State != Retired {
		t.Fatalf("older one: %v", e)
	}

	must(t, w.Wipe("outlet1", 7, Revoked))
	e, err = r.Key("outlet1", 7)
	wantErr(t, err, ErrNotUsable)
	if e.State != Revoked || e.Usable || e.Key != (Key{}) {
		t.Fatalf("revoked: %v", e)
	}
	_, err = w.Confirm("outlet1", 7)
	wantErr(t, err, ErrNotUsable)
	wantErr(t, w.Put(entry("outlet1", 7, Active), nil), ErrExists)
	wantErr(t, w.Put(entry("outlet1", 6, Active), nil), ErrOrder)
	_, err = r.Key("outlet1", 99)
	wantErr(t, err, ErrNotFound)
	if n := w.Info().Used; n != 1 {
		t.Fatalf("%d in use", n)
	}
	if list := r.Entries(""); fmt.Sprint(list) != fmt.Sprint(w.Entries("outlet1")) || len(list) != 2 {
		t.Fatalf("entries: %v", list)
	}
}

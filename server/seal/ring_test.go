package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSealOpen(t *testing.T) {
	r := newRing("HQ", time.Now())
	sealed, err := r.Seal([]byte("plain"), []byte("row 1"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("plain")) {
		t.Fatal("the plain text stands in the sealed value")
	}
	got, err := r.Open(sealed, []byte("row 1"))
	if err != nil || string(got) != "plain" {
		t.Fatalf("open: %q, %v", got, err)
	}
	if _, err := r.Open(sealed, []byte("row 2")); !errors.Is(err, ErrDamaged) {
		t.Errorf("another row: %v", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := r.Open(bad, []byte("row 1")); err == nil {
			t.Errorf("byte %d changed, and it opens", i)
		}
		if _, err := r.Open(sealed[:i], []byte("row 1")); err == nil {
			t.Errorf("cut to %d bytes, and it opens", i)
		}
	}
	again, _ := r.Seal([]byte("plain"), []byte("row 1"))
	if bytes.Equal(again, sealed) {
		t.Error("two seals of the same value are equal")
	}
}

func TestRingKeys(t *testing.T) {
	r := newRing("HQ", time.Now())
	old, _ := r.Seal([]byte("x"), nil)
	r.promote(r.add(time.Now()))
	if n, _ := KeyNumber(old); n != 1 {
		t.Errorf("first key's number: %d", n)
	}
	fresh, _ := r.Seal([]byte("x"), nil)
	if n, _ := KeyNumber(fresh); n != 2 {
		t.Errorf("primary key's number: %d", n)
	}
	if _, err := r.Open(old, nil); err != nil {
		t.Errorf("an active key does not open: %v", err)
	}
	r.keys = r.keys[1:]
	if _, err := r.Open(old, nil); !errors.Is(err, ErrNoKey) {
		t.Errorf("without the key: %v", err)
	}
	if s := r.keys[0].String(); s != "ring key 2 (primary)" {
		t.Errorf("String: %s", s)
	}
}

func TestCheckTellsWrongRing(t *testing.T) {
	r := newRing("HQ", time.Now())
	check, err := r.SealCheck()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.OpenCheck(check); err != nil {
		t.Errorf("own ring: %v", err)
	}
	if err := newRing("HQ", time.Now()).OpenCheck(check); !errors.Is(err, ErrWrongRing) {
		t.Errorf("another ring: %v", err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring.json")
	r, err := Create(path, "HQ")
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(path); st.Mode().Perm() != 0o600 {
		t.Errorf("mode %o", st.Mode().Perm())
	}
	if _, err := Create(path, "HQ"); !errors.Is(err, ErrFile) {
		t.Errorf("a second Create: %v", err)
	}
	sealed, _ := r.Seal([]byte("x"), nil)
	again, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open(sealed, nil); err != nil {
		t.Errorf("the loaded ring does not open: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	if _, err := Create(good, "HQ"); err != nil {
		t.Fatal(err)
	}
	content, _ := os.ReadFile(good)
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(good, link); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ path, want string }{
		"absent":      {filepath.Join(dir, "none"), "no such file"},
		"symlink":     {link, "symbolic links"},
		"folder":      {dir, "not a regular file"},
		"group reads": {put("group", string(content), 0o640), "chmod 600"},
		"not JSON":    {put("text", "hello", 0o600), "not a key ring"},
		"version":     {put("version", `{"version":2,"serverId":"HQ"}`, 0o600), "this version"},
		"no key":      {put("empty", `{"version":1,"serverId":"HQ","keys":[]}`, 0o600), "0 primary keys"},
		"short key":   {put("short", `{"version":1,"serverId":"HQ","keys":[{"number":1,"status":"primary","key":"AAAA"}]}`, 0o600), "key 1 is damaged"},
		"status":      {put("status", strings.Replace(string(content), "primary", "best", 1), 0o600), "unknown status"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(row.path)
			if !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring.json")
	r, err := Create(path, "HQ")
	if err != nil {
		t.Fatal(err)
	}
	server, err := Load(path) // as a running server holds it
	if err != nil {
		t.Fatal(err)
	}
	old, _ := r.Seal([]byte("x"), nil)
	if n, err := r.Add(time.Now()); n != 2 || err != nil {
		t.Fatalf("Add: %d, %v", n, err)
	}
	if r.Primary() != 1 || r.Stale(old) {
		t.Error("a key that was only added seals already")
	}
	if n, err := r.Promote(); n != 2 || err != nil {
		t.Fatalf("Promote: %d, %v", n, err)
	}
	if !r.Stale(old) {
		t.Error("what the older key sealed is not stale")
	}
	early, _ := r.Seal([]byte("x"), nil)
	if _, err := server.Open(early, nil); err != nil {
		t.Errorf("a key that was added to the file just now: %v", err)
	}
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if changed, err := server.Reload(); !changed || err != nil {
		t.Fatalf("Reload: %v, %v", changed, err)
	}
	if changed, err := server.Reload(); changed || err != nil {
		t.Errorf("Reload of the same: %v, %v", changed, err)
	}
	fresh, _ := server.Seal([]byte("x"), nil)
	if r.Stale(fresh) {
		t.Error("the server seals under the older key after Reload")
	}
	if err := r.Retire(); err != nil {
		t.Fatal(err)
	}
	if s := r.Keys()[0].Status; s != Retired {
		t.Errorf("the older key is %s", s)
	}
	if _, err := r.Open(old, nil); err != nil {
		t.Errorf("a retired key does not open: %v", err)
	}
}

func TestReloadRefusesALesserRing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring.json")
	r, err := Create(path, "HQ")
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := r.Seal([]byte("x"), nil)
	other := filepath.Join(t.TempDir(), "ring.json")
	if _, err := Create(other, "HQ"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if changed, err := r.Reload(); changed || !errors.Is(err, ErrFile) {
		t.Errorf("another ring in its place: %v, %v", changed, err)
	}
	if _, err := r.Open(sealed, nil); err != nil {
		t.Errorf("after the refusal it does not open: %v", err)
	}
}

//go:build unix

package settings

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestCredential: what systemd makes is taken, from its folder alone, and
// nothing that anyone else could read or write.
func TestCredential(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, c := range []struct {
		name, folder, credentials string
		mode                      fs.FileMode
		owner                     int // -1: this user
		ok                        bool
	}{
		{"as systemd makes it", dir, dir, 0o440, -1, true},
		{"with a slash", dir, dir + "/", 0o440, -1, true},
		{"its own", dir, dir, 0o400, -1, true},
		{"not in the folder", other, dir, 0o440, -1, false},
		{"in a folder whose name goes on", dir + "x", dir, 0o440, -1, false},
		{"no service", dir, "", 0o440, -1, false},
		{"read by all", dir, dir, 0o444, -1, false},
		{"written by the group", dir, dir, 0o460, -1, false},
		{"another user's", dir, dir, 0o440, 65534, false},
		{"private as ever", other, "", 0o600, -1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CREDENTIALS_DIRECTORY", c.credentials)
			if err := os.MkdirAll(c.folder, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(c.folder, "token")
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path)
			if c.owner >= 0 {
				if os.Geteuid() != 0 {
					t.Skip("it needs root to give a file away")
				}
				if err := os.Chown(path, c.owner, -1); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := Private(f); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

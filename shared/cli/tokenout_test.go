package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"hufu/shared/settings"
)

// TestTokenOut: a token's file is new, its owner's alone, and taken away again
// whether or not the token was written.
func TestTokenOut(t *testing.T) {
	for _, written := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "token")
		out, err := NewTokenOut(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewTokenOut(path); !errors.Is(err, fs.ErrExist) || settings.Code(err) != settings.ExitUsage {
			t.Errorf("where one is already: %v", err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		if written {
			if err := out.Write("hufu1_x"); err != nil {
				t.Error(err)
			}
			if raw, err := os.ReadFile(path); err != nil || string(raw) != "hufu1_x\n" {
				t.Errorf("%q, %v", raw, err)
			}
		}
		if err := out.Discard(); err != nil {
			t.Errorf("written %v: %v", written, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("written %v: it is there still: %v", written, err)
		}
	}
	out, err := NewTokenOut("")
	if err != nil || out.Discard() != nil {
		t.Errorf("standard output: %v, %v", out, err)
	}
}

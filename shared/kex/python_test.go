//go:build !js

package kex

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPythonAgrees lets another language compute the vectors from the
// document's formulas, and sees that it notices a changed one.
func TestPythonAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Fatal("python3 is missing; install the package python3")
	}
	out, err := exec.Command(python, "testdata/check.py", vectorsPath).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "values agree") {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%s", out)

	b, err := os.ReadFile(vectorsPath)
	if err != nil {
		t.Fatal(err)
	}
	v := readVectors(t)
	for name, digits := range map[string]hexBytes{"k_mix": v.Connection.KMix, "th": v.Exchange.TH, "an authCode": v.message(t, "event").AuthCode} {
		old, _ := digits.MarshalText()
		changed := "f" + string(old[1:])
		if old[0] == 'f' {
			changed = "0" + string(old[1:])
		}
		path := filepath.Join(t.TempDir(), "vectors.json")
		if err := os.WriteFile(path, []byte(strings.Replace(string(b), string(old), changed, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(python, "testdata/check.py", path).CombinedOutput(); err == nil {
			t.Errorf("%s was changed: %s", name, out)
		}
	}
}

package kex

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentExample holds docs/protocol.md, above all its worked example
// (§13), against the vectors: every block of hex, and every line of values.
func TestDocumentExample(t *testing.T) {
	b, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	v := readVectors(t)
	want := map[string]string{"th0_input": hex.EncodeToString(v.Connection.TH0Input)}
	for _, m := range v.Messages {
		want[m.Name], want[m.Name+" input"] = hex.EncodeToString(m.Frame), hex.EncodeToString(m.Input)
	}
	for _, part := range []any{v.Inputs, v.Connection, v.Exchange} {
		b, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]any{}
		if err := json.Unmarshal(b, &values); err != nil {
			t.Fatal(err)
		}
		for name, value := range values {
			want[name] = fmt.Sprint(value)
		}
	}

	blocks := regexp.MustCompile("(?s)```(hex|values) ?([^\n]*)\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	checked := 0
	for _, block := range blocks {
		lines := regexp.MustCompile(`\s*#[^\n]*`).ReplaceAllString(block[3], "")
		if block[1] == "hex" {
			checked++
			if got := strings.Join(strings.Fields(lines), ""); got != want[block[2]] {
				t.Errorf("%s is %s, not %s", block[2], got, want[block[2]])
			}
			continue
		}
		for line := range strings.Lines(lines) {
			checked++
			name, got, _ := strings.Cut(strings.TrimSpace(line), "=")
			if name = strings.TrimSpace(name); strings.TrimSpace(got) != want[name] {
				t.Errorf("%s is %s, not %s", name, got, want[name])
			}
		}
	}
	if checked != 27 {
		t.Errorf("%d values of the example were checked", checked)
	}
}

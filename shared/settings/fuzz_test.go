package settings

import (
	"strings"
	"testing"
)

// FuzzFile: whatever stands in a file, every key has a line of it.
func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "name = 1", "[serve]\ncount = 1", "name = \"a\"\n[[many]]\nx=1", "a.b.c = 1\na.d = 2",
		"many = [1, [2]]", "\"\" = 1", "a = {b = {c = 1}}", "\n\n'a.b' = \"\"\"\n\n\"\"\"\nb = 2026-11-24"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		file := &File{Path: "f"}
		if file.parse(content) != nil {
			return
		}
		if len(file.keys) != len(file.items) {
			t.Fatalf("%d keys, %d values", len(file.keys), len(file.items))
		}
		lines := strings.Count(content, "\n") + 1
		for _, key := range file.keys {
			if i := file.items[key]; i.line < 1 || i.line > lines || i.value == nil {
				t.Errorf("%q stands in line %d of %d: %v", key, i.line, lines, i.value)
			}
		}
	})
}

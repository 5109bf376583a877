package text

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)]+)\)`)

// shape is what two READMEs of the same content have in common.
type shape struct {
	headings, rows, fences int
	links                  []string
	commands               []string // lines of code up to a remark
}

func shapeOf(t *testing.T, path string) (s shape) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	code := false
	for line := range strings.Lines(string(raw)) {
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
			s.fences++
		case code && (strings.HasPrefix(line, "make ") || strings.HasPrefix(line, "hufu-server ") || strings.HasPrefix(line, "  $ ")):
			command, _, _ := strings.Cut(line, "#")
			command, _, _ = strings.Cut(command, "--note")
			s.commands = append(s.commands, strings.TrimSpace(command))
		case strings.HasPrefix(line, "#"):
			s.headings++
		case strings.HasPrefix(line, "|"):
			s.rows++
		}
		for _, m := range link.FindAllStringSubmatch(line, -1) {
			if !strings.HasPrefix(m[1], "README") {
				s.links = append(s.links, m[1])
			}
		}
	}
	slices.Sort(s.links)
	return s
}

// TestReadme: README.zh.md has what README.md has, and each links to the other.
func TestReadme(t *testing.T) {
	en, zh := shapeOf(t, "../../README.md"), shapeOf(t, "../../README.zh.md")
	if !reflect.DeepEqual(en, zh) {
		t.Errorf("the two differ:\nREADME.md    %+v\nREADME.zh.md %+v", en, zh)
	}
	for path, other := range map[string]string{"../../README.md": "(README.zh.md)", "../../README.zh.md": "(README.md)"} {
		if raw, err := os.ReadFile(path); err != nil || !strings.Contains(string(raw), other) {
			t.Errorf("%s does not link to %s, %v", path, other, err)
		}
	}
}

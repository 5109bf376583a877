package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	exported = regexp.MustCompile(`(?m)^export (?:const|let|function|async function|class) (\w+)`)
	imported = regexp.MustCompile(`(?m)^import \{([^}]*)\} from '(\.[^']+)';$`)
)

// TestImports: what a module of ours imports from another is exported there,
// and used. A browser would find out only when it loads the module.
func TestImports(t *testing.T) {
	sources := map[string]string{}
	for _, pattern := range []string{"../*.js", "../console/*.js"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 10 {
			t.Fatalf("%s: %d modules: %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			sources[path] = string(source)
		}
	}
	for path, source := range sources {
		for _, m := range imported.FindAllStringSubmatch(source, -1) {
			from := filepath.Join(filepath.Dir(path), m[2])
			there, ours := sources[from]
			if !ours && !strings.Contains(from, "vendor") {
				t.Errorf("%s imports %s, which is not there", path, from)
			}
			names := exported.FindAllStringSubmatch(there, -1)
			for name := range strings.SplitSeq(m[1], ",") {
				name, alias, _ := strings.Cut(strings.TrimSpace(name), " as ")
				if ours && !slices.ContainsFunc(names, func(n []string) bool { return n[1] == name }) {
					t.Errorf("%s imports %s, which %s does not export", path, name, from)
				}
				if alias == "" {
					alias = name
				}
				if uses := regexp.MustCompile(`\b`+alias+`\b`).FindAllStringIndex(source, -1); len(uses) < 2 {
					t.Errorf("%s imports %s and does not use it", path, alias)
				}
			}
		}
	}
}

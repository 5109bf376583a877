package text

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A key in a module of the page: whole, or as the beginning of one that is put
// together.
var pageKey = regexp.MustCompile("['\"`]((?:page|console|state|reason|role|kind)_[a-z0-9_-]*)(\\$?)")

// TestPage: every text that the page asks for is there, and what is there for
// it alone it asks for.
func TestPage(t *testing.T) {
	var modules []string
	for _, pattern := range []string{"../../static/*.js", "../../static/console/*.js"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) < 5 {
			t.Fatalf("%s: %d modules: %v", pattern, len(found), err)
		}
		modules = append(modules, found...)
	}
	texts := English.Page()
	used := make(map[string]bool)
	for _, path := range modules {
		module, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range pageKey.FindAllStringSubmatch(string(module), -1) {
			key, found := m[1], false
			for name := range texts {
				if name == key || strings.HasSuffix(key, "_") && strings.HasPrefix(name, key) {
					used[name], found = true, true
				}
			}
			if !found {
				t.Errorf("%s: there is no text %q", path, key)
			}
		}
	}
	index, err := os.ReadFile("../../static/index.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"page_old", "page_no_script"} { // said without a module
		used[key] = true
		for _, text := range []string{English.T(key), Chinese.T(key)} {
			if !strings.Contains(string(index), text) {
				t.Errorf("index.html does not say %q", text)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		alone := strings.HasPrefix(key, "page_") || strings.HasPrefix(key, "console_")
		if alone && !used[key] {
			t.Errorf("the page does not ask for %q", key)
		}
	}
}

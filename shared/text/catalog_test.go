package text

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/shared/settings"
	"hufu/shared/wire"
)

// composed are the keys that are put together, by their beginning, and the
// values that follow it.
func composed() map[string][]string {
	return map[string][]string{
		"state_":      list(wire.StatePending, wire.StateRevoked, wire.State.String),
		"role_":       {wire.RoleOutlet.String(), wire.RoleOperator.String(), wire.RoleAuditor.String()},
		"reason_":     list(0, wire.ReasonSecretCut, number[wire.Reason]),
		"code_":       list(wire.CodeBadBody, wire.CodeNoSealKey, number[wire.Code]),
		"kind_":       strings.Split(keyservice.KindNames(), ", "),
		"freshness_":  list(keyservice.FreshnessNone, keyservice.FreshnessStale, keyservice.Freshness.String),
		"kek_":        {string(seal.Primary), string(seal.Active), string(seal.Retired)},
		"source_":     {string(settings.FromFlag), string(settings.FromEnvironment), string(settings.FromFile), string(settings.FromDefault)},
		"fresh_":      {"none", "fresh", "soon", "stale"},
		"status_did_": {"verified", "negotiated"},
		"exit_":       list(settings.ExitOK, 9, strconv.Itoa),
	}
}

func list[T ~int | ~uint8](from, to T, name func(T) string) (names []string) {
	for v := from; v <= to; v++ {
		names = append(names, name(v))
	}
	return names
}

func number[T ~uint8](v T) string { return strconv.Itoa(int(v)) }

// use is one place where a text is asked for by its key.
type use struct {
	at, key string
	args    int // -1: not known
}

// sources is what the module's code asks of the catalog.
type sources struct {
	uses     []use
	prefixes map[string]string // of composed keys, and where
	literals map[string]bool   // every string in the code
}

var tagVar = regexp.MustCompile(`\$\{(\w+)\}`)

// read reads every file that is not a test, whatever it is built for.
func read(t *testing.T) *sources {
	s := &sources{prefixes: make(map[string]string), literals: make(map[string]bool)}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "testdata") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil // being written just now, or not Go of this module
		}
		catalogPart := filepath.Dir(path) == "../../shared/text"
		ast.Inspect(file, func(n ast.Node) bool {
			s.take(n, func() string { return set.Position(n.Pos()).String() }, catalogPart)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.uses) < 100 {
		t.Fatalf("only %d uses were found", len(s.uses))
	}
	return s
}

func (s *sources) take(n ast.Node, at func() string, catalogPart bool) {
	switch n := n.(type) {
	case *ast.BasicLit:
		if value, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && !catalogPart {
			s.literals[value] = true
			for _, m := range tagVar.FindAllStringSubmatch(value, -1) {
				s.uses = append(s.uses, use{at(), m[1], -1})
			}
		}
	case *ast.CallExpr:
		s.call(n, at())
	case *ast.KeyValueExpr: // text.Known{Err: ..., Key: "key"}
		if name, is := n.Key.(*ast.Ident); is && name.Name == "Key" {
			if key, is := literal(n.Value); is && strings.Contains(key, "_") {
				s.uses = append(s.uses, use{at(), key, 0})
			}
		}
	}
}

// call takes T("key", ...), Say("key", ...), Errorf("key", ...) and Rows("key", "key").
func (s *sources) call(n *ast.CallExpr, at string) {
	f, is := n.Fun.(*ast.SelectorExpr)
	if !is || len(n.Args) == 0 {
		return
	}
	x, _ := f.X.(*ast.Ident)
	switch {
	case f.Sel.Name == "Rows":
		for _, arg := range n.Args {
			if key, is := literal(arg); is {
				s.uses = append(s.uses, use{at, key, 0})
			}
		}
		return
	case f.Sel.Name != "T" && f.Sel.Name != "Say" && (f.Sel.Name != "Errorf" || x == nil || x.Name != "text"):
		return
	}
	args := len(n.Args) - 1
	if n.Ellipsis.IsValid() {
		args = -1
	}
	switch key := n.Args[0].(type) {
	case *ast.BasicLit:
		if text, is := literal(key); is {
			s.uses = append(s.uses, use{at, text, args})
		}
	case *ast.BinaryExpr:
		if prefix, is := literal(key.X); is {
			s.prefixes[prefix] = at
		}
	case *ast.CallExpr: // fmt.Sprintf("reason_%d", ...)
		if format, is := literal(key.Args[0]); is {
			prefix, _, _ := strings.Cut(format, "%")
			s.prefixes[prefix] = at
		}
	}
}

func literal(e ast.Expr) (string, bool) {
	lit, is := e.(*ast.BasicLit)
	if !is || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// TestKeys: every key that is asked for is there, every key that is there is
// asked for, with as many arguments as its text has verbs.
func TestKeys(t *testing.T) {
	s := read(t)
	vars := map[string]bool{"home": true, "env": true, "name": true} // not texts
	for _, u := range s.uses {
		m, ok := catalog[u.key]
		switch {
		case vars[u.key]:
		case !ok:
			t.Errorf("%s: there is no text %q", u.at, u.key)
		case u.args >= 0 && u.args != len(verbs(m.en)):
			t.Errorf("%s: %q has %d verbs, and %d arguments are given", u.at, u.key, len(verbs(m.en)), u.args)
		}
	}
	sets := composed()
	for prefix, at := range s.prefixes {
		if sets[prefix] == nil {
			t.Errorf("%s: what may follow %q? List it in composed", at, prefix)
		}
	}
	used := s.literals
	for prefix, values := range sets {
		if s.prefixes[prefix] == "" {
			t.Errorf("no key begins with %q any more: take it out of composed", prefix)
		}
		for _, value := range values {
			used[prefix+value] = true
			if _, ok := catalog[prefix+value]; !ok {
				t.Errorf("there is no text %q", prefix+value)
			}
		}
	}
	for _, u := range s.uses {
		used[u.key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(catalog)) {
		if !used[key] && !strings.HasPrefix(key, "page_") && !strings.HasPrefix(key, "console_") { // TestPage
			t.Errorf("nobody asks for %q", key)
		}
	}
}

var verb = regexp.MustCompile(`%(?:%|[-+# 0]*\d*(?:\.\d+)?(?:\[(\d+)\])?([a-zA-Z]))`)

// verbs are the verbs of a format, by the number of their argument.
func verbs(format string) map[int]string {
	all := make(map[int]string)
	next := 1
	for _, m := range verb.FindAllStringSubmatch(format, -1) {
		if m[0] == "%%" {
			continue
		}
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1])
		}
		all[next] = m[2]
		next++
	}
	return all
}

// TestLanguages: both languages take the same arguments, and each is itself.
func TestLanguages(t *testing.T) {
	for key, m := range catalog {
		if m.en == "" || m.zh == "" {
			t.Errorf("%s: a language is missing", key)
		}
		if en, zh := verbs(m.en), verbs(m.zh); !reflect.DeepEqual(en, zh) {
			t.Errorf("%s: arguments are %v in English and %v in Chinese", key, en, zh)
		}
		if !strings.ContainsFunc(m.zh, isChinese) {
			t.Errorf("%s: the Chinese text has no Chinese: %q", key, m.zh)
		}
		if strings.ContainsFunc(m.en, isChinese) {
			t.Errorf("%s: the English text has Chinese: %q", key, m.en)
		}
	}
}

func isChinese(r rune) bool { return unicode.Is(unicode.Han, r) }

// TestMerged: no two parts of the catalog have the same key.
func TestMerged(t *testing.T) {
	sum := 0
	for _, part := range parts {
		sum += len(part)
	}
	if sum != len(catalog) {
		t.Errorf("the parts have %d texts and the catalog %d: a key stands twice", sum, len(catalog))
	}
}

// TestFaults: settings, which cannot read the catalog, says the same as it.
func TestFaults(t *testing.T) {
	var state settings.State
	var since settings.Since
	for key, err := range map[string]error{
		"err_no_state": state.UnmarshalText([]byte("x")), "err_no_time": since.UnmarshalText([]byte("x")),
	} {
		if err.Error() != English.T(key, "x") {
			t.Errorf("%s: %q, and the catalog has %q", key, err, English.T(key, "x"))
		}
		if zh := Chinese.Words(fmt.Errorf("--flag: %w", err), nil); zh != "--flag: "+Chinese.T(key, "x") {
			t.Errorf("%s: %q", key, zh)
		}
	}
}

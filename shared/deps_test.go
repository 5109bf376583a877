package shared_test

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "hufu"

// allowed is what a package may import besides the standard library. Names
// ours are without the module; third are a module's path and all below it.
type allowed struct {
	ours, third []string
	why         string
}

const (
	msgpack   = "github.com/vmihailenco/msgpack/v5"
	webSocket = "github.com/coder/websocket"
	kong      = "github.com/alecthomas/kong"
	goose     = "github.com/pressly/goose/v3"
	sys       = "golang.org/x/sys"
	metrics   = "github.com/prometheus/client_golang"
)

// table is the whole of it: a third-party package is used in one folder, and
// arrows point down only: main, edge, core. A package may stand here before it exists.
var table = map[string]allowed{
	"shared":          {why: "it is an index and has no code"},
	"shared/wire":     {third: []string{msgpack}, why: "it is the bottom of all: the bytes, and the only place where msgpack is guarded"},
	"shared/kex":      {ours: []string{"shared/wire"}, why: "its cryptography is the standard library's, and nothing else is to be reviewed with it"},
	"shared/client":   {ours: []string{"shared/wire", "shared/kex"}, third: []string{webSocket}, why: "it is the session that both clients share, and knows no terminal, page, file or segment"},
	"shared/text":     {why: "it is one catalog that terminal and console read"},
	"shared/cli":      {ours: []string{"shared/settings", "shared/text", "shared/wire"}, third: []string{kong}, why: "it is what both command lines have in common besides their settings"},
	"shared/settings": {ours: []string{"shared/wire"}, third: []string{kong, "github.com/BurntSushi/toml"}, why: "it parses flags, environment and file; from wire it has the names of roles and states"},

	"shm": {third: []string{sys}, why: "applications link it to read keys, and it must bring nothing of the protocol along"},

	"server/keyservice":      {ours: []string{"shared/wire", "shared/kex"}, why: "it is the rules, and knows no store, socket or page"},
	"server/seal":            {third: []string{sys}, why: "it seals bytes at rest and knows nothing of what they mean"},
	"server/store/schema":    {why: "it is what the migrations of both stores have in common"},
	"server/store/postgres":  {ours: []string{"server/keyservice", "server/store/schema", "shared/wire"}, third: []string{"github.com/jackc/pgx/v5", "github.com/jackc/pgerrcode", goose}, why: "it is a store: it implements keyservice's interface and decides nothing"},
	"server/store/sqlite":    {ours: []string{"server/keyservice", "server/store/schema", "shared/wire"}, third: []string{"modernc.org/sqlite", goose}, why: "it is a store: it implements keyservice's interface and decides nothing"},
	"server/store/storetest": {ours: []string{"server/keyservice", "shared/wire"}, third: []string{"pgregory.net/rapid"}, why: "it is the conformance suite, which knows no store by name"},
	"server/session":         {ours: []string{"server/keyservice", "shared/wire", "shared/kex"}, third: []string{webSocket, "golang.org/x/time"}, why: "it is one WebSocket's order, deadlines and limits; routes and stores are others' business"},
	"server/publish":         {ours: []string{"server/keyservice", "shared/kex", "shm"}, why: "it follows the change table into the segment"},
	"server/web":             {ours: []string{"server/keyservice", "server/session", "shared/text", "shared/wire", "static"}, third: []string{"github.com/labstack/echo/v4", metrics, webSocket}, why: "it is the routes; it upgrades a request and hands the connection to session"},
	"server":                 {ours: []string{"server/...", "shared/cli", "shared/settings", "shared/text", "shared/wire", "shm", "static"}, third: []string{kong, sys}, why: "it is the command line and wiring"},

	"nativeclient": {ours: []string{"shared/cli", "shared/client", "shared/kex", "shared/settings", "shared/text", "shared/wire", "shm"}, third: []string{kong, sys, "golang.org/x/term", "charm.land", metrics}, why: "it wires the client to terminal, files and segment"},
	"wasmclient":   {ours: []string{"shared/client", "shared/kex", "shared/wire"}, why: "it is a bridge of promises without protocol logic, and small"},
	"static":       {why: "it embeds the console's files"},
	"static/build": {ours: []string{"shared/text", "static"}, third: []string{"github.com/andybalholm/brotli"}, why: "it is a tool of the build, which compresses what is embedded; no program contains it"},
}

// free are the folders whose packages may import anything and are imported by
// nobody outside of themselves: tests and benchmarks of the whole.
var free = []string{"integration", "bench"}

// forbidden are parts of the standard library that a folder must do without,
// whatever the table says.
var forbidden = []struct {
	folder string
	except func(pkg, file string) bool
	std    []string
	why    string
}{
	{"shared", func(pkg, file string) bool {
		return pkg == "shared/cli" || pkg == "shared/settings" || pkg == "shared/client" && strings.HasSuffix(file, "_js.go")
	}, []string{"os", "syscall", "syscall/js"}, "both ends share it, native and in the browser (cli, settings, and the _js.go pairs of client, excepted)"},
	{"shared/wire", never, []string{"net", "time", "log", "io/fs", "math/rand"}, "the protocol's core is bytes in, bytes out: no network, clock, log or chance"},
	{"shared/kex", never, []string{"net", "time", "log", "io/fs", "math/rand"}, "the protocol's core is bytes in, bytes out: no network, clock, log or chance but a reader's"},
	{"server/keyservice", never, []string{"net", "os", "database/sql"}, "the rules know no socket, file or database"},
	{"static", func(pkg, _ string) bool { return pkg == "static/build" }, []string{"net", "os", "log", "time"}, "it embeds files and has no code (its tool static/build excepted)"},
}

func never(string, string) bool { return false }

// heavy must not reach the browser through any import: it is downloaded there.
var heavy = []string{"net/http", "encoding/json", "crypto/tls"}

// check tells what is wrong with one file's imports.
func check(pkg, file string, imports []string) (faults []string) {
	rule, known := table[pkg]
	if !known && !isFree(pkg) {
		return []string{fmt.Sprintf("%s: add it to the table with a reason (shared/deps_test.go)", pkg)}
	}
	for _, imp := range imports {
		switch {
		case imp == module || strings.HasPrefix(imp, module+"/"):
			to := strings.TrimPrefix(strings.TrimPrefix(imp, module), "/")
			if isFree(to) && !isFree(pkg) {
				faults = append(faults, fmt.Sprintf("%s/%s imports %s, which is for tests and benchmarks alone", pkg, file, to))
			} else if !isFree(pkg) && !matches(rule.ours, to) {
				faults = append(faults, fmt.Sprintf("%s/%s must not import %s: %s", pkg, file, to, rule.why))
			}
		case isStandard(imp):
			faults = append(faults, checkStandard(pkg, file, imp)...)
		case !isFree(pkg) && !under(rule.third, imp):
			faults = append(faults, fmt.Sprintf("%s/%s must not import %s: %s", pkg, file, imp, rule.why))
		}
	}
	return faults
}

func checkStandard(pkg, file, imp string) (faults []string) {
	for _, f := range forbidden {
		inside := pkg == f.folder || strings.HasPrefix(pkg, f.folder+"/")
		if inside && under(f.std, imp) && !f.except(pkg, file) {
			faults = append(faults, fmt.Sprintf("%s/%s must not import %s: %s", pkg, file, imp, f.why))
		}
	}
	return faults
}

func isFree(pkg string) bool { return under(free, pkg) }

// isStandard: only the standard library's paths have no dot in their first part.
func isStandard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

// under reports whether p is one of the folders or below one.
func under(folders []string, p string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
}

// matches is under for the table: a name stands for itself, a/... for all below.
func matches(names []string, p string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		folder, all := strings.CutSuffix(n, "/...")
		return p == n || all && strings.HasPrefix(p, folder+"/")
	})
}

// cycle finds a way along the table's own arrows from a package back to itself.
func cycle(table map[string]allowed) []string {
	var walk func(pkg string, way []string) []string
	walk = func(pkg string, way []string) []string {
		if slices.Contains(way, pkg) {
			return append(way, pkg)
		}
		way = append(slices.Clone(way), pkg)
		for other := range table {
			if matches(table[pkg].ours, other) {
				if found := walk(other, way); found != nil {
					return found
				}
			}
		}
		return nil
	}
	for pkg := range table {
		if found := walk(pkg, nil); found != nil {
			return found
		}
	}
	return nil
}

// TestImports reads every file of the module that is not a test, whatever it
// is built for.
func TestImports(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // removed meanwhile
		case err != nil:
			return err
		case d.IsDir():
			if base := d.Name(); base != ".." && (base == "testdata" || base[0] == '.' || base[0] == '_') {
				return fs.SkipDir
			}
			return nil
		case !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files++
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, spec := range parsed.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imp)
		}
		pkg, file := path.Split(filepath.ToSlash(name))
		for _, fault := range check(path.Clean(strings.TrimPrefix(pkg, "../")), file, imports) {
			t.Error(fault)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files were read", files)
	}
}

func TestArrowsPointDown(t *testing.T) {
	if found := cycle(table); found != nil {
		t.Errorf("the table has a cycle: %s", strings.Join(found, " -> "))
	}
	for pkg, rule := range table {
		if rule.why == "" {
			t.Errorf("%s has no reason", pkg)
		}
		for _, to := range rule.ours {
			if _, ok := table[to]; !ok && !strings.HasSuffix(to, "/...") {
				t.Errorf("%s may import %s, which is not in the table", pkg, to)
			}
			if strings.HasPrefix(pkg, "shared") && !strings.HasPrefix(to, "shared/") {
				t.Errorf("%s may import %s: shared never imports server, shm or static", pkg, to)
			}
		}
	}
}

// TestBrowser shows that nothing heavy gets into the browser, by any way.
func TestBrowser(t *testing.T) {
	if runtime.GOOS == "js" {
		t.Skip("there is no go command here")
	}
	for _, pkg := range []string{"shared/wire", "shared/kex", "shared/client", "wasmclient"} {
		cmd := exec.Command("go", "list", "-deps", "./../"+pkg)
		cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list %s: %v", pkg, err)
		}
		for dep := range strings.FieldsSeq(string(out)) {
			if slices.Contains(heavy, dep) {
				t.Errorf("%s brings %s into the browser, which has to download it", pkg, dep)
			}
		}
	}
}

// TestCheck shows that the rules can be broken.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		pkg, file, imp string
		want           string // a part of the fault; empty: none
	}{
		{"shared/wire", "a.go", msgpack, ""},
		{"shared/wire", "a.go", msgpack + "/msgpcode", ""},
		{"shared/wire", "a.go", msgpack + "2", "must not import"},
		{"shared/kex", "a.go", msgpack, "nothing else is to be reviewed"},
		{"shared/kex", "a.go", "hufu/shared/wire", ""},
		{"shared/kex", "a.go", "hufu/shared/client", "must not import shared/client"},
		{"shared/kex", "a.go", "golang.org/x/crypto/hkdf", "must not import"},
		{"shared/kex", "a.go", "log/slog", "no network, clock, log"},
		{"shared/kex", "a.go", "time", "no network, clock, log"},
		{"shared/wire", "a.go", "net/url", "no network, clock, log"},
		{"shared/wire", "a.go", "hufu/shared/kex", "bottom of all"},
		{"shared/wire", "a.go", "os", "both ends share it"},
		{"shared/client", "dial.go", "syscall/js", "both ends share it"},
		{"shared/client", "dial_js.go", "syscall/js", ""},
		{"shared/wire", "dial_js.go", "syscall/js", "both ends share it"},
		{"shared/client", "dial.go", "os", "both ends share it"},
		{"shared/client", "a.go", "os/signal", "both ends share it"},
		{"shared/client", "a.go", webSocket, ""},
		{"shared/client", "a.go", "hufu/shm", "must not import shm"},
		{"shared/settings", "a.go", "os", ""},
		{"shared/settings", "a.go", kong, ""},
		{"shared/text", "a.go", "hufu/server/web", "must not import server/web"},
		{"shm", "a.go", "hufu/shared/wire", "nothing of the protocol"},
		{"server/keyservice", "a.go", "hufu/server/store/sqlite", "knows no store"},
		{"server/keyservice", "a.go", "database/sql", "no socket, file or database"},
		{"server/store/sqlite", "a.go", "hufu/server/keyservice", ""},
		{"server/store/sqlite", "a.go", "github.com/jackc/pgx/v5", "it is a store"},
		{"server/store/postgres", "a.go", "github.com/jackc/pgx/v5/pgxpool", ""},
		{"server/store/storetest", "a.go", "hufu/server/store/sqlite", "no store by name"},
		{"server/session", "a.go", "hufu/server/web", "must not import server/web"},
		{"server/web", "a.go", "hufu/shared/kex", "must not import shared/kex"},
		{"server", "main.go", "hufu/server/publish", ""},
		{"server", "main.go", "hufu/server/store/postgres", ""},
		{"server", "main.go", "hufu/nativeclient", "command line and wiring"},
		{"server", "main.go", "hufu/integration/pgtest", "for tests and benchmarks alone"},
		{"nativeclient", "a.go", "charm.land/bubbletea/v2", ""},
		{"nativeclient", "a.go", "hufu/server/keyservice", "must not import server/keyservice"},
		{"wasmclient", "a_js.go", "syscall/js", ""},
		{"wasmclient", "a_js.go", "hufu/shared/settings", "must not import shared/settings"},
		{"static", "a.go", "embed", ""},
		{"static", "a.go", "net/http", "it embeds files"},
		{"static", "a.go", "github.com/andybalholm/brotli", "must not import"},
		{"static/build", "a.go", "os", ""},
		{"static/build", "a.go", "github.com/andybalholm/brotli", ""},
		{"integration", "a.go", "hufu/server", ""},
		{"integration/pgtest", "a.go", "github.com/jackc/pgx/v5", ""},
		{"integrations", "a.go", "fmt", "add it to the table with a reason"},
		{"shared/util", "a.go", "fmt", "add it to the table with a reason"},
	} {
		faults := strings.Join(check(c.pkg, c.file, []string{"fmt", c.imp}), "\n")
		if (faults == "") != (c.want == "") || !strings.Contains(faults, c.want) {
			t.Errorf("%s/%s with %s: %q, not %q", c.pkg, c.file, c.imp, faults, c.want)
		}
	}
	if found := cycle(map[string]allowed{"a": {ours: []string{"b"}}, "b": {ours: []string{"c/..."}}, "c/d": {ours: []string{"a"}}}); len(found) != 4 {
		t.Errorf("a cycle was not found: %v", found)
	}
}

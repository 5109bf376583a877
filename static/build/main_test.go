package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"hufu/shared/text"
	"hufu/static"
)

// tree is a console in a folder of its own.
type tree struct {
	t                   *testing.T
	source, client, out string
}

func newTree(t *testing.T) *tree {
	t.Helper()
	dir := t.TempDir()
	tr := &tree{t, filepath.Join(dir, "static"), filepath.Join(dir, "client"), filepath.Join(dir, "dist")}
	tr.put(tr.source, "index.html", `<link rel="stylesheet" href="./page.css"><script type="module" src="main.js"></script><a href="elsewhere.js">`)
	tr.put(tr.source, "main.js", "import './vendor/lit.js';\n")
	tr.put(tr.source, "vendor/lit.js", "export {};\n")
	tr.put(tr.source, "page.css", "p { margin: 0 }\n")
	tr.put(tr.source, "static.go", "package static\n")
	tr.put(tr.source, "build/page.js", "not an asset\n")
	tr.put(tr.source, "dist/old.js", "not an asset\n")
	tr.put(tr.client, "hufu.wasm", "\x00asm")
	tr.put(tr.client, "wasm_exec.js", "globalThis.Go = class {};\n")
	return tr
}

func (tr *tree) put(folder, name, content string) {
	tr.t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

// files builds and returns what is listed, by path.
func (tr *tree) files(quality int) map[string]static.File {
	tr.t.Helper()
	if err := run(tr.source, tr.client, tr.out, quality, io.Discard); err != nil {
		tr.t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join(tr.out, filepath.Base(static.ManifestName)))
	if err != nil {
		tr.t.Fatal(err)
	}
	var manifest static.Manifest
	if err := json.Unmarshal(list, &manifest); err != nil {
		tr.t.Fatal(err)
	}
	files := map[string]static.File{}
	for _, f := range manifest.Files {
		files[f.Path] = f
	}
	return files
}

func (tr *tree) unpacked(f static.File) string {
	tr.t.Helper()
	packed, err := os.Open(filepath.Join(tr.out, f.Brotli))
	if err != nil {
		tr.t.Fatal(err)
	}
	defer packed.Close()
	content, err := io.ReadAll(brotli.NewReader(packed))
	if err != nil || len(content) != f.Size {
		tr.t.Fatalf("%s: %v, %d bytes", f.Path, err, len(content))
	}
	return string(content)
}

func TestBuild(t *testing.T) {
	tr := newTree(t)
	files := tr.files(9)
	page := tr.unpacked(files[""])
	folder := regexp.MustCompile(`src="(assets/[0-9a-f]{16}/)main\.js"`).FindStringSubmatch(page)
	if folder == nil || !strings.Contains(page, `href="`+folder[1]+`page.css"`) || !strings.Contains(page, `href="elsewhere.js"`) {
		t.Fatalf("the page is %s", page)
	}
	var names []string
	for path := range files {
		names = append(names, strings.TrimPrefix(path, folder[1]))
	}
	slices.Sort(names)
	want := []string{"", "hufu.wasm", "main.js", "page.css", "text.en.json", "text.zh.json", "vendor/lit.js", "wasm_exec.js"}
	if !slices.Equal(names, want) {
		t.Errorf("there are %q, not %q", names, want)
	}
	if files[""].Immutable || !files[folder[1]+"main.js"].Immutable || files[folder[1]+"hufu.wasm"].Type != "application/wasm" {
		t.Errorf("the files are %+v", files)
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(tr.unpacked(files[folder[1]+"text.zh.json"])), &texts); err != nil {
		t.Fatal(err)
	}
	if texts["page_title"] != text.Chinese.T("page_title") || texts["help_listen"] != "" {
		t.Errorf("the texts are %v", texts)
	}
}

// TestBuildAgain: what is the same is not made again, what changed has another
// name, and what is not used any more is gone.
func TestBuildAgain(t *testing.T) {
	tr := newTree(t)
	tr.put(tr.out, ".gitkeep", "")
	first := tr.files(9)
	kept := filepath.Join(tr.out, first[""].Brotli)
	before, err := os.Stat(kept)
	if err != nil {
		t.Fatal(err)
	}
	if again := tr.files(9); len(again) != len(first) || again[""] != first[""] {
		t.Errorf("again: %+v", again)
	}
	if after, err := os.Stat(kept); err != nil || !os.SameFile(before, after) {
		t.Errorf("it was written again: %v", err)
	}
	tr.put(tr.source, "page.css", "p { margin: 1px }\n")
	second := tr.files(9)
	for path, f := range first {
		if _, there := second[path]; there && path != "" {
			t.Errorf("%s has its name still", path)
		}
		if path == "" || strings.HasSuffix(path, "/page.css") {
			if _, err := os.Stat(filepath.Join(tr.out, f.Brotli)); !os.IsNotExist(err) {
				t.Errorf("%q as it was is there still: %v", path, err)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(tr.out, ".gitkeep")); err != nil {
		t.Error(err)
	}
}

// TestBudgets: a console that is too big is no console.
func TestBudgets(t *testing.T) {
	noise := func(size int) string {
		b := make([]byte, size)
		rng := rand.NewChaCha8([32]byte{})
		_, _ = rng.Read(b) // never fails
		return string(b)
	}
	for _, c := range []struct {
		name, says string
		big        func(tr *tree)
	}{
		{"wasm", "hufu.wasm has", func(tr *tree) { tr.put(tr.client, "hufu.wasm", noise(wasmBudget+wasmBudget/7)) }},
		{"others", "everything but hufu.wasm has", func(tr *tree) { tr.put(tr.source, "big.css", noise(othersBudget+othersBudget/7)) }},
	} {
		tr := newTree(t)
		c.big(tr)
		err := run(tr.source, tr.client, tr.out, 1, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := os.Stat(filepath.Join(tr.out, filepath.Base(static.ManifestName))); err == nil {
			t.Errorf("%s: it is listed all the same", c.name)
		}
	}
}

func TestMissing(t *testing.T) {
	for _, name := range []string{"static/index.html", "client/hufu.wasm", "client/wasm_exec.js"} {
		tr := newTree(t)
		if err := os.Remove(filepath.Join(filepath.Dir(tr.source), name)); err != nil {
			t.Fatal(err)
		}
		if err := run(tr.source, tr.client, tr.out, 9, io.Discard); err == nil || !strings.Contains(err.Error(), filepath.Base(name)) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

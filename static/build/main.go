// Command build prepares the console: it builds the wasm client, takes the
// sources of static/ and the texts, and writes what the server embeds,
// compressed, under names that change with the content.
//
// All assets stand in one folder that is named by a hash over all of them, so
// that a module finds another by the name it has in static/.
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"

	"hufu/shared/text"
	"hufu/static"
)

// The budgets, in bytes of brotli at its highest quality.
const (
	wasmBudget   = 1 << 20
	othersBudget = 120 << 10
)

const (
	page     = "index.html"
	wasm     = "hufu.wasm"
	loader   = "wasm_exec.js"
	hashSize = 16 // hex digits in a name
)

var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".svg": "image/svg+xml", ".wasm": "application/wasm",
}

func main() {
	source := flag.String("source", "static", "folder of the sources")
	client := flag.String("client", "static/wasm", "folder to build hufu.wasm in")
	out := flag.String("out", "static/dist", "folder to write to")
	quality := flag.Int("quality", brotli.BestCompression, "of brotli")
	flag.Parse()
	err := compile(*client)
	if err == nil {
		err = run(*source, *client, *out, *quality, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "static/build:", err)
		os.Exit(1)
	}
}

// inlined are the packages in which a negotiation spends its time. Everything
// else is compiled without inlining, which makes the whole a tenth smaller.
var inlined = []string{"crypto/...", "internal/byteorder", "internal/runtime/...", "internal/abi", "internal/sync", "math/bits", "sync/...", "syscall/js"}

// compile builds the client, and puts beside it the loader that belongs to this
// version of Go.
func compile(folder string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-gcflags=all=-l"}
	for _, pattern := range inlined {
		args = append(args, "-gcflags="+pattern+"=")
	}
	cmd := exec.Command("go", append(args, "-o", filepath.Join(folder, wasm), "hufu/wasmclient")...)
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm", "GOFLAGS=")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	js, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", loader))
	if err != nil {
		return err
	}
	return replace(filepath.Join(folder, loader), js)
}

func run(source, client, out string, quality int, report io.Writer) error {
	assets, err := collect(source, client)
	if err != nil {
		return err
	}
	html := assets[page]
	delete(assets, page)
	folder := "assets/" + hashAll(assets)
	html = link(html, assets, folder)

	b := builder{out: out, quality: quality, before: before(out), written: map[string]bool{}}
	if err := b.add("", page, html); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(assets)) {
		if err := b.add(folder+"/"+name, name, assets[name]); err != nil {
			return err
		}
	}
	fmt.Fprintf(report, "console: %s %d bytes, brotli %d; all others brotli %d\n", wasm, len(assets[wasm]), b.wasm, b.others)
	if err := b.check(); err != nil {
		return err
	}
	return b.finish()
}

// collect reads everything, by name.
func collect(source, client string) (map[string][]byte, error) {
	assets := map[string][]byte{}
	err := filepath.WalkDir(source, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, name)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if relative == "build" || relative == "dist" || relative == "wasm" || relative != "." && d.Name()[0] == '.' {
				return fs.SkipDir
			}
			return nil
		case types[filepath.Ext(name)] == "":
			return nil // a source of Go, a license
		}
		assets[filepath.ToSlash(relative)], err = os.ReadFile(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{wasm, loader} {
		if assets[name], err = os.ReadFile(filepath.Join(client, name)); err != nil {
			return nil, err
		}
	}
	for name, lang := range map[string]text.Lang{"en": text.English, "zh": text.Chinese} {
		if assets["text."+name+".json"], err = json.Marshal(lang.Page()); err != nil {
			return nil, err
		}
	}
	if assets[page] == nil {
		return nil, fmt.Errorf("%s has no %s", source, page)
	}
	return assets, nil
}

func hashAll(assets map[string][]byte) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(assets)) {
		fmt.Fprintf(h, "%s %d\n", name, len(assets[name]))
		h.Write(assets[name])
	}
	return hex.EncodeToString(h.Sum(nil))[:hashSize]
}

var reference = regexp.MustCompile(`\b(src|href)="([^"]+)"`)

// link makes the page's references to assets point into their folder.
func link(html []byte, assets map[string][]byte, folder string) []byte {
	return reference.ReplaceAllFunc(html, func(match []byte) []byte {
		parts := reference.FindSubmatch(match)
		name := strings.TrimPrefix(string(parts[2]), "./")
		if assets[name] == nil {
			return match
		}
		return fmt.Appendf(nil, `%s="%s/%s"`, parts[1], folder, name)
	})
}

// builder writes the files and their list.
type builder struct {
	out          string
	quality      int
	before       map[string]bool // names of files that are there already
	written      map[string]bool
	manifest     static.Manifest
	wasm, others int // bytes of brotli
}

// before lists what an earlier build has left in the folder.
func before(out string) map[string]bool {
	there := map[string]bool{}
	entries, _ := os.ReadDir(out) // a folder that is not there is made later
	for _, e := range entries {
		there[e.Name()] = true
	}
	return there
}

// add compresses a file, unless an earlier build has done it, and lists it.
func (b *builder) add(path, name string, content []byte) error {
	sum := sha256.Sum256(content)
	hash := hex.EncodeToString(sum[:])
	f := static.File{Path: path, Type: types[filepath.Ext(name)], Size: len(content), Hash: hash, Immutable: path != "",
		Brotli: fmt.Sprintf("%s.q%d.br", hash[:hashSize], b.quality), Gzip: hash[:hashSize] + ".gz"}
	brotliSize, err := b.write(f.Brotli, content, func(w io.Writer) io.WriteCloser {
		return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: b.quality, LGWin: 24})
	})
	if err != nil {
		return err
	}
	if _, err := b.write(f.Gzip, content, func(w io.Writer) io.WriteCloser {
		z, _ := gzip.NewWriterLevel(w, gzip.BestCompression) // a level that there is
		return z
	}); err != nil {
		return err
	}
	if name == wasm {
		b.wasm = brotliSize
	} else {
		b.others += brotliSize
	}
	b.manifest.Files = append(b.manifest.Files, f)
	return nil
}

func (b *builder) write(name string, content []byte, pack func(io.Writer) io.WriteCloser) (size int, err error) {
	b.written[name] = true
	path := filepath.Join(b.out, name)
	if b.before[name] {
		info, err := os.Stat(path)
		if err == nil {
			return int(info.Size()), nil
		}
	}
	var packed bytes.Buffer
	w := pack(&packed)
	if _, err := w.Write(content); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return packed.Len(), replace(path, packed.Bytes())
}

// replace writes a file as a whole or not at all.
func replace(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

// check holds the sizes against the budgets. A lower quality, which is for
// development, makes about an eighth more.
func (b *builder) check() error {
	var errs []error
	for _, c := range []struct {
		what         string
		size, budget int
	}{{wasm, b.wasm, wasmBudget}, {"everything but " + wasm, b.others, othersBudget}} {
		if b.quality < brotli.BestCompression {
			c.budget += c.budget / 7
		}
		if c.size > c.budget {
			errs = append(errs, fmt.Errorf("%s has %d bytes as brotli, and may have %d", c.what, c.size, c.budget))
		}
	}
	return errors.Join(errs...)
}

// finish writes the list and removes what it does not name.
func (b *builder) finish() error {
	slices.SortFunc(b.manifest.Files, func(x, y static.File) int { return cmp.Compare(x.Path, y.Path) })
	list, err := json.MarshalIndent(b.manifest, "", "\t")
	if err != nil {
		return err
	}
	name := filepath.Base(static.ManifestName)
	b.written[name], b.written[".gitkeep"] = true, true
	for there := range b.before {
		if !b.written[there] {
			if err := os.Remove(filepath.Join(b.out, there)); err != nil {
				return err
			}
		}
	}
	return replace(filepath.Join(b.out, name), append(list, '\n'))
}

package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"hufu/static"
)

// Console is the page and its assets, as they are embedded.
type Console struct{ files []consoleFile }

type consoleFile struct {
	static.File
	packed map[string][]byte // by content coding: br, gzip
}

// ErrNoConsole says that the program was built without the console.
var ErrNoConsole = errors.New("web: this hufu-server was built without the console; make build builds it with")

// LoadConsole takes the console out of what static has embedded.
func LoadConsole(dist fs.FS) (*Console, error) {
	list, err := fs.ReadFile(dist, static.ManifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoConsole
	}
	if err != nil {
		return nil, fmt.Errorf("web: console: %w", err)
	}
	var manifest static.Manifest
	if err := json.Unmarshal(list, &manifest); err != nil {
		return nil, fmt.Errorf("web: console: %w", err)
	}
	c := &Console{}
	for _, f := range manifest.Files {
		file := consoleFile{File: f, packed: map[string][]byte{}}
		for coding, name := range map[string]string{"br": f.Brotli, "gzip": f.Gzip} {
			if file.packed[coding], err = fs.ReadFile(dist, static.Folder+"/"+name); err != nil {
				return nil, fmt.Errorf("web: console: %w", err)
			}
		}
		c.files = append(c.files, file)
	}
	return c, nil
}

// policy is what the page may do: run what this server gives it, connect to
// this server, and nothing else.
const policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

var consoleHeaders = map[string]string{
	"Content-Security-Policy":      policy,
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Embedder-Policy": "require-corp",
	"Cross-Origin-Resource-Policy": "same-origin",
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
}

var getOrHead = []string{http.MethodGet, http.MethodHead}

// routes adds the console's addresses. The page names all others relative to
// its own, which therefore ends with a slash.
func (c *Console) routes(base *echo.Group, basePath string) {
	for _, f := range c.files {
		base.Match(getOrHead, "/"+f.Path, f.serve)
	}
	if basePath != "" {
		base.Match(getOrHead, "", func(ctx echo.Context) error {
			return ctx.Redirect(http.StatusPermanentRedirect, basePath[strings.LastIndex(basePath, "/")+1:]+"/")
		})
	}
}

// serve answers with the file in the best coding that the browser takes.
func (f consoleFile) serve(c echo.Context) error {
	h := c.Response().Header()
	for name, value := range consoleHeaders {
		h.Set(name, value)
	}
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if f.Immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	coding, ok := negotiate(c.Request().Header.Values("Accept-Encoding"))
	if !ok {
		return echo.NewHTTPError(http.StatusNotAcceptable)
	}
	tag := `"` + f.Hash[:32] + "-" + coding + `"`
	h.Set("ETag", tag)
	if matches(c.Request().Header.Values("If-None-Match"), tag) {
		return c.NoContent(http.StatusNotModified)
	}
	h.Set("Content-Type", f.Type)
	h.Set("Content-Length", strconv.Itoa(f.Size))
	if coding != identity {
		h.Set("Content-Encoding", coding)
		h.Set("Content-Length", strconv.Itoa(len(f.packed[coding])))
	}
	c.Response().WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	if coding != identity {
		_, err := c.Response().Write(f.packed[coding])
		return err
	}
	plain, err := gzip.NewReader(bytes.NewReader(f.packed["gzip"]))
	if err != nil {
		return err
	}
	_, err = io.Copy(c.Response(), plain)
	return err
}

const identity = "identity"

// codings are those that there are, the best first.
var codings = []string{"br", "gzip", identity}

// negotiate chooses a content coding (RFC 9110 §12.5.3): the one with the
// greatest weight, of equals the best. Not ok: the client takes none.
func negotiate(accept []string) (coding string, ok bool) {
	weights := map[string]float64{}
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			name, weight := weighted(part)
			weights[name] = weight
		}
	}
	best := 0.0
	for _, c := range codings {
		weight, named := weights[c]
		if !named {
			weight, named = weights["*"]
		}
		if !named && c == identity {
			weight = 0.0001 // acceptable if nothing says otherwise, and less than whatever is named
		}
		if weight > best {
			coding, best = c, weight
		}
	}
	return coding, best > 0
}

// weighted splits "gzip;q=0.5". A weight that is none counts as 0.
func weighted(part string) (name string, weight float64) {
	name, parameters, _ := strings.Cut(part, ";")
	weight = 1
	for p := range strings.SplitSeq(parameters, ";") {
		if value, found := strings.CutPrefix(strings.ToLower(strings.TrimSpace(p)), "q="); found {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
			weight = q
		}
	}
	return strings.ToLower(strings.TrimSpace(name)), weight
}

// matches compares weakly, as If-None-Match is to be (RFC 9110 §13.1.2).
func matches(lines []string, tag string) bool {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.TrimPrefix(part, "W/") == tag {
				return true
			}
		}
	}
	return false
}

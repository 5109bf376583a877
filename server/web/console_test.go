package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"hufu/server/session"
	"hufu/server/web"
	"hufu/static"
)

const (
	plainPage   = "<!doctype html><p>the page</p>\n"
	plainScript = "export {};\n"
)

// console is one with a page and a script. What it has as brotli is only
// marked as such: nothing here decodes it.
func console(t *testing.T) *web.Console {
	t.Helper()
	dist := fstest.MapFS{}
	zip := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		must(w.Write([]byte(s)))(t)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var manifest static.Manifest
	for _, f := range []struct{ path, kind, content string }{
		{"", "text/html; charset=utf-8", plainPage},
		{"assets/0123/main.js", "text/javascript; charset=utf-8", plainScript},
		{"assets/0123/hufu.wasm", "application/wasm", "\x00asm"},
	} {
		hash := strings.Repeat("ab", 32)
		name := strings.ReplaceAll(f.path, "/", "-")
		dist[static.Folder+"/"+name+".br"] = &fstest.MapFile{Data: []byte("br:" + f.content)}
		dist[static.Folder+"/"+name+".gz"] = &fstest.MapFile{Data: zip(f.content)}
		manifest.Files = append(manifest.Files, static.File{Path: f.path, Type: f.kind, Size: len(f.content), Hash: hash,
			Immutable: f.path != "", Brotli: name + ".br", Gzip: name + ".gz"})
	}
	dist[static.ManifestName] = &fstest.MapFile{Data: must(json.Marshal(manifest))(t)}
	return must(web.LoadConsole(dist))(t)
}

// ask asks as a browser does that decodes nothing by itself.
func (s *site) ask(t *testing.T, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	r := must(http.NewRequestWithContext(t.Context(), method, s.URL+path, nil))(t)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	response := must(transport.RoundTrip(r))(t)
	defer response.Body.Close()
	return response, string(must(io.ReadAll(response.Body))(t))
}

func TestConsoleHeaders(t *testing.T) {
	s := newSite(t, web.Config{Console: console(t)}, session.Limits{})
	for path, want := range map[string]struct{ kind, cache, body string }{
		"/":                      {"text/html; charset=utf-8", "no-cache", plainPage},
		"/assets/0123/main.js":   {"text/javascript; charset=utf-8", "public, max-age=31536000, immutable", plainScript},
		"/assets/0123/hufu.wasm": {"application/wasm", "public, max-age=31536000, immutable", "\x00asm"},
	} {
		response, body := s.ask(t, http.MethodGet, path)
		if response.StatusCode != http.StatusOK || body != want.body {
			t.Errorf("%s: %s, %q", path, response.Status, body)
		}
		for name, value := range map[string]string{
			"Content-Type": want.kind, "Cache-Control": want.cache, "Vary": "Accept-Encoding", "Content-Encoding": "",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp",
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self'; " +
				"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
		} {
			if got := response.Header.Get(name); got != value {
				t.Errorf("%s: %s is %q, not %q", path, name, got, value)
			}
		}
		head, none := s.ask(t, http.MethodHead, path)
		if head.StatusCode != http.StatusOK || none != "" || head.ContentLength != int64(len(want.body)) || head.Header.Get("ETag") != response.Header.Get("ETag") {
			t.Errorf("%s: HEAD answers %s, %d bytes, %q", path, head.Status, head.ContentLength, none)
		}
	}
	for _, path := range []string{"/assets/", "/assets/0123/", "/assets/0124/main.js", "/index.html", "/manifest.json", "/assets/0123/../../healthz", "//"} {
		if response, _ := s.ask(t, http.MethodGet, path); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	if response, _ := s.ask(t, http.MethodPost, "/"); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", response.Status)
	}
}

// TestConsoleCoding: the coding is what RFC 9110 §12.5.3 says.
func TestConsoleCoding(t *testing.T) {
	s := newSite(t, web.Config{Console: console(t)}, session.Limits{})
	for accept, want := range map[string]string{
		"":                            "",
		"gzip, deflate, br, zstd":     "br",
		"gzip":                        "gzip",
		"GZIP ; Q=0.5 , Br;q=0.4":     "gzip",
		"br;q=0, gzip;q=0.1":          "gzip",
		"br;q=0.5, gzip;q=0.5":        "br",
		"identity":                    "",
		"identity, br;q=0.5":          "",
		"*":                           "br",
		"*;q=0.1, gzip":               "gzip",
		"br;q=0, *":                   "gzip",
		"zstd":                        "",
		"br;q=nonsense":               "",
		"br;q=2":                      "",
		"identity;q=0, br;q=0":        "refused",
		"*;q=0":                       "refused",
		"identity;q=0, *;q=0, gzip":   "gzip",
		"br;level=3;q=0.2;other=true": "br",
	} {
		response, body := s.ask(t, http.MethodGet, "/", "Accept-Encoding", accept)
		if want == "refused" {
			if response.StatusCode != http.StatusNotAcceptable || response.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%q: %s", accept, response.Status)
			}
			continue
		}
		if got := response.Header.Get("Content-Encoding"); got != want || response.StatusCode != http.StatusOK {
			t.Errorf("%q: %s, %q, not %q", accept, response.Status, got, want)
		}
		if response.ContentLength != int64(len(body)) {
			t.Errorf("%q: it says %d bytes and has %d", accept, response.ContentLength, len(body))
		}
		if want == "gzip" {
			plain := must(gzip.NewReader(strings.NewReader(body)))(t)
			body = string(must(io.ReadAll(plain))(t))
		}
		if strings.TrimPrefix(body, "br:") != plainPage {
			t.Errorf("%q: %q", accept, body)
		}
	}
}

// TestConsoleNotModified: what the browser has already is not sent again, and
// the same bytes in another coding are another thing.
func TestConsoleNotModified(t *testing.T) {
	s := newSite(t, web.Config{Console: console(t)}, session.Limits{})
	tags := map[string]string{}
	for _, coding := range []string{"br", "gzip", "identity"} {
		response, _ := s.ask(t, http.MethodGet, "/", "Accept-Encoding", coding)
		tags[coding] = response.Header.Get("ETag")
	}
	if tags["br"] == tags["gzip"] || tags["br"] == tags["identity"] || !strings.HasPrefix(tags["br"], `"`) {
		t.Errorf("the tags are %v", tags)
	}
	for match, status := range map[string]int{
		tags["br"]:                    http.StatusNotModified,
		"W/" + tags["br"]:             http.StatusNotModified,
		`"other", ` + tags["br"]:      http.StatusNotModified,
		"*":                           http.StatusNotModified,
		tags["gzip"]:                  http.StatusOK,
		`"other"`:                     http.StatusOK,
		strings.Trim(tags["br"], `"`): http.StatusOK,
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			response, body := s.ask(t, method, "/", "Accept-Encoding", "br", "If-None-Match", match)
			if response.StatusCode != status || status == http.StatusNotModified && (body != "" || response.Header.Get("ETag") != tags["br"]) {
				t.Errorf("%s %s: %s, %q", method, match, response.Status, body)
			}
		}
	}
}

// TestConsoleBase: under a base path, with and without a final slash.
func TestConsoleBase(t *testing.T) {
	s := newSite(t, web.Config{Console: console(t), BasePath: "/a/b"}, session.Limits{})
	response, _ := s.ask(t, http.MethodGet, "/a/b")
	if response.StatusCode != http.StatusPermanentRedirect || response.Header.Get("Location") != "b/" {
		t.Errorf("without its slash: %s to %q", response.Status, response.Header.Get("Location"))
	}
	for path, status := range map[string]int{"/a/b/": 200, "/a/b/assets/0123/main.js": 200, "/": 404, "/assets/0123/main.js": 404, "/a/": 404} {
		if response, _ := s.ask(t, http.MethodGet, path); response.StatusCode != status {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
}

// TestNoConsole: without one there is none, and the program says how to have it.
func TestNoConsole(t *testing.T) {
	s := newSite(t, web.Config{}, session.Limits{})
	if response, _ := s.ask(t, http.MethodGet, "/"); response.StatusCode != http.StatusNotFound {
		t.Errorf("it answers %s", response.Status)
	}
	if _, err := web.LoadConsole(fstest.MapFS{static.Folder + "/.gitkeep": {}}); !errors.Is(err, web.ErrNoConsole) || !strings.Contains(err.Error(), "make build") {
		t.Errorf("an empty folder: %v", err)
	}
	for name, content := range map[string]string{"no JSON": "{", "a file is missing": `{"Files":[{"Path":"","Brotli":"x.br","Gzip":"x.gz"}]}`} {
		if _, err := web.LoadConsole(fstest.MapFS{static.ManifestName: {Data: []byte(content)}}); err == nil || errors.Is(err, web.ErrNoConsole) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

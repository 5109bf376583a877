//go:build amd64 || arm64

package shm

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const document = "../docs/shm.md"

// pythonReader takes the reader out of the document and returns its path.
func pythonReader(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(document)
	must(t, err)
	_, code, found := strings.Cut(string(text), "```python\n")
	code, _, closed := strings.Cut(code, "\n```")
	if !found || !closed {
		t.Fatal("no Python reader in " + document)
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Fatal("python3 is missing; install the package python3")
	}
	path := filepath.Join(t.TempDir(), "reader.py")
	must(t, os.WriteFile(path, []byte(code+"\n"), 0o644))
	return path
}

// TestLayoutIsWrittenOnce holds the Go structs against the header's assertions and the document's tables.
func TestLayoutIsWrittenOnce(t *testing.T) {
	fields := func(typ reflect.Type, reserved map[uintptr]string) map[string]uintptr {
		m := map[string]uintptr{}
		for f := range typ.NumField() {
			f := typ.Field(f)
			name := f.Name
			if name == "_" {
				name = reserved[f.Offset]
			}
			m[name] = f.Offset
		}
		return m
	}
	want := map[string]map[string]uintptr{
		"Head":        fields(reflect.TypeFor[head](), map[uintptr]string{52: "reserved1", 80: "reserved2"}),
		"NodeSHMInfo": fields(reflect.TypeFor[slot](), map[uintptr]string{208: "reserved"}),
	}
	check := func(source, typ, offset, name string, seen map[string]bool) {
		n, err := strconv.Atoi(offset)
		must(t, err)
		if w, ok := want[typ][name]; !ok || int(w) != n {
			t.Errorf("%s: %s.%s at %d, in Go at %d (known: %v)", source, typ, name, n, w, ok)
		}
		seen[typ+"."+name] = true
	}
	complete := func(source string, seen map[string]bool) {
		for typ, fields := range want {
			for name := range fields {
				if !seen[typ+"."+name] {
					t.Errorf("%s: nothing on %s.%s", source, typ, name)
				}
			}
		}
	}

	header, err := os.ReadFile("hufu_shm.h")
	must(t, err)
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`HUFU_SHM_AT\((\w+), (\w+), (\d+)\);`).FindAllStringSubmatch(string(header), -1) {
		check("hufu_shm.h", m[1], m[3], m[2], seen)
	}
	complete("hufu_shm.h", seen)

	text, err := os.ReadFile(document)
	must(t, err)
	seen = map[string]bool{}
	typ, next := "", 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			typ, next = "", 0
			if strings.HasPrefix(line, "### Head") {
				typ = "Head"
			} else if strings.Contains(line, "(`NodeSHMInfo`)") {
				typ = "NodeSHMInfo"
			}
		}
		if m := regexp.MustCompile("^\\| (\\d+) \\| (\\d+) \\| `(\\w+)` \\|").FindStringSubmatch(line); m != nil && typ != "" {
			check(document, typ, m[1], m[3], seen)
			if m[1] != strconv.Itoa(next) {
				t.Errorf("%s: %s.%s begins at %s, the field before it ends at %d", document, typ, m[3], m[1], next)
			}
			size, _ := strconv.Atoi(m[2])
			next += size
		}
	}
	complete(document, seen)
}

// TestReaderPrograms runs the C and the Python reader over the life of a key.
func TestReaderPrograms(t *testing.T) {
	o := mustCreate(t, segment(t, 8))
	w := mustWriter(t, o)
	path := o.Dir + "/" + o.Name
	programs := map[string][]string{"C": {build(t, "reader"), path}, "Python": {"python3", pythonReader(t), path}}
	expect := func(wantCode int, want string, args ...string) {
		t.Helper()
		for name, argv := range programs {
			out, code := run(t, exec.Command(argv[0], append(argv[1:len(argv):len(argv)], args...)...))
			if code != wantCode || out != want {
				t.Errorf("%s %v: exit code %d, want %d\n%swant\n%s", name, args, code, wantCode, out, want)
			}
		}
	}
	const fingerprint = "fingerprint 0101020304050607\n"
	expect(2, "absent\nstatus 0\n", "outlet1")
	must(t, w.Put(entry("outlet1", 1, Pending), nil))
	expect(2, "absent\nstatus 0\n", "outlet1")
	expect(0, "number 1\nstate pending\nstatus 1\n"+fingerprint, "outlet1", "1")
	must(t, w.MakeCurrent("outlet1", 1))
	expect(0, "number 1\nstate active\nstatus 1\n"+fingerprint, "outlet1")
	must(t, w.Put(entry("outlet1", 2, Active), nil))
	expect(0, "number 2\nstate active\nstatus 1\nfingerprint 0201020304050607\n", "outlet1")
	expect(0, "number 1\nstate retired\nstatus 1\n"+fingerprint, "outlet1", "1")
	must(t, w.Wipe("outlet1", 1, Revoked))
	expect(1, "number 1\nstate revoked\nstatus 0\n"+fingerprint, "outlet1", "1")
	must(t, w.Shorten("outlet1", 2, Now()))
	expect(1, "number 2\nstate expired\nstatus 0\nfingerprint 0201020304050607\n", "outlet1", "2")
	expect(2, "absent\nstatus 0\n", "outlet1")
	expect(2, "absent\nstatus 0\n", "another", "2")
	expect(3, "", "twelve-bytes")

	must(t, w.Put(entry("outlet1", 3, Active), nil))
	key := keyOf("outlet1", 3)
	out, _ := run(t, exec.Command(programs["C"][0], "--show-key", path, "outlet1"))
	if !strings.Contains(out, "\nkey "+hexOf(key[:])+"\n") {
		t.Errorf("--show-key: %s", out)
	}
	must(t, w.Close())
	must(t, Destroy(o))
	expect(3, "", "outlet1")
}

// TestOtherReadersFollow destroys the segment under long-lived readers in C and Python, makes it anew, and then
// removes it by other means.
func TestOtherReadersFollow(t *testing.T) {
	o := mustCreate(t, segment(t, 4))
	w := mustWriter(t, o)
	must(t, w.Put(entry("outlet1", 1, Active), nil))
	programs := [][]string{
		{build(t, "watch"), path(o), "outlet1"},
		{"python3", "testdata/watch.py", pythonReader(t), path(o), "outlet1"},
	}
	var ask []func() string
	for _, p := range programs {
		c := exec.Command(p[0], p[1:]...)
		in, out := start(t, c)
		ask = append(ask, func() string {
			io.WriteString(in, "\n")
			line, err := out.ReadString('\n')
			must(t, err)
			return strings.TrimSpace(line)
		})
	}
	expect := func(want string) {
		t.Helper()
		for i, f := range ask {
			if got := f(); !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", programs[i][0], got, want)
			}
		}
	}
	expect("1")
	must(t, w.Close())
	must(t, Destroy(o))
	expect("destroyed")
	o.Capacity = 9
	mustCreate(t, o)
	expect("absent")
	w = mustWriter(t, o)
	must(t, w.Put(entry("outlet1", 2, Active), nil))
	expect("2")
	must(t, os.Remove(path(o)))
	time.Sleep(1100 * time.Millisecond)
	expect("destroyed")
}

// TestHeaderCompiles compiles the document's example, and the header as C++, with every compiler there is.
func TestHeaderCompiles(t *testing.T) {
	text, err := os.ReadFile(document)
	must(t, err)
	_, example, _ := strings.Cut(string(text), "```c\n")
	example, _, _ = strings.Cut(example, "```")
	include, body, found := strings.Cut(example, "\n\n")
	if !found {
		t.Fatal("no C example in " + document)
	}
	source := filepath.Join(t.TempDir(), "example.c")
	must(t, os.WriteFile(source, []byte(include+`
#include <stdlib.h>
void seal(const uint8_t *key, uint64_t number);
void unseal(const uint8_t *key);
void example(uint64_t number);
void example(uint64_t number)
{
`+body+"}\n"), 0o600))
	for _, c := range [][]string{
		{"gcc", "-std=c99", "-xc"}, {"gcc", "-std=c17", "-xc", "-Wconversion"}, {"clang", "-std=c99", "-xc"},
		{"g++", "-std=c++11", "-xc++"}, {"clang++", "-std=c++11", "-xc++"},
	} {
		if _, err := exec.LookPath(c[0]); err != nil {
			t.Logf("%s is not there", c[0])
			continue
		}
		args := append(c[1:], "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I.", source)
		if out, err := exec.Command(c[0], args...).CombinedOutput(); err != nil {
			t.Errorf("%s %v: %v\n%s", c[0], args, err, out)
		}
	}
}

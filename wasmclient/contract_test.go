//go:build !js

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// members lists what an interface of hufu.d.ts declares: the name, and for a
// method the names of its parameters and whether it returns a promise.
func members(t *testing.T, contract, name string) []string {
	t.Helper()
	found := regexp.MustCompile(`(?s)export interface ` + name + `(?: extends \w+)? \{\n(.*?)\n\}`).FindStringSubmatch(contract)
	if found == nil {
		t.Fatalf("hufu.d.ts has no interface %s", name)
	}
	body := regexp.MustCompile(`(?s)/\*\*.*?\*/`).ReplaceAllString(found[1], "")
	var list []string
	for _, line := range strings.Split(body, ";\n") {
		line = strings.TrimSuffix(strings.TrimSpace(line), ";")
		property := regexp.MustCompile(`^(?:readonly )?(\w+)\??: `).FindStringSubmatch(line)
		method := regexp.MustCompile(`^(\w+)\(.*\): ([A-Z]?\w*)`).FindStringSubmatch(line)
		switch {
		case line == "":
		case method != nil && method[2] == "Promise":
			list = append(list, method[1]+" promise")
		case method != nil:
			list = append(list, method[1]+" at once")
		case property != nil:
			list = append(list, property[1]+" value")
		default:
			t.Fatalf("interface %s: %q is neither a property nor a method", name, line)
		}
	}
	slices.Sort(list)
	return list
}

// TestContract holds hufu.d.ts against what the bridge exports, under Node.
func TestContract(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds for js/wasm")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is missing; install the package nodejs")
	}
	contract, err := os.ReadFile("hufu.d.ts")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "hufu.wasm"), ".")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(node, "testdata/exports.mjs", filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "wasm_exec.js"),
		filepath.Join(dir, "hufu.wasm"))
	var errs strings.Builder
	run.Stderr = &errs
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	exported := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		name, member, _ := strings.Cut(strings.TrimSpace(line), " ")
		exported[name] = append(exported[name], member)
	}
	for _, name := range []string{"Hufu", "Session", "TokenInfo", "Status", "HufuError"} {
		declared := members(t, string(contract), name)
		slices.Sort(exported[name])
		got := exported[name]
		if name == "Status" || name == "HufuError" { // what may be absent is; what is there has to be declared
			for _, member := range got {
				if !slices.Contains(declared, member) {
					t.Errorf("%s has %q, which hufu.d.ts does not declare", name, member)
				}
			}
			continue
		}
		if !slices.Equal(got, declared) {
			t.Errorf("%s exports\n%q, and hufu.d.ts declares\n%q", name, got, declared)
		}
	}
}

package browser

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hufu/static"
)

// built is what is made once, when the first test asks for it.
var built struct {
	once sync.Once
	err  error
	dir  string // of hufu-server, hufu.wasm and hufutest.wasm
	page string // path of the folder of the page's assets
}

func TestMain(m *testing.M) {
	code := m.Run()
	stopChromium()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	if left := leftovers(); left != "" {
		fmt.Fprintln(os.Stderr, "left behind:", left)
		code = max(code, 1)
	}
	os.Exit(code)
}

// build builds the client, the console and a server that has it embedded, in a
// folder apart: static/dist is as it was, whatever stands there.
func build(t testing.TB) {
	t.Helper()
	built.once.Do(func() { built.err = buildAll() })
	if built.err != nil {
		t.Fatal(built.err)
	}
}

func buildAll() (err error) {
	if built.dir, err = os.MkdirTemp("", "hufu-browser-"); err != nil {
		return err
	}
	client, dist := filepath.Join(built.dir, "client"), filepath.Join(built.dir, "dist")
	if err := run([]string{"GOOS=js", "GOARCH=wasm"}, "go", "build", "-tags", "hufutest", "-o", filepath.Join(built.dir, "hufutest.wasm"), "hufu/wasmclient"); err != nil {
		return err
	}
	if err := run(nil, "go", "run", "hufu/static/build", "-source", "../../static", "-client", client, "-out", dist, "-quality", "9"); err != nil {
		return err
	}
	overlay, err := embed(dist)
	if err != nil {
		return err
	}
	args := append([]string{"build", "-buildvcs=false", "-overlay", overlay, "-o", filepath.Join(built.dir, "hufu-server")}, buildFlags...)
	return run(nil, "go", append(args, "hufu/server")...)
}

// embed makes the overlay that puts dist in the place of static/dist, and
// finds the assets' folder.
func embed(dist string) (overlay string, err error) {
	there, err := filepath.Abs("../../static/dist")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for folder, content := range map[string]bool{there: false, dist: true} {
		err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if target := filepath.Join(there, d.Name()); content {
				replace[target] = name
			} else if replace[target] == "" {
				replace[target] = "" // is not there
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	list, err := os.ReadFile(filepath.Join(dist, filepath.Base(static.ManifestName)))
	if err != nil {
		return "", err
	}
	var manifest static.Manifest
	if err := json.Unmarshal(list, &manifest); err != nil {
		return "", err
	}
	for _, f := range manifest.Files {
		if folder, found := strings.CutSuffix(f.Path, "hufu.wasm"); found {
			built.page = folder
		}
	}
	overlay = filepath.Join(built.dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	return overlay, os.WriteFile(overlay, text, 0o644)
}

func run(env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// leftovers finds processes that should be gone.
func leftovers() string {
	children, _ := filepath.Glob("/proc/self/task/*/children")
	var found []string
	for _, file := range children {
		list, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for _, pid := range strings.Fields(string(list)) {
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			found = append(found, pid+" "+strings.TrimSpace(string(name)))
		}
	}
	return strings.Join(found, ", ")
}

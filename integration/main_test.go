// Package integration tests the two programs as they are: the binaries, the
// stores, shared memory and the wire between them.
package integration

import (
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"hufu/integration/pgtest"
	"hufu/server/store/postgres"
)

// bin is the folder of what TestMain has built: hufu, hufu-server and reader,
// a consumer in C.
var bin string

// prefix begins the name of every segment of this run.
var prefix = "hufu-it" + strings.ToLower(rand.Text()[:8]) + "-"

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run builds, runs the tests over one PostgreSQL cluster, and checks that
// nothing is left.
func run(m *testing.M) (code int, err error) {
	if bin, err = os.MkdirTemp("", "hufu-it-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(bin)
	if err := build(); err != nil {
		return 1, err
	}
	waitTogether()
	code = pgtest.Main(m, postgres.Migrate)
	return code, leftovers()
}

// waitTogether lets more tests run at once than there are processors, unless
// the command line says how many: what they do most is wait for deadlines.
func waitTogether() {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		flag.Set("test.parallel", strconv.Itoa(max(6, runtime.GOMAXPROCS(0))))
	}
}

func build() error {
	commands := [][]string{
		append(append([]string{"go", "build", "-buildvcs=false", "-o", filepath.Join(bin, "hufu")}, buildFlags...), "hufu/nativeclient"),
		append(append([]string{"go", "build", "-buildvcs=false", "-o", filepath.Join(bin, "hufu-server")}, buildFlags...), "hufu/server"),
		{"cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-I", "../shm", "-o", filepath.Join(bin, "reader"), "../shm/testdata/reader.c"},
	}
	failed := make([]error, len(commands))
	var wg sync.WaitGroup
	for i, c := range commands {
		wg.Go(func() {
			if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
				failed[i] = fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, out)
			}
		})
	}
	wg.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// leftovers finds segments and processes that should be gone.
func leftovers() error {
	segments, err := filepath.Glob("/dev/shm/" + prefix + "*")
	if err != nil {
		return err
	}
	children, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return err
	}
	var pids []string
	for _, file := range children {
		list, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		pids = append(pids, strings.Fields(string(list))...)
	}
	if len(segments)+len(pids) > 0 {
		return fmt.Errorf("left behind: segments %q, processes %q", segments, pids)
	}
	return nil
}

package pgtest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"hufu/integration/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ask runs one query on a connection of its own.
func ask(t *testing.T, url, sql string) (answer string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, sql).Scan(&answer)
	return answer, err
}

func TestCluster(t *testing.T) {
	for name, options := range map[string][]pgtest.Option{
		"Socket": nil, "TCP": {pgtest.TCP(), pgtest.FSync(), pgtest.Set("work_mem=1MB")},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, dir := t.Context(), shortFolder(t)
			c, err := pgtest.Start(ctx, append(options, pgtest.In(dir))...)
			if err != nil {
				t.Fatal(err)
			}
			stopped := false
			defer func() {
				if !stopped {
					c.Stop()
				}
			}()
			if err := c.CreateDatabase(ctx, "one", ""); err != nil {
				t.Fatal(err)
			}
			if _, err := ask(t, c.URL("one"), `SELECT 'x' FROM pg_class LIMIT 1`); err != nil {
				t.Fatal(err)
			}
			if err := c.CreateDatabase(ctx, "two", "one"); err != nil {
				t.Fatal(err)
			}
			for _, restart := range []func() error{
				func() error { return errors.Join(c.Kill(), c.Restart(ctx)) },
				func() error { return c.Restart(ctx) },
			} {
				if err := restart(); err != nil {
					t.Fatal(err)
				}
				if got, err := ask(t, c.URL("two"), `SELECT current_database()`); err != nil || got != "two" {
					t.Fatalf("after a restart: %q, %v", got, err)
				}
			}
			if err := c.DropDatabase(ctx, "two"); err != nil {
				t.Error(err)
			}
			if name == "TCP" {
				bad := strings.Replace(c.URL("one"), "hufu:", "hufu:no", 1)
				if _, err := ask(t, bad, `SELECT ''`); err == nil {
					t.Error("a wrong password was let in")
				}
			}
			stopped = true
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the folder is left: %v", err)
			}
			if _, err := ask(t, c.URL("one"), `SELECT ''`); err == nil {
				t.Error("the cluster still answers")
			}
		})
	}
}

func TestFolderRefused(t *testing.T) {
	full := shortFolder(t)
	if err := os.MkdirAll(filepath.Join(full, "something"), 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(full)
	if _, err := pgtest.Start(t.Context(), pgtest.In(full)); err == nil {
		t.Error("a folder was used that is not empty")
	}
	if _, err := os.Stat(filepath.Join(full, "something")); err != nil {
		t.Errorf("what was there: %v", err)
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if _, err := pgtest.Start(t.Context(), pgtest.In(long)); err == nil {
		t.Error("a path was taken that is too long for a socket")
	}
}

// TestTempPG runs the command and lets go of it in each of the ways.
func TestTempPG(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "temppg")
	if out, err := exec.Command("go", "build", "-o", bin, "./temppg").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, let := range map[string]func(cmd *exec.Cmd, stdin io.Closer) error{
		"Stdin":   func(_ *exec.Cmd, stdin io.Closer) error { return stdin.Close() },
		"SIGTERM": func(cmd *exec.Cmd, _ io.Closer) error { return cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := shortFolder(t)
			cmd := exec.Command(bin, "-dir", dir, "-database", "demo")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			url, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatalf("no URL: %v, %v: %s", err, cmd.Wait(), stderr.String())
			}
			url = strings.TrimSpace(url)
			if got, err := ask(t, url, `SELECT current_database()`); err != nil || got != "demo" {
				t.Errorf("%s: %q, %v", url, got, err)
			}
			if err := let(cmd, stdin); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v: %s", err, stderr.String())
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the folder is left: %v", err)
			}
		})
	}
}

// shortFolder names a folder that is not there yet and that the user of the
// server can reach.
func shortFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgt-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"hufu/shared/wire"
)

// TestRun: make run prints an address for the console and one for an outlet,
// has outlets with a history that was made by negotiating, and ends as it
// should; the next time it finds all of it.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "integration"), 0o755))
	must(t, os.Symlink(bin, filepath.Join(dir, "bin")))
	script, err := filepath.Abs("run.sh")
	must(t, err)
	must(t, os.Symlink(script, filepath.Join(dir, "integration/run.sh")))
	address := freeAddress(t)
	env := append(environment(dir), "HUFU_CONFIG=/dev/null", "HUFU_LISTEN="+address, "HUFU_URL=http://"+address, "HUFU_SEGMENT="+prefix+"run")

	// round runs it until it has said all, has a look, and ends it as Ctrl-C does.
	round := func(look func(said string)) {
		cmd := exec.Command(filepath.Join(dir, "integration/run.sh"))
		cmd.Env = env
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		must(t, err)
		defer out.Close()
		cmd.Stdout = out
		p := start(t, cmd)
		eventually(t, "the outlets are prepared", func() bool {
			log, err := os.ReadFile(filepath.Join(dir, "run/SHOP-02.log"))
			return err == nil && strings.Contains(string(log), "Key 2 is verified")
		})
		said := ""
		eventually(t, "it says what to type", func() bool {
			text, err := os.ReadFile(out.Name())
			must(t, err)
			said = string(text)
			return strings.Contains(said, "hufu enrol")
		})
		look(said)
		must(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGINT))
		if code := p.stop(t, syscall.Signal(0)); code != 0 {
			t.Errorf("it ended with %d: %s", code, strings.Join(p.log.since(0), "\n"))
		}
		if _, err := net.Dial("tcp", address); err == nil {
			t.Error("the server answers still")
		}
	}
	admin := func(args ...string) string {
		r := runs(t, append(env, "HUFU_DATA="+filepath.Join(dir, "run/data")), "", "hufu-server", args...)
		if r.code != 0 {
			t.Fatalf("hufu-server %v: %s", args, r.err)
		}
		return r.out
	}
	online := func() {
		eventually(t, "two outlets are online", func() bool { return strings.Count(admin("outlet", "list"), " online ") == 2 })
	}

	addresses := regexp.MustCompile(regexp.QuoteMeta("http://"+address+"/#") + `(hufu1_\S+)`)
	first := ""
	round(func(said string) {
		first = said
		var roles []string
		for _, m := range addresses.FindAllStringSubmatch(said, -1) {
			token, err := wire.DecodeToken(m[1])
			must(t, err)
			roles = append(roles, token.ClientID+" "+token.Role.String())
		}
		if got := fmt.Sprint(roles); got != "[OPS operator WEB-01 outlet]" {
			t.Errorf("the addresses are of %s", got)
		}
		online()
		if keys := strings.Count(admin("key", "list", "--json"), `"outlet":"SHOP-`); keys != 6 {
			t.Errorf("%d keys have been agreed on, not 6", keys)
		}
		if events := admin("event", "list", "--kind", "verified,revoked,receipt", "--json"); strings.Count(events, `"verified"`) < 6 || !strings.Contains(events, `"revoked"`) || !strings.Contains(events, `"receipt"`) {
			t.Errorf("what happened is %s", events)
		}
	})
	round(func(said string) {
		online()
		if a, b := addresses.FindAllString(first, -1), addresses.FindAllString(said, -1); fmt.Sprint(a) != fmt.Sprint(b) {
			t.Error("the addresses are others the second time")
		}
	})
}

package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is one with a systemd of its own, in namespaces of this one's
// kernel: testdata/machine.sh.
type machine struct {
	t    testing.TB
	pid  string // of its process 1, as seen from here
	work string // the folder in which its commands run
}

// boot boots a machine. Needs root.
func boot(t testing.TB) *machine {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, name := range []string{"systemd", "systemctl", "systemd-sysusers"} {
		installed(t, name, "systemd")
	}
	namespaces := []string{"--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--ipc", "--uts", "--net"}
	if out, err := exec.Command("unshare", append(namespaces, "mount", "-t", "tmpfs", "tmpfs", t.TempDir())...).CombinedOutput(); err != nil {
		t.Skipf("needs a machine on which root may make namespaces and mount in them: %v: %s", err, out)
	}
	m := &machine{t: t, work: t.TempDir()}
	group := filepath.Join(cgroups(t), fmt.Sprint(prefix, serial.Add(1)))
	must(t, os.Mkdir(group, 0o755))
	t.Cleanup(func() { removeGroup(t, group) })
	cmd := exec.Command("sh", "-c", `echo $$ >"$0/cgroup.procs" && exec unshare `+strings.Join(namespaces, " ")+` testdata/machine.sh "$@"`,
		group, t.TempDir(), m.work)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	outer := start(t, cmd)
	t.Cleanup(func() {
		must(t, outer.cmd.Process.Kill())
		<-outer.done
	})
	eventually(t, "systemd starts", func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", outer.cmd.Process.Pid))
		if err != nil {
			t.Fatalf("the machine ended: %s", strings.Join(outer.log.since(0), "\n"))
		}
		m.pid = strings.TrimSpace(string(children))
		name, err := os.ReadFile("/proc/" + m.pid + "/comm")
		return err == nil && string(name) == "systemd\n"
	})
	eventually(t, "the machine is up", func() bool { return m.run("systemctl is-system-running").out == "running\n" })
	return m
}

// with is the machine in a part of the test.
func (m *machine) with(t testing.TB) *machine { return &machine{t, m.pid, m.work} }

// run runs commands by the machine's shell, as root in its work folder; the
// first that fails ends them.
func (m *machine) run(commands string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "--target", m.pid, "--all", "--",
		"sh", "-c", "cd /root/work && set -e\n"+commands)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "GORACE=atexit_sleep_ms=0"}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatalf("%s: %v", commands, err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// must runs commands that have to succeed, and returns what they print.
func (m *machine) must(commands string) string {
	m.t.Helper()
	r := m.run(commands)
	if r.code != 0 {
		m.t.Fatalf("%s\nexit code %d: %s%s", commands, r.code, r.out, r.err)
	}
	return r.out
}

// property is what systemd says of a unit.
func (m *machine) property(unit, name string) string {
	m.t.Helper()
	return strings.TrimSpace(m.must("systemctl show --value --property=" + name + " " + unit))
}

// drop adds settings to a unit's [Service], and restarts it.
func (m *machine) drop(unit string, lines ...string) {
	m.t.Helper()
	m.must(fmt.Sprintf("mkdir -p /etc/systemd/system/%s.service.d && printf '%%s\\n' '[Service]' '%s' >/etc/systemd/system/%[1]s.service.d/test.conf"+
		" && systemctl daemon-reload && systemctl restart %[1]s", unit, strings.Join(lines, "' '")))
}

// logs shows a unit's log, and what systemd says of it, if the test fails.
func (m *machine) logs(unit string) {
	m.t.Cleanup(func() {
		if m.t.Failed() {
			m.t.Log(m.run("systemctl status --no-pager --full " + unit + " || true; tail -n 40 /var/log/" + unit + ".service.log"))
		}
	})
}

// put puts a file from here into the machine's work folder.
func (m *machine) put(from, as string, mode fs.FileMode) {
	m.t.Helper()
	b, err := os.ReadFile(from)
	must(m.t, err)
	must(m.t, os.WriteFile(filepath.Join(m.work, as), b, mode))
	must(m.t, os.Chmod(filepath.Join(m.work, as), mode))
}

// installed finds one of Debian's programs, and fails with its package's name.
func installed(t testing.TB, name, pkg string) string {
	t.Helper()
	for _, path := range []string{name, "/usr/sbin/" + name, "/lib/systemd/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	t.Fatalf("this test needs %s: on Debian, apt-get install %s", name, pkg)
	return ""
}

// cgroups is where the second version of control groups is mounted.
func cgroups(t testing.TB) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	t.Skip("needs control groups: mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	return ""
}

// removeGroup removes a control group, and those in it, once its processes
// have ended.
func removeGroup(t testing.TB, group string) {
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var dirs []string
		err = filepath.WalkDir(group, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		for _, dir := range slices.Backward(dirs) {
			err = errors.Join(err, os.Remove(dir))
		}
		if err == nil {
			return
		}
	}
	t.Error(err)
}

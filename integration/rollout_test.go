package integration

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fence is one block of commands in a document, and where they are to be run.
type fence struct{ where, commands string }

// section is one of docs/operations.md.
func section(t testing.TB, title string) string {
	t.Helper()
	_, rest, there := strings.Cut(read(t, "../docs/operations.md"), "\n## "+title+"\n")
	if !there {
		t.Fatalf("docs/operations.md has no section %q", title)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// fences are the blocks of commands in a section, as they stand.
func fences(t testing.TB, title string) (list []fence) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^ *```sh (\\w+)\n(.*?)^ *```$").FindAllStringSubmatch(section(t, title), -1) {
		list = append(list, fence{m[1], m[2]})
	}
	return list
}

// centre boots a machine and installs the server there by the document.
func centre(t testing.TB) *machine {
	t.Helper()
	m := boot(t)
	m.put(filepath.Join(bin, "hufu-server"), "hufu-server", 0o755)
	for _, file := range []string{"hufu-server.service", "hufu.sysusers", "hufu-agent.service"} {
		m.put(filepath.Join(units, file), file, 0o644)
	}
	write(t, filepath.Join(m.work, "hufu-server.toml"), `data = "/var/lib/hufu-server"`+"\n"+`url = "http://127.0.0.1:8470"`)
	m.logs("hufu-server")
	for _, f := range fences(t, "The server under systemd") {
		m.must(f.commands)
	}
	m.listens(1)
	return m
}

// listens waits until the server has come to listen so many times.
func (m *machine) listens(times int) {
	m.t.Helper()
	eventually(m.t, "the server listens", func() bool {
		return strings.Count(m.run("cat /var/log/hufu-server.service.log").out, "msg=listening") == times
	})
}

// TestServerUnderSystemd: the server runs in its unit's sandbox, keeps its
// store over a restart, and comes back when it is killed.
func TestServerUnderSystemd(t *testing.T) {
	m := centre(t)
	m.sandboxed("hufu-server", "hufu-server", 0)
	add := "runuser -u hufu-server -- hufu-server outlet add BRANCH-01 --token-file /var/lib/hufu-server/T"
	m.must(add)
	before := m.property("hufu-server", "MainPID")
	m.must("systemctl kill --signal=KILL hufu-server")
	eventually(t, "it comes back", func() bool {
		pid := m.property("hufu-server", "MainPID")
		return pid != before && pid != "0" && m.property("hufu-server", "ActiveState") == "active"
	})
	m.listens(2)
	m.must("systemctl restart hufu-server")
	m.listens(3)
	if r := m.run(add); r.code == 0 {
		t.Error("the outlet was forgotten")
	}
	m.must("systemctl stop hufu-server")
	if got := m.property("hufu-server", "Result"); got != "success" {
		t.Errorf("it was stopped with %s", got)
	}
}

// TestDatabaseCredential: the server takes PostgreSQL's URL as the unit's
// comments say.
func TestDatabaseCredential(t *testing.T) {
	m := centre(t)
	var lines []string
	for _, line := range regexp.MustCompile(`(?m)^#   (\w+=.*)$`).FindAllStringSubmatch(read(t, filepath.Join(units, "hufu-server.service")), -1) {
		lines = append(lines, line[1])
	}
	if len(lines) != 2 {
		t.Fatalf("the comments have %q", lines)
	}
	m.must("printf 'postgres:///hufu?host=/nonexistent&user=hufu\n' >database-url && install -m 0600 database-url /etc/hufu/database-url")
	m.drop("hufu-server", lines...)
	eventually(t, "it looks for that database", func() bool {
		return strings.Contains(m.run("cat /var/log/hufu-server.service.log").out, "/nonexistent")
	})
}

// sandboxed checks what a unit's process is allowed.
func (m *machine) sandboxed(unit, user string, capabilities uint64) {
	m.t.Helper()
	pid := m.property(unit, "MainPID")
	status := m.must("cat /proc/" + pid + "/status")
	caps := fmt.Sprintf("%016x", capabilities)
	for name, want := range map[string]string{"CapPrm": caps, "CapEff": caps, "CapBnd": caps, "CapAmb": caps, "NoNewPrivs": "1", "Seccomp": "2"} {
		if got := regexp.MustCompile(name + `:\s+(\S+)`).FindStringSubmatch(status); got == nil || got[1] != want {
			m.t.Errorf("%s: %s is %q, want %s", unit, name, got, want)
		}
	}
	if got := strings.TrimSpace(m.must("ps -o user= -p " + pid)); got != user {
		m.t.Errorf("%s runs as %s", unit, got)
	}
	if got := m.must("grep 'core file size' /proc/" + pid + "/limits"); !regexp.MustCompile(`size\s+0\s+0\s`).MatchString(got) {
		m.t.Errorf("%s: %s", unit, got)
	}
}

// TestRollout runs the document's five steps as they stand, and looks at what
// they made.
func TestRollout(t *testing.T) {
	m := centre(t)
	m.put(filepath.Join(bin, "hufu"), "hufu", 0o755)
	m.logs("hufu-agent")
	steps := fences(t, "Rollout of an agent")
	for i, f := range steps {
		if f.where != "centre" && f.where != "outlet" {
			t.Errorf("a step is to be run at %q", f.where)
		}
		if i < len(steps)-2 { // step 5 is looked at below: there may be no key yet
			t.Logf("%s:\n%s%s", f.where, f.commands, m.must(f.commands))
		}
	}
	if got := regexp.MustCompile(`(?m)^(\d)\. `).FindAllString(section(t, "Rollout of an agent"), -1); strings.Join(got, "") != "1. 2. 3. 4. 5. " {
		t.Errorf("the steps are numbered %q", got)
	}
	outlet, atCentre := steps[len(steps)-2].commands, steps[len(steps)-1].commands
	var key string // number and fingerprint
	eventually(t, "step 5 shows the same key at both ends", func() bool {
		here, there := m.run(outlet), m.run(atCentre)
		found := regexp.MustCompile(`key +(\d+) +([0-9a-f]{16}) +fresh`).FindStringSubmatch(here.out)
		if here.code != 0 || there.code != 0 || found == nil {
			return false
		}
		key = found[1] + " " + found[2]
		return regexp.MustCompile(`BRANCH-01 +` + found[1] + ` +active +` + found[2]).MatchString(there.out)
	})

	t.Run("its sandbox", func(t *testing.T) { m.with(t).sandboxed("hufu-agent", "hufu", 1<<14) }) // CAP_IPC_LOCK
	t.Run("the segment", func(t *testing.T) { m.with(t).read(key) })
	t.Run("systemd", func(t *testing.T) { m.with(t).watched(key) })
	t.Run("another token", func(t *testing.T) {
		m := m.with(t)
		m.must("runuser -u hufu-server -- hufu-server outlet new-secret BRANCH-01 --token-file /var/lib/hufu-server/BRANCH-01.token" +
			" && mv /var/lib/hufu-server/BRANCH-01.token .")
		for _, f := range steps {
			if strings.Contains(f.commands, "/etc/hufu/token") {
				m.must(f.commands)
			}
		}
		m.must("systemctl restart hufu-agent")
		m.holds(key)
		if got := m.must("runuser -u hufu-server -- hufu-server outlet show BRANCH-01 --json"); !strings.Contains(got, `"secrets":[{"epoch":2,`) {
			t.Errorf("the outlet uses the new token: %s", got)
		}
	})
	t.Run("a change", func(t *testing.T) { m.with(t).changes(&key) })
	t.Run("it stops", func(t *testing.T) { m.with(t).stopped(key) })
}

// holds waits until the agent holds a key, and this one, connected.
func (m *machine) holds(key string) {
	m.t.Helper()
	n, fp, _ := strings.Cut(key, " ")
	eventually(m.t, "the agent has the same key, and a connection", func() bool {
		got := m.run("hufu status").out
		return regexp.MustCompile(`key +`+n+` +`+fp+` +fresh`).MatchString(got) && strings.Contains(got, "127.0.0.1:8470/ws, since")
	})
}

// read: the segment is the machine's, locked into memory, and an application
// under its own user reads it as a member of the group.
func (m *machine) read(key string) {
	m.t.Helper()
	if got := m.must("stat -c '%U %G %a' /dev/shm/hufu /dev/shm/hufu.confirm /etc/hufu/token"); got != "hufu hufu 640\nhufu hufu 600\nroot root 600\n" {
		m.t.Errorf("the files are %q", got)
	}
	if got := m.must("grep VmLck /proc/" + m.property("hufu-agent", "MainPID") + "/status"); regexp.MustCompile(`VmLck:\s+0 kB`).MatchString(got) {
		m.t.Errorf("nothing is locked into memory: %s", got)
	}
	m.put(filepath.Join(bin, "reader"), "reader", 0o755)
	m.must("install -m 0755 reader /usr/local/bin/reader && useradd --system app && useradd --system other && usermod -aG hufu app")
	n, fp, _ := strings.Cut(key, " ")
	if got := m.run("runuser -u app -- reader hufu BRANCH-01"); got.code != 0 || got.out != "number "+n+"\nstate active\nstatus 1\nfingerprint "+fp+"\n" {
		m.t.Errorf("the application reads %+v", got)
	}
	if got := m.run("runuser -u other -- reader hufu BRANCH-01"); got.code != 3 {
		m.t.Errorf("one without the group reads %+v", got)
	}
	if got := m.run("runuser -u app -- cat /run/credentials/hufu-agent.service/token"); got.code == 0 {
		m.t.Error("the application reads the token")
	}
}

// watched: systemd has the agent's word that it runs, and starts it again when
// it is killed, and when it gets nowhere; the key stays.
func (m *machine) watched(key string) {
	m.t.Helper()
	if got := m.property("hufu-agent", "StatusText"); got == "" {
		m.t.Error("it does not say how it is")
	} else {
		m.t.Log(got)
	}
	if got := m.run("systemd-analyze verify --man=no hufu-agent.service hufu-server.service"); got.code != 0 || strings.Contains(got.err, "hufu") {
		m.t.Errorf("systemd-analyze verify: %+v", got)
	}
	m.drop("hufu-agent", "WatchdogSec=3", "RestartSec=100ms")
	m.holds(key)
	var restarts string
	eventually(m.t, "left alone it is not started again, unless the machine stood still", func() bool {
		restarts = m.property("hufu-agent", "NRestarts")
		time.Sleep(6 * time.Second) // twice the watchdog's time
		return m.property("hufu-agent", "NRestarts") == restarts
	})
	for _, sig := range []string{"KILL", "STOP"} {
		m.must("systemctl kill --kill-whom=main --signal=" + sig + " hufu-agent")
		eventually(m.t, "after SIG"+sig+" it is started again", func() bool {
			return m.property("hufu-agent", "NRestarts") != restarts && m.property("hufu-agent", "ActiveState") == "active"
		})
		m.holds(key)
		restarts = m.property("hufu-agent", "NRestarts")
	}
}

// changes: what is to be run on a change runs in the sandbox, here when the
// centre revokes the key and another takes its place.
func (m *machine) changes(key *string) {
	m.t.Helper()
	m.drop("hufu-agent", `Environment="HUFU_ON_CHANGE=echo $HUFU_EVENT $HUFU_SECKEYID $HUFU_FINGERPRINT >>/run/hufu/changes"`)
	n, _, _ := strings.Cut(*key, " ")
	m.must("runuser -u hufu-server -- hufu-server key revoke BRANCH-01 " + n)
	eventually(m.t, "the command is told of another key", func() bool {
		lines := strings.Split(strings.TrimSpace(m.run("cat /run/hufu/changes").out), "\n")
		last, is := strings.CutPrefix(lines[len(lines)-1], "current ")
		if !is || last == *key {
			return false
		}
		*key = last
		return true
	})
	m.holds(*key)
}

// stopped: it ends in order, and the segment with the key outlives it, but for
// RemoveIPC=no.
func (m *machine) stopped(key string) {
	m.t.Helper()
	m.must("systemctl stop hufu-agent")
	if got := m.property("hufu-agent", "Result"); got != "success" {
		m.t.Errorf("it was stopped with %s", got)
	}
	n, fp, _ := strings.Cut(key, " ")
	if got := m.run("runuser -u app -- reader hufu BRANCH-01"); got.out != "number "+n+"\nstate active\nstatus 1\nfingerprint "+fp+"\n" {
		m.t.Errorf("afterwards the application reads %+v", got)
	}
	m.drop("hufu-agent", "RemoveIPC=yes")
	m.holds(key)
	m.must("systemctl stop hufu-agent")
	eventually(m.t, "with RemoveIPC=yes nothing is left", func() bool { return m.run("ls /dev/shm").out == "" })
}

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	// threshold is the exposure that systemd-analyze may find at most: 3.0.
	threshold = "--threshold=30"
	units     = "../deploy"
)

// programs are the units and what each runs.
var programs = map[string]string{"hufu-agent.service": "hufu", "hufu-server.service": "hufu-server"}

// TestUnits: systemd finds nothing wrong with the units and little exposed by
// them, and what they name is there.
func TestUnits(t *testing.T) {
	analyze := installed(t, "systemd-analyze", "systemd")
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "etc/systemd/system"), 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "usr/local/bin"), 0o755))
	for _, target := range []string{"basic", "sysinit", "multi-user", "network-online"} {
		write(t, filepath.Join(root, "etc/systemd/system", target+".target"), "[Unit]\nDescription="+target)
	}
	for unit, program := range programs {
		t.Run(unit, func(t *testing.T) {
			text := read(t, filepath.Join(units, unit))
			write(t, filepath.Join(root, "etc/systemd/system", unit), text)
			must(t, os.WriteFile(filepath.Join(root, "usr/local/bin", program), []byte("#!/bin/sh\n"), 0o755))
			if out, err := exec.Command(analyze, "verify", "--man=no", "--root="+root, unit).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("systemd-analyze verify: %v: %s", err, out)
			}
			out, err := exec.Command(analyze, "security", "--offline=true", threshold, filepath.Join(units, unit)).CombinedOutput()
			if err != nil {
				t.Errorf("systemd-analyze security: %v: %s", err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			t.Log(lines[len(lines)-1])
			namesWhatIsThere(t, text, program)
		})
	}
}

// TestUnitsExposed: the threshold finds a unit without its sandbox.
func TestUnitsExposed(t *testing.T) {
	bare := filepath.Join(t.TempDir(), "hufu-agent.service")
	write(t, bare, regexp.MustCompile(`(?m)^(Protect|Private|Restrict|SystemCall|Capability).*$`).
		ReplaceAllString(read(t, filepath.Join(units, "hufu-agent.service")), ""))
	if out, err := exec.Command(installed(t, "systemd-analyze", "systemd"), "security", "--offline=true", threshold, bare).CombinedOutput(); err == nil {
		t.Errorf("nothing is found: %s", out)
	}
}

// namesWhatIsThere checks a unit against the real program: its command, the
// flags, the settings; and the users against those that are made.
func namesWhatIsThere(t *testing.T, unit, program string) {
	t.Helper()
	starts := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/(\S+) (\S+)(.*)$`).FindAllStringSubmatch(unit, -1)
	if len(starts) != 1 {
		t.Errorf("it starts %q", starts)
	}
	for _, m := range starts {
		r := runs(t, environment(t.TempDir()), "", m[1], m[2], "--help")
		if m[1] != program || r.code != 0 {
			t.Errorf("%s: exit code %d: %s", m[0], r.code, r.err)
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(m[3], -1) {
			if !strings.Contains(r.out, flag) {
				t.Errorf("%s %s has no %s", m[1], m[2], flag)
			}
		}
	}
	known := runs(t, environment(t.TempDir()), "", program, "config", "example").out
	for _, m := range regexp.MustCompile(`Environment=(HUFU_[A-Z_]+)=`).FindAllStringSubmatch(unit, -1) {
		if !strings.Contains(known, "# "+m[1]+"\n") {
			t.Errorf("%s has no setting %s", program, m[1])
		}
	}
	users := read(t, filepath.Join(units, "hufu.sysusers"))
	for _, m := range regexp.MustCompile(`(?m)^(?:User|Group)=(\S+)$`).FindAllStringSubmatch(unit, -1) {
		if !regexp.MustCompile(`(?m)^u\s+` + m[1] + `\s`).MatchString(users) {
			t.Errorf("no user %s is made", m[1])
		}
	}
	for _, must := range []string{"RemoveIPC=no", "User=", "MemoryDenyWriteExecute=yes", "ProtectSystem=strict", "LimitCORE=0", "CapabilityBoundingSet="} {
		if !strings.Contains(unit, "\n"+must) {
			t.Errorf("%s is gone", must)
		}
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return string(b)
}

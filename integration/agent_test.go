package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hufu/shared/wire"
)

// TestAgent runs the agent against a server with the shortest lifetime and
// grace that there are, so that keys follow each other within the minute.
func TestAgent(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", "--lifetime", "60s", "--grace", "60s")
	for name, test := range map[string]func(o *outlet){
		"rotates":               agentRotates,
		"finds damage":          agentFindsDamage,
		"segment deleted":       agentLosesSegment,
		"segment full":          agentFindsNoRoom,
		"table full":            agentOutOfRoom,
		"killed":                agentKilledOften,
		"one per segment":       agentRefused,
		"token elsewhere":       agentElsewhere,
		"receipts":              agentReceipts,
		"new token":             agentTakesToken,
		"server away, then not": agentOutlives,
		"watched":               agentWatched,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(s.enrolled(t))
		})
	}
}

// agent starts the agent.
func (o *outlet) agent(flags ...string) *process {
	o.t.Helper()
	cmd := exec.Command(filepath.Join(bin, "hufu"), append([]string{"agent"}, flags...)...)
	cmd.Env = o.env
	p := start(o.t, cmd)
	o.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
		sound(o.t, "hufu agent", strings.Join(p.log.since(0), "\n"))
		if o.t.Failed() {
			o.t.Logf("hufu agent of %s:\n%s", o.id, strings.Join(p.log.since(0), "\n"))
		}
	})
	return p
}

// says waits for a line of the log after a mark, and returns it.
func (p *process) says(t testing.TB, mark int, parts ...string) (line string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s says %q", p.name, parts), func() bool {
		line = p.log.find(mark, func(line string) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
		})
		return line != ""
	})
	return line
}

// standing is what hufu status --json tells.
type standing struct {
	Freshness, Fingerprint, Connected string
	Seckeyid                          uint64
	Agent                             bool
	PID                               int
	Renewal, NotAfter                 *time.Time
	LastSuccess                       struct{ Did string }
	LastFailure                       struct{ Cause, EN, ZH string }
	Warnings                          []string
	code                              int
}

func (o *outlet) standing() (s standing) {
	o.t.Helper()
	r := o.hufu("status", "--json")
	if err := json.Unmarshal([]byte(r.out), &s); err != nil {
		o.t.Fatalf("%v: %q %s", err, r.out, r.err)
	}
	s.code = r.code
	return s
}

// stands waits until status tells that; the agent writes its part of it a
// little after what it is about.
func (o *outlet) stands(what string, ok func(s standing) bool) (s standing) {
	o.t.Helper()
	defer func() {
		if o.t.Failed() {
			o.t.Logf("status: %+v", s)
		}
	}()
	eventually(o.t, "status: "+what, func() bool {
		s = o.standing()
		return ok(s)
	})
	return s
}

// loses removes both files of the segment while its agent stands still, which
// might make the first again before the second is gone.
func (o *outlet) loses(agent *process) {
	o.t.Helper()
	agent.halt(o.t)
	must(o.t, os.Remove(o.path()))
	must(o.t, os.Remove(o.path()+".confirm"))
	must(o.t, agent.cmd.Process.Signal(syscall.SIGCONT))
}

// becomes waits until the segment shows that.
func (o *outlet) becomes(want string) {
	o.t.Helper()
	var got string
	defer func() {
		if o.t.Failed() {
			o.t.Logf("the segment: %s", got)
		}
	}()
	eventually(o.t, "the segment shows "+want, func() bool {
		got = o.shared()
		return got == want
	})
}

// agentRotates: a first key at once, its successor after half of its life, the
// older one open until its end and no longer; everybody who wants to be told of
// it is; SIGTERM ends the agent in order and leaves the keys.
func agentRotates(o *outlet) {
	t, told := o.t, filepath.Join(o.home, "told")
	if s := o.standing(); s.code != 8 || s.Freshness != "none" || s.Agent {
		t.Errorf("before: %+v", s)
	}
	supervisor, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@" + o.segment, Net: "unixgram"})
	must(t, err)
	defer supervisor.Close()
	var heard notices
	go heard.listen(supervisor)
	o.env = append(o.env, "NOTIFY_SOCKET=@"+o.segment, "WATCHDOG_USEC=4000000", "HUFU_SECRET=canary")
	begin := time.Now()
	a := o.agent("--server", "http://"+freeAddress(t)+","+o.url, "--metrics-listen", ":0", "--reverify", "20s",
		"--on-change", "echo $HUFU_EVENT $HUFU_SECKEYID $HUFU_FINGERPRINT $HUFU_CLIENT $HUFU_SEGMENT $HUFU_SECRET >>"+told)
	a.says(t, 0, "msg=current", "key=1")
	heard.expect(t, "READY=1")
	if limits := read(t, fmt.Sprintf("/proc/%d/limits", a.cmd.Process.Pid)); !regexp.MustCompile(`Max core file size +0 +0 `).MatchString(limits) {
		t.Errorf("it may dump core:\n%s", limits)
	}
	o.becomes("1 active current")
	s := o.stands("all is well", func(s standing) bool {
		return s.code == 0 && s.Freshness == "fresh" && s.Seckeyid == 1 && s.Agent && s.PID == a.cmd.Process.Pid && len(s.Warnings) == 0 &&
			s.Connected == "ws"+strings.TrimPrefix(o.url, "http")+"/ws" && s.LastSuccess.Did == "negotiated" && s.Renewal != nil
	})
	if left := s.NotAfter.Sub(*s.Renewal); left < 23*time.Second || left > 37*time.Second {
		t.Errorf("renewal %v before the end", left)
	}
	metrics := attribute(a.says(t, 0, "msg=metrics"), "address")
	if host, _, _ := net.SplitHostPort(metrics); host != "127.0.0.1" {
		t.Errorf("metrics on %s", metrics)
	}
	expectMetrics(t, metrics, `hufu_agent_connected 1`, `hufu_agent_keys{state="active"} 1`, `hufu_agent_negotiations_total{result="ok"} 1`)
	a.says(t, 0, "passed over", "connection refused")

	renewed := lateOn(t, 60*time.Second, a, "msg=negotiated", "key=2")
	if after := renewed.Sub(begin); after < 24*time.Second {
		t.Errorf("renewed after %v", after)
	}
	a.says(t, 0, "msg=current", "key=2")
	a.says(t, 0, "msg=retired", "key=1")
	o.becomes("1 retired, 2 active current")
	a.says(t, 0, "msg=verified", "key=2")
	expectMetrics(t, metrics, `hufu_agent_keys{state="retired"} 1`, `hufu_agent_negotiations_total{result="ok"} 2`, `hufu_agent_mismatches_total 0`,
		`hufu_agent_on_change_total{result="ok"} 2`, `hufu_agent_wiped_total{why="end"} 0`)
	if said := read(t, told); !regexp.MustCompile(fmt.Sprintf(`^current 1 [0-9a-f]{16} %s %s\ncurrent 2 [0-9a-f]{16} %[1]s %[2]s\n`, o.id, o.segment)).MatchString(said) {
		t.Errorf("the command was told %q", said)
	}
	heard.expect(t, "WATCHDOG=1", "WATCHDOG=1", "STATUS=key 2 fresh; connected to ")
	lateOn(t, 60*time.Second, a, "msg=wiped", "key=1", "why=end")
	if got := o.shared(); !strings.HasPrefix(got, "1 expired wiped, 2 ") || !strings.HasSuffix(got, " active current") && !strings.HasSuffix(got, " pending") {
		t.Errorf("the segment: %s", got) // key 3 may have come meanwhile
	}

	if code := a.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	heard.expect(t, "STOPPING=1")
	if s := o.standing(); s.code != 9 || s.Freshness != "fresh" || s.Agent || s.Seckeyid < 2 {
		t.Errorf("without an agent: %+v", s)
	}
	if got := o.shared(); !strings.Contains(got, "active current") {
		t.Errorf("it left %s", got)
	}
}

// lateOn waits for a line of the log for longer than eventually, and returns
// when it came.
func lateOn(t testing.TB, within time.Duration, p *process, parts ...string) time.Time {
	t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if p.log.find(0, func(line string) bool {
			return !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) })
		}) != "" {
			return time.Now()
		}
	}
	t.Fatalf("%s does not say %q", p.name, parts)
	return time.Time{}
}

// notices is what systemd was told.
type notices struct {
	mu    sync.Mutex
	lines []string
}

func (n *notices) listen(conn *net.UnixConn) {
	b := make([]byte, 4096)
	for {
		m, err := conn.Read(b)
		if err != nil {
			return
		}
		n.mu.Lock()
		n.lines = append(n.lines, strings.Split(string(b[:m]), "\n")...)
		n.mu.Unlock()
	}
}

// expect waits until lines with these beginnings have come, in this order or another.
func (n *notices) expect(t testing.TB, parts ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("systemd is told %q", parts), func() bool {
		n.mu.Lock()
		left := slices.Clone(n.lines)
		n.mu.Unlock()
		for _, part := range parts {
			i := slices.IndexFunc(left, func(line string) bool { return strings.HasPrefix(line, part) })
			if i < 0 {
				return false
			}
			left = slices.Delete(left, i, i+1)
		}
		return true
	})
}

func expectMetrics(t testing.TB, address string, lines ...string) {
	t.Helper()
	var body string
	defer func() {
		if t.Failed() {
			t.Logf("the metrics:\n%s", body)
		}
	}()
	eventually(t, fmt.Sprintf("metrics %q", lines), func() bool {
		r, err := http.Get("http://" + address + "/metrics")
		must(t, err)
		raw, err := io.ReadAll(r.Body)
		r.Body.Close()
		must(t, err)
		body = string(raw)
		return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(body, line+"\n") })
	})
}

// agentFindsDamage: a copy that was damaged is found by the next verification,
// of which applications' bytes are the subject, and replaced at once.
func agentFindsDamage(o *outlet) {
	a := o.agent("--reverify", "5s")
	o.becomes("1 active current")
	began := time.Now()
	o.damage()
	a.says(o.t, 0, "msg=wiped", "key=1", "why=mismatch")
	a.says(o.t, 0, "msg=current", "key=2")
	took := time.Since(began)
	o.becomes("1 expired wiped, 2 active current")
	o.stands("the ends held different keys", func(s standing) bool {
		return s.LastFailure.Cause == "mismatch" && strings.Contains(s.LastFailure.EN, "different keys") &&
			strings.Contains(s.LastFailure.ZH, "不一致") && s.code == 0
	})
	o.t.Logf("found and replaced after %v", took.Round(time.Millisecond))
}

// agentLosesSegment: both files are removed; the agent makes them again and
// negotiates; the centre retires the lost key.
func agentLosesSegment(o *outlet) {
	a := o.agent()
	o.becomes("1 active current")
	o.loses(a)
	a.says(o.t, 0, "made anew")
	a.says(o.t, 0, "msg=wiped", "key=1", "why=lost")
	o.becomes("2 active current")
	if got := o.history(); got != "2 active, 1 retired" {
		o.t.Errorf("the history: %s", got)
	}
	must(o.t, os.Remove(o.path()+".confirm")) // the second file alone
	eventually(o.t, "a key after that", func() bool {
		got := o.shared()
		return strings.Contains(got, "3 active current")
	})
	if line := a.log.find(0, func(line string) bool { return strings.Contains(line, "in use elsewhere") }); line != "" {
		o.t.Errorf("taken for another machine: %s", line)
	}
	o.stands("all is well", func(s standing) bool { return s.code == 0 && s.Agent })
}

// agentFindsNoRoom: a full folder is said, sat out, and nothing is negotiated
// that could not be written.
func agentFindsNoRoom(o *outlet) {
	t := o.t
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	full := filepath.Join(dir, "full")
	must(t, os.WriteFile(full, make([]byte, 1<<20), 0o600))
	o.env = append(o.env, "HUFU_SHM_DIR="+dir)
	a := o.agent()
	a.says(t, 0, "the segment cannot be used", "no space for the segment")
	a.says(t, 0, "msg=connected")
	o.stands("there is no room", func(s standing) bool {
		return s.code == 8 && s.Agent && len(s.Warnings) > 0 && s.LastFailure.Cause == "segment"
	})
	if got := o.history(); got != "" {
		t.Errorf("the history: %s", got)
	}
	must(t, os.Remove(full))
	a.says(t, 0, "msg=current", "key=1")
	o.stands("all is well again", func(s standing) bool { return s.code == 0 && len(s.Warnings) == 0 })
	if code := a.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// agentKilledOften: killed at one moment after the other of its start, it goes
// on every time, and there is one current key in the end, which both ends hold.
func agentKilledOften(o *outlet) {
	t := o.t
	for i := range shortOr(12, 100) {
		a := o.agent()
		moment := time.Duration(i%12) * 15 * time.Millisecond // a start takes about 100 ms
		time.Sleep(moment)
		must(t, a.cmd.Process.Kill())
		<-a.done
		if s := o.standing(); s.Agent || s.code != 9 && s.code != 8 {
			t.Fatalf("killed after %v: %+v", moment, s)
		}
	}
	a := o.agent()
	a.says(t, 0, "msg=verified", "state=active")
	o.agreed(t, 0, patience)
	if code := a.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	o.must("verify")
}

// agentRefused: a second agent on the segment is refused, with the number of
// the process that has it, and so is a command that would write.
func agentRefused(o *outlet) {
	a := o.agent()
	o.becomes("1 active current")
	pid := strconv.Itoa(a.cmd.Process.Pid)
	for _, command := range []string{"agent", "negotiate", "unenrol", "shm destroy"} {
		command := strings.Fields(command)
		if r := o.hufu(command...); r.code != 6 || !strings.Contains(r.err, "another writer has the segment open") || !strings.Contains(r.err, "process "+pid) {
			o.t.Errorf("%s: %d: %s", command, r.code, r.err)
		}
		if r := o.hufu(append(command, "--lang", "zh")...); !strings.Contains(r.err, "进程 "+pid) {
			o.t.Errorf("%s: %s", command, r.err)
		}
	}
	o.stands("the first goes on", func(s standing) bool { return s.code == 0 && s.PID == a.cmd.Process.Pid })
	if r := o.hufu("agent", "--server", "http://x/"); r.code != 2 || !strings.Contains(r.err, "--server") {
		o.t.Errorf("%d: %s", r.code, r.err)
	}
	if r := o.hufu("agent", "--reverify", "1s"); r.code != 2 || !strings.Contains(r.err, "--reverify") {
		o.t.Errorf("%d: %s", r.code, r.err)
	}
}

// agentElsewhere: two agents with one token, as if on two machines. Each takes
// the other's key away, once: then they are told, and do not fight.
func agentElsewhere(o *outlet) {
	t := o.t
	other := *o
	other.home, other.segment = t.TempDir(), fmt.Sprint(prefix, serial.Add(1))
	other.env = append(environment(other.home), "HUFU_HOME="+filepath.Join(other.home, "hufu"), "HUFU_SEGMENT="+other.segment, "HUFU_CAPACITY=8")
	other.keep(other.token)
	t.Cleanup(func() {
		os.Remove(other.path())
		os.Remove(other.path() + ".confirm")
	})
	began := time.Now()
	first := o.agent()
	first.says(t, 0, "msg=current", "key=1")
	second := other.agent()
	first.says(t, 0, "in use elsewhere", "key=1")
	second.says(t, 0, "in use elsewhere")
	for _, one := range []*outlet{o, &other} {
		one.stands("it says so", func(s standing) bool {
			return slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, "in use on another machine") })
		})
	}
	time.Sleep(8 * time.Second) // in which a fight would take sixteen negotiations and more
	got := strings.Split(o.history(), ", ")
	renewals := 2 * int(time.Since(began)/(24*time.Second)) // where all this took long
	if len(got) > 5+renewals {
		t.Errorf("they fight: %s", got)
	}
}

// agentTakesToken: hufu enrol stores a newer token while the agent runs, which
// goes on with it when the old one is refused.
func agentTakesToken(o *outlet) {
	a := o.agent()
	a.says(o.t, 0, "msg=current", "key=1") // after which nothing is said of the first verify any more
	token := filepath.Join(o.home, "new")
	if r := o.admin(o.t, "outlet", "new-secret", o.id, "--token-file", token); r.code != 0 {
		o.t.Fatal(r.err)
	}
	mark := a.log.mark()
	o.must("enrol", "--token-file", token)
	a.says(o.t, mark, "the token was replaced", "epoch=2")
	a.says(o.t, mark, "msg=verified", "key=1")
	if got := o.shared(); got != "1 active current" {
		o.t.Errorf("the segment: %s", got)
	}
	if code := a.stop(o.t, syscall.SIGTERM); code != 0 {
		o.t.Errorf("it ended with %d", code)
	}
}

// agentReceipts: revoked while the agent was away, and revoked while its
// receipt is lost: the wiping is receipted in the end.
func agentReceipts(o *outlet) {
	t := o.t
	a := o.agent()
	o.becomes("1 active current")
	must(t, a.cmd.Process.Kill())
	<-a.done
	must(t, o.rules.RevokeKey(t.Context(), o.id, 1, wire.ReasonRoutine, ""))
	a = o.agent()
	a.says(t, 0, "msg=wiped", "key=1", "why=revoked")
	o.becomes("1 revoked wiped, 2 active current")
	o.hasReceipt(1)
	must(t, a.cmd.Process.Kill())
	<-a.done

	lossy := o.middle(t, func(_ int, m message) []message {
		if isReceipt(m) {
			return []message{hangUp}
		}
		return []message{m}
	}, untouched)
	a = o.agent("--server", lossy)
	a.says(t, 0, "msg=verified", "key=2")
	must(t, o.rules.RevokeKey(t.Context(), o.id, 2, wire.ReasonRoutine, ""))
	a.says(t, 0, "msg=wiped", "key=2", "why=revoked")
	a.says(t, 0, "the connection ended")
	must(t, a.cmd.Process.Kill())
	<-a.done
	if r := o.admin(t, "key", "show", o.id, "2", "--json"); strings.Contains(r.out, `"receipt"`) {
		t.Errorf("there is a receipt: %s", r.out)
	}
	o.agent() // another process, which knows of the wiped key by the server's push alone
	o.hasReceipt(2)
}

// isReceipt goes by the message's command: cmdType 7, in its shortest form.
func isReceipt(m message) bool { return strings.Contains(string(m.data), "\xa7cmdType\x07") }

func (o *outlet) hasReceipt(seckeyid uint64) {
	o.t.Helper()
	eventually(o.t, fmt.Sprintf("key %d is receipted", seckeyid), func() bool {
		return strings.Contains(o.admin(o.t, "key", "show", o.id, strconv.FormatUint(seckeyid, 10), "--json").out, `"receipt"`)
	})
}

// agentOutlives: the server goes away and comes back, and the key is the same;
// it goes for good, and at its end the key is wiped, said to be stale, and not a
// moment longer usable.
func agentOutlives(o *outlet) {
	t, told := o.t, filepath.Join(o.home, "told")
	s := newSite(t, "sqlite", "--lifetime", "60s", "--grace", "60s")
	o = s.enrolled(t)
	a := o.agent("--on-change", "echo $HUFU_EVENT $HUFU_WHY $HUFU_SECKEYID >>"+told+"; exit 3")
	o.becomes("1 active current")
	s.stop(t, syscall.SIGTERM)
	a.says(t, 0, "the connection ended", "code 1012")
	a.says(t, 0, "not connected", "connection refused")
	mark := a.log.mark()
	s.start()
	a.says(t, mark, "msg=connected")
	a.says(t, mark, "msg=verified", "key=1")
	o.stands("the command fails", func(s standing) bool {
		return s.code == 0 && slices.ContainsFunc(s.Warnings, func(w string) bool { return strings.Contains(w, "exit status 3") })
	})
	if line := a.log.find(0, func(line string) bool { return strings.Contains(line, "msg=wiped") }); line != "" {
		t.Error(line)
	}

	// A key whose verify is lost with the server would stay pending until its end.
	o.stands("no renewal is near", func(s standing) bool { return s.Renewal != nil && time.Until(*s.Renewal) > 10*time.Second })
	s.stop(t, syscall.SIGTERM)
	eventually(t, "no switch is under way", func() bool { return !strings.Contains(o.shared(), "pending") })
	last := o.standing() // of key 1, or 2 where all this took long
	key := fmt.Sprint("key=", last.Seckeyid)
	lateOn(t, 70*time.Second, a, "ends soon and has no successor", key)
	o.stands("the end is near", func(s standing) bool { return s.code == 7 && s.Freshness == "soon" && s.Connected == "" })
	wiped := lateOn(t, 70*time.Second, a, "msg=wiped", key, "why=end")
	if late := wiped.Sub(*last.NotAfter); late < 0 || late > slack {
		t.Errorf("wiped %v after the end", late)
	}
	a.says(t, 0, "stale: no key is current")
	for _, e := range entries(t, o.must("show", "--json").out) {
		if e.Status != 0 || e.Current {
			t.Errorf("after its end: %+v", e)
		}
	}
	o.stands("the key is stale", func(s standing) bool {
		return s.code == 8 && s.Freshness == "stale" && s.Agent && s.LastFailure.Cause == "network"
	})
	eventually(t, "the command is told", func() bool {
		raw, _ := os.ReadFile(told)
		return strings.HasPrefix(string(raw), "current 1\n") && strings.HasSuffix(string(raw), fmt.Sprintf("\nstale end %d\n", last.Seckeyid))
	})
	if code := a.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	s.start()
	o.agent() // another, which does not wait to try again
	o.stands("all is well again", func(s standing) bool { return s.code == 0 && s.Seckeyid > last.Seckeyid })
}

// agentWatched: show --watch tells of every change, follows a segment that is
// made anew, and ends well when interrupted; on a terminal it redraws in place.
func agentWatched(o *outlet) {
	t := o.t
	cmd := exec.Command(filepath.Join(bin, "hufu"), "show", "--watch", "--json")
	cmd.Env = o.env
	var seen output
	cmd.Stdout = &seen
	w := start(t, cmd)
	t.Cleanup(func() {
		w.cmd.Process.Kill()
		<-w.done
	})
	shows := func(part string) {
		t.Helper()
		eventually(t, "watch shows "+part, func() bool { return strings.Contains(seen.String(), part) })
	}
	shows(`"segment":false,"entries":[]`)
	x := o.onTerminal("show", "--watch")
	x.expect("no such segment")
	must(t, unix.IoctlSetWinsize(int(x.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 30}))
	a := o.agent()
	shows(`"seckeyid":1,"status":1,"state":"active","current":true`)
	x.expect("\x1b[2A\x1b[J") // two lines up, and anew
	x.expect("active")
	o.loses(a)
	a.says(t, 0, "msg=current", "key=2")
	shows(`"seckeyid":2,"status":1,"state":"active","current":true`)
	x.expect("\x1b[8A\x1b[J") // three lines that the narrow terminal breaks into two, three and three
	x.expect("2    1       active  yes")
	if code := w.stop(t, syscall.SIGINT); code != 0 {
		t.Errorf("watch ended with %d", code)
	}
	for line := range strings.Lines(seen.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not a document: %q", line)
		}
	}
	times, before := regexp.MustCompile(`"(at|notAfter)":"[^"]*"`), ""
	for line := range strings.Lines(seen.String()) {
		shown := times.ReplaceAllString(line, "")
		if shown == before {
			t.Errorf("shown again though nothing has changed: %s", line)
		}
		before = shown
	}
	must(t, x.cmd.Process.Signal(syscall.SIGINT))
	if code := x.exit(); code != 0 {
		t.Errorf("on a terminal it ended with %d", code)
	}
}

// agentOutOfRoom: a table without room for the next key. It is not used at
// either end, the current one stays, and status says why.
func agentOutOfRoom(o *outlet) {
	o.env = append(o.env, "HUFU_CAPACITY=1")
	a := o.agent()
	o.becomes("1 active current")
	lateOn(o.t, 60*time.Second, a, "not negotiated", "no room for another key")
	o.stands("there is no room", func(s standing) bool {
		return s.LastFailure.Cause == "segment" && s.Seckeyid == 1 && s.Agent
	})
	if got := o.shared(); got != "1 active current" {
		o.t.Errorf("the segment: %s", got)
	}
	// However often it has tried meanwhile: none of those became active.
	if got := o.history(); !strings.HasSuffix(got, " 1 active") || strings.Count(got, "active") > 1 || strings.Contains(got, "retired") {
		o.t.Errorf("the history: %s", got)
	}
}

// TestAgentQuota: a server that says to try later is asked again later, and by
// then gives what was asked for.
func TestAgentQuota(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", "--max-burst", "1", "--max-rate", "0.05") // another after 20 s
	o := s.enrolled(t)
	a := o.agent()
	o.becomes("1 active current")
	o.loses(a)
	a.says(t, 0, "not negotiated", "error 6", "retry=")
	o.agreed(t, 1, 2*patience)
	o.stands("it was busy once", func(s standing) bool { return s.LastFailure.Cause == "busy" && s.code == 0 })
}

// TestServers: commands try the addresses in order, each failure is told with
// its address, and a token's own address is not used besides.
func TestServers(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite")
	o := s.outlet(t, wire.RoleOutlet)
	token := filepath.Join(o.home, "new")
	write(t, token, ascii(t, o.token))
	one, two := "http://"+freeAddress(t), "http://"+freeAddress(t)
	r := o.hufu("enrol", "--token-file", token, "--server", one, "--server", two)
	for _, part := range []string{"ws" + strings.TrimPrefix(one, "http") + "/ws: ", "ws" + strings.TrimPrefix(two, "http") + "/ws: ", "connection refused"} {
		if r.code != 4 || !strings.Contains(r.err, part) {
			t.Errorf("%d, no %q: %s", r.code, part, r.err)
		}
	}
	o.must("enrol", "--token-file", token, "--server", one, "--server", o.url)
	o.env = append(o.env, "HUFU_SERVERS="+one+","+o.url)
	o.via("http://" + freeAddress(t))
	for _, command := range []string{"negotiate", "verify", "view"} {
		o.must(command)
	}
	if r := o.hufu("verify", "--server", two); r.code != 4 {
		t.Errorf("%d: %s", r.code, r.err)
	}
}

// TestAgentAsService: the token is a credential of the service, root's and read
// by an access list, in a folder where nothing can be written; the state goes
// into the service's run folder.
func TestAgentAsService(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	o := newSite(t, "sqlite").enrolled(t)
	credentials, folder := filepath.Dir(o.tokenPath()), t.TempDir()
	must(t, os.Chmod(o.tokenPath(), 0o440))
	if r := o.hufu("agent"); r.code != 2 || !strings.Contains(r.err, "can be read by others") {
		t.Errorf("%d: %s", r.code, r.err)
	}
	o.env = append(o.env, "CREDENTIALS_DIRECTORY="+credentials, "HUFU_HOME="+credentials, "RUNTIME_DIRECTORY="+folder, "XDG_RUNTIME_DIR=/nonexistent")
	must(t, unix.Mount(credentials, credentials, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(credentials, unix.MNT_DETACH)) })
	must(t, unix.Mount("", credentials, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
	a := o.agent()
	a.says(t, 0, "msg=current", "key=1")
	if line := a.log.find(0, func(line string) bool { return strings.Contains(line, "status file") }); line != "" {
		t.Error(line)
	}
	o.stands("all is well", func(s standing) bool { return s.code == 0 && s.Agent })
	if _, err := os.Stat(filepath.Join(folder, "agent-"+o.segment+".json")); err != nil {
		t.Error(err)
	}
}

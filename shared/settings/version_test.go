package settings

import (
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"hufu/shared/text"
)

func TestBuild(t *testing.T) {
	vcs := func(kv ...string) *debug.BuildInfo {
		info := &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}
		for i := 0; i < len(kv); i += 2 {
			info.Settings = append(info.Settings, debug.BuildSetting{Key: kv[i], Value: kv[i+1]})
		}
		return info
	}
	for _, c := range []struct {
		info   *debug.BuildInfo
		want   Build
		en, zh string
	}{
		{&debug.BuildInfo{}, Build{Version: "(devel)"}, "hufu (devel), commit unknown: built outside of a git checkout, or told not to record it, built by go", "提交未知"},
		{vcs("vcs.revision", "abc", "vcs.modified", "false", "vcs.time", "2026-11-24T23:00:00-02:00"), Build{"v1.2.3", "abc", false, "2026-11-25"}, "hufu v1.2.3, commit abc, built by go", "提交 abc"},
		{vcs("vcs.revision", "abc", "vcs.modified", "true"), Build{"v1.2.3", "abc", true, ""}, "commit abc with changes that were not committed", "另有未提交的改动"},
	} {
		b := buildOf(c.info)
		if b != c.want {
			t.Errorf("%+v, not %+v", b, c.want)
		}
		if en := b.Line("hufu", text.English.T); !strings.Contains(en, c.en) {
			t.Errorf("%q has no %q", en, c.en)
		}
		if zh := b.Line("hufu", text.Chinese.T); !strings.Contains(zh, c.zh) {
			t.Errorf("%q has no %q", zh, c.zh)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0h", 24 * time.Hour: "24h", 90 * time.Minute: "90m", 75 * time.Second: "75s", 1500 * time.Millisecond: "1.5s", -time.Hour: "-1h",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: %s, not %s", d, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"lifetimes", "lifetime", 1}, {"database_url", "database-url", 1}, {"ab", "ba", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, not %d", c.a, c.b, got, c.want)
		}
	}
}

func TestRoff(t *testing.T) {
	for s, want := range map[string]string{
		".TH": `\&.TH`, "'x": `\&'x`, `a\b`: `a\eb`, "a-b": `a\-b`, "网点x": `网\:点\:x`,
	} {
		if got := roff(s); got != want {
			t.Errorf("%q: %q, not %q", s, got, want)
		}
	}
	for line := range strings.Lines(text80()) {
		if len(line) > manWidth+1 || strings.HasPrefix(line, ".") {
			t.Errorf("%q", line)
		}
	}
}

// text80 is a paragraph whose words begin as requests do.
func text80() string { return paragraph(strings.Repeat(".word ", 40)) }

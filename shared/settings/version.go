package settings

import (
	"runtime"
	"runtime/debug"
	"time"
)

// Build is what the program was built from.
type Build struct {
	Version string // the module's; "(devel)" where none was recorded
	Commit  string // empty: built outside of a checkout, or told not to record it
	Changed bool   // the checkout had changes besides
	Date    string // of the commit, 2026-11-24
}

// ThisBuild is this program's.
func ThisBuild() Build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Build{Version: "(devel)"}
	}
	return buildOf(info)
}

func buildOf(info *debug.BuildInfo) Build {
	b := Build{Version: info.Main.Version}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Changed = s.Value == "true"
		case "vcs.time":
			if at, err := time.Parse(time.RFC3339, s.Value); err == nil {
				b.Date = at.UTC().Format(time.DateOnly)
			}
		}
	}
	return b
}

// Line is what --version prints.
func (b Build) Line(name string, t func(key string, args ...any) string) string {
	commit := t("version_no_commit")
	switch {
	case b.Changed:
		commit = t("version_changed", b.Commit)
	case b.Commit != "":
		commit = t("version_commit", b.Commit)
	}
	return t("version_line", name, b.Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

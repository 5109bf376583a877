package main

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEyes(t *testing.T) {
	var b strings.Builder
	log := slog.New(&eyes{w: &b, mu: &sync.Mutex{}, level: slog.LevelInfo})
	at := time.Date(2026, 11, 24, 8, 30, 0, 0, time.Local)
	log.Debug("not shown")
	log.Info("current", "key", uint64(3), "fingerprint", "ab", "empty", "")
	log.With("key", 4).WithGroup("g").Warn("wiped", "until", at, "error", errors.New("of that"))
	var lines []string
	for line := range strings.Lines(b.String()) {
		_, rest, _ := strings.Cut(line, " ") // the time of day
		lines = append(lines, rest)
	}
	want := "current  key 3  fingerprint ab\nWARN wiped  key 4  g.until 2026-11-24 08:30:00  g.error of that\n"
	if got := strings.Join(lines, ""); got != want {
		t.Errorf("%q", got)
	}
}

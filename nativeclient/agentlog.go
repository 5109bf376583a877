package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// logger logs as the settings say: text and json for machines; on a terminal,
// text is made for eyes.
func (c *agentSettings) logger(stderr io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	switch {
	case c.LogFormat == "json":
		return slog.New(slog.NewJSONHandler(stderr, options))
	case isTerminal(stderr):
		return slog.New(&eyes{w: stderr, mu: &sync.Mutex{}, level: c.LogLevel})
	}
	return slog.New(slog.NewTextHandler(stderr, options))
}

// eyes is a slog.Handler for a person: the time of day, the level where it is
// not INFO, the message, and the attributes as "name value".
type eyes struct {
	w      io.Writer
	mu     *sync.Mutex
	level  slog.Level
	before string // attributes of With
	group  string
}

// Enabled reports whether a level is shown.
func (h *eyes) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle writes one line.
func (h *eyes) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Time.Format("15:04:05 "))
	if r.Level != slog.LevelInfo {
		fmt.Fprintf(&b, "%s ", r.Level)
	}
	b.WriteString(r.Message)
	b.WriteString(h.before)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(h.attr(a))
		return true
	})
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, b.String())
	return err
}

func (h *eyes) attr(a slog.Attr) string {
	value := a.Value.Resolve()
	words := value.String()
	if value.Kind() == slog.KindTime {
		words = value.Time().Local().Format(time.DateTime)
	} else if t, is := value.Any().(time.Time); is {
		words = t.Local().Format(time.DateTime)
	}
	if words == "" {
		return ""
	}
	return "  " + h.group + a.Key + " " + words
}

// WithAttrs is slog's.
func (h *eyes) WithAttrs(attrs []slog.Attr) slog.Handler {
	other := *h
	for _, a := range attrs {
		other.before += h.attr(a)
	}
	return &other
}

// WithGroup is slog's.
func (h *eyes) WithGroup(name string) slog.Handler {
	other := *h
	other.group += name + "."
	return &other
}

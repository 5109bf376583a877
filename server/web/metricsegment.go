package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// AttachSegment adds how the centre's segment stands: entries, keys in it, and
// outlets of which some key is missing.
func (m *Metrics) AttachSegment(stats func() (capacity, used, unpublished int)) {
	for _, g := range []struct {
		name, help string
		value      func(capacity, used, unpublished int) int
	}{
		{"hufu_segment_entries", "Keys that the centre's segment has room for.", func(capacity, _, _ int) int { return capacity }},
		{"hufu_segment_keys", "Keys that stand in the centre's segment.", func(_, used, _ int) int { return used }},
		{"hufu_segment_missing_outlets", "Outlets of which some key is missing in the centre's segment: it has no room, or the key's seal does not open.",
			func(_, _, unpublished int) int { return unpublished }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help},
			func() float64 { return float64(g.value(stats())) }))
	}
}

// AttachBehind adds how far the change table has been followed, for a process
// that only follows; Attach has it.
func (m *Metrics) AttachBehind(behind func() time.Duration) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hufu_changes_behind_seconds",
		Help: "For how long the record has not been read to its end."}, func() float64 { return behind().Seconds() }))
}

const scrapeWithin = 5 * time.Second

// Serve answers scrapes on a listener until ctx ends.
func (m *Metrics) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: m.Handler(), ReadHeaderTimeout: scrapeWithin, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

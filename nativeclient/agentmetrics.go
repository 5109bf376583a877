package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hufu/shared/client"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// metrics are what the agent counts, for Prometheus where that is asked for.
// Labels have few values, and no key is named.
type metrics struct {
	registry *prometheus.Registry
	listener net.Listener // nil: nobody asks

	keys                              *prometheus.GaugeVec
	keyEnds, renewalIn, online        prometheus.Gauge
	connections, verified, mismatches prometheus.Counter
	elsewhere, segmentErrors          prometheus.Counter
	negotiations, wiped               *prometheus.CounterVec
	failures, commands                *prometheus.CounterVec
}

// newMetrics listens, unless the address is empty. One without a host is on the
// loopback.
func newMetrics(address string) (*metrics, error) {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.keys = gaugeVec(m, "hufu_agent_keys", "Keys held, by state: pending is open-only, active the current one.", "state")
	m.keyEnds = gauge(m, "hufu_agent_key_ends_seconds", "Until the end of the current key; 0 without one.")
	m.renewalIn = gauge(m, "hufu_agent_renewal_seconds", "Until the current key is to be followed by another; 0 without one.")
	m.online = gauge(m, "hufu_agent_connected", "1 while a connection to the server is open.")
	m.connections = counter(m, "hufu_agent_connections_total", "Connections that opened.")
	m.verified = counter(m, "hufu_agent_verifications_total", "Keys that both ends proved to hold.")
	m.mismatches = counter(m, "hufu_agent_mismatches_total", "Keys whose copies differed at both ends.")
	m.elsewhere = counter(m, "hufu_agent_elsewhere_total", "Keys replaced by one of another process with the same token.")
	m.segmentErrors = counter(m, "hufu_agent_segment_errors_total", "Times that the segment could not be used.")
	m.negotiations = counterVec(m, "hufu_agent_negotiations_total", "Negotiations, by result: ok or failed.", "result", "ok", "failed")
	m.wiped = counterVec(m, "hufu_agent_wiped_total", "Keys wiped, by why: end, expired, revoked, mismatch, unknown or lost.", "why", whyEnd, whyExpired, whyRevoked, whyMismatch, whyUnknown, whyLost)
	m.failures = counterVec(m, "hufu_agent_failures_total", "Failures, by cause.", "cause", causeSegment, causeBusy, causeInternal, causeMismatch, causeDenied,
		causeCheck, causeRefused, causeSilent, causeClosed, causeAnswer, causeTLS, causeNetwork)
	m.commands = counterVec(m, "hufu_agent_on_change_total", "Runs of the command on a change, by result: ok or failed.", "result", "ok", "failed")
	if address == "" {
		return m, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err == nil && host == "" {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	if m.listener, err = net.Listen("tcp", address); err != nil {
		return nil, text.Errorf("err_setting", "--metrics-listen", err)
	}
	return m, nil
}

func gauge(m *metrics, name, help string) prometheus.Gauge {
	return registered(m, prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help}))
}

func gaugeVec(m *metrics, name, help, label string) *prometheus.GaugeVec {
	return registered(m, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label}))
}

func counter(m *metrics, name, help string) prometheus.Counter {
	return registered(m, prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help}))
}

// counterVec counts by a label, whose values are all there from the start.
func counterVec(m *metrics, name, help, label string, values ...string) *prometheus.CounterVec {
	v := registered(m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label}))
	for _, value := range values {
		v.WithLabelValues(value)
	}
	return v
}

func registered[C prometheus.Collector](m *metrics, c C) C {
	m.registry.MustRegister(c)
	return c
}

// serve answers scrapes until ctx ends.
func (m *metrics) serve(ctx context.Context, log *slog.Logger) {
	if m.listener == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	log.Info("metrics", "address", m.listener.Addr().String())
	if err := server.Serve(m.listener); !errors.Is(err, http.ErrServerClosed) {
		log.Error("no metrics any more", "error", err)
	}
}

// ok and failed are the results of what is counted by them.
func result(err error) string {
	if err != nil {
		return "failed"
	}
	return "ok"
}

// look sets what can be seen at any moment.
func (m *metrics) look(keys []client.HeldKey, v keyView, renewal, now time.Duration) {
	count := map[wire.State]int{}
	for _, key := range keys {
		count[key.State]++
	}
	for state := wire.StatePending; state <= wire.StateRetired; state++ {
		m.keys.WithLabelValues(state.String()).Set(float64(count[state]))
	}
	until := func(at time.Duration) float64 { return max(0, (at - now).Seconds()) }
	m.renewalIn.Set(until(renewal))
	m.keyEnds.Set(0)
	if v.isCurrent() {
		m.keyEnds.Set(until(v.NotAfter))
	}
}

// causes of failures, for the metric and the status.
const (
	causeSegment  = "segment"  // shared memory
	causeBusy     = "busy"     // error 6
	causeInternal = "internal" // error 7
	causeMismatch = "mismatch" // error 5
	causeDenied   = "denied"   // another error
	causeCheck    = "check"    // a message was not the server's, or damaged
	causeRefused  = "refused"  // the open
	causeSilent   = "silent"   // no answer in time
	causeClosed   = "closed"   // the connection, by a close
	causeAnswer   = "answer"   // an HTTP answer in place of a WebSocket, of a proxy too
	causeTLS      = "tls"
	causeNetwork  = "network"
)

func causeOf(err error) string {
	var code wire.Code
	var check *client.CheckError
	var closed *client.CloseError
	var answer *client.AnswerError
	var proxy *proxyError
	switch {
	case isSegmentError(err):
		return causeSegment
	case errors.As(err, &code):
		return causeOfCode(code)
	case errors.As(err, &check):
		return causeCheck
	case errors.Is(err, client.ErrRefused):
		return causeRefused
	case errors.Is(err, client.ErrSilent), errors.Is(err, context.DeadlineExceeded):
		return causeSilent
	case errors.As(err, &closed):
		return causeClosed
	case errors.As(err, &answer), errors.As(err, &proxy):
		return causeAnswer
	case explainTLS(text.English, err) != "":
		return causeTLS
	}
	return causeNetwork
}

func causeOfCode(code wire.Code) string {
	switch code {
	case wire.CodeBusy:
		return causeBusy
	case wire.CodeInternal:
		return causeInternal
	case wire.CodeMismatch:
		return causeMismatch
	}
	return causeDenied
}

package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hufu/server/keyservice"
	"hufu/server/session"
)

// Metrics are what Prometheus may read: bounded counts, never anything by
// outlet. It is the rules' Meter.
type Metrics struct {
	registry *prometheus.Registry

	changes    *prometheus.CounterVec
	age        prometheus.Histogram
	batch      prometheus.Histogram
	commit     prometheus.Histogram
	failures   prometheus.Counter
	notWritten prometheus.Counter
}

var _ keyservice.Meter = (*Metrics)(nil)

// NewMetrics makes the metrics of a server. Attach follows.
func NewMetrics() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.changes = registered(m, prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hufu_changes_total",
		Help: "Changes in the store's record that were made while this server ran, whoever made them, by kind."}, []string{"kind"}))
	for _, kind := range keyservice.Kinds() {
		m.changes.WithLabelValues(string(kind))
	}
	m.age = registered(m, prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hufu_change_age_seconds",
		Help:    "How old a change was when this server told connected clients of it.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60}}))
	m.batch = registered(m, prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hufu_commit_changes",
		Help: "Changes in one commit.", Buckets: []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}}))
	m.commit = registered(m, prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hufu_commit_seconds",
		Help: "How long a commit took.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}))
	m.notWritten = registered(m, prometheus.NewCounter(prometheus.CounterOpts{Name: "hufu_commit_failures_total",
		Help: "Commits that failed."}))
	m.failures = registered(m, prometheus.NewCounter(prometheus.CounterOpts{Name: "hufu_store_failures_total",
		Help: "What was asked of the store and failed: reads, and the changes of commits that failed."}))
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func registered[C prometheus.Collector](m *Metrics, c C) C {
	m.registry.MustRegister(c)
	return c
}

// Committed implements keyservice.Meter.
func (m *Metrics) Committed(changes int, took time.Duration, err error) {
	if err != nil {
		m.notWritten.Inc()
		return
	}
	m.batch.Observe(float64(changes))
	m.commit.Observe(took.Seconds())
}

// StoreFailed implements keyservice.Meter.
func (m *Metrics) StoreFailed() { m.failures.Inc() }

// Told implements keyservice.Meter. A kind that a newer server has written is
// not counted.
func (m *Metrics) Told(c keyservice.ChangeRow, age time.Duration) {
	if _, known := keyservice.ParseKind(string(c.Kind)); known {
		m.changes.WithLabelValues(string(c.Kind)).Inc()
	}
	m.age.Observe(age.Seconds())
}

// Attach adds what is asked of the rules and the sessions at every scrape.
func (m *Metrics) Attach(service *keyservice.Service, sessions *session.Server) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("hufu_sessions_open", "Connections that are open.", func() float64 { return float64(sessions.Open()) })
	gauge("hufu_sessions_waiting", "Connections that are not yet open.", func() float64 { return float64(sessions.Waiting()) })
	m.AttachBehind(service.Behind)
	gauge("hufu_presence_waiting", "Clients who have come or gone and are not yet written down.", func() float64 { return float64(service.PresenceWaiting()) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hufu_mac_failures_total",
		Help: "Frames whose authCode was wrong."}, func() float64 { return float64(sessions.MACFailures.Load()) }))
	m.registry.MustRegister(newCensus(service.Counts))
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	return mux
}

// censusEvery is how often outlets and keys are counted at most, however often
// the metrics are read.
const censusEvery = 15 * time.Second

// census counts outlets and keys. While the store cannot, there are no such metrics.
type census struct {
	count func(context.Context) (keyservice.Counts, error)

	mu     sync.Mutex
	at     time.Time
	counts keyservice.Counts
	err    error

	outlets, disabled, connected, freshness, keys *prometheus.Desc
}

func newCensus(count func(context.Context) (keyservice.Counts, error)) *census {
	return &census{count: count,
		outlets:   prometheus.NewDesc("hufu_outlets", "Outlets that are enrolled.", nil, nil),
		disabled:  prometheus.NewDesc("hufu_outlets_disabled", "Outlets that are disabled.", nil, nil),
		connected: prometheus.NewDesc("hufu_outlets_connected", "Outlets that are connected to any server of the store.", nil, nil),
		freshness: prometheus.NewDesc("hufu_outlets_freshness",
			"Outlets that are not disabled, by how their key stands: fresh; soon, less than a quarter of its lifetime is left; stale, it had one and has none now; none, it never had one.",
			[]string{"freshness"}, nil),
		keys: prometheus.NewDesc("hufu_keys", "Keys that have not ended, by state.", []string{"state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *census) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.outlets, c.disabled, c.connected, c.freshness, c.keys} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *census) Collect(to chan<- prometheus.Metric) {
	n, err := c.latest()
	if err != nil {
		return // it is in the log, and counted
	}
	gauge := func(d *prometheus.Desc, value int, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	gauge(c.outlets, n.All)
	gauge(c.disabled, n.Disabled)
	gauge(c.connected, n.Connected)
	gauge(c.freshness, n.Fresh, keyservice.FreshnessFresh.String())
	gauge(c.freshness, n.Soon, keyservice.FreshnessSoon.String())
	gauge(c.freshness, n.Stale, keyservice.FreshnessStale.String())
	gauge(c.freshness, n.None, keyservice.FreshnessNone.String())
	gauge(c.keys, n.Pending, "pending")
	gauge(c.keys, n.Active, "active")
	gauge(c.keys, n.Retired, "retired")
}

func (c *census) latest() (keyservice.Counts, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) >= censusEvery {
		c.counts, c.err = c.count(context.Background()) // the rules bound it
		c.at = time.Now()
	}
	return c.counts, c.err
}

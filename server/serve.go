package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"hufu/server/keyservice"
	"hufu/server/publish"
	"hufu/server/seal"
	"hufu/server/session"
	"hufu/server/web"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
	"hufu/static"
)

// serveCmd runs the server until a signal ends it.
type serveCmd struct{ serveSettings }

// serveSettings are the settings that serve has besides the common ones.
type serveSettings struct {
	Listen        string        `help:"${help_listen}" default:"127.0.0.1:8470" env:"HUFU_LISTEN" placeholder:"ADDRESS"`
	BasePath      string        `help:"${help_base_path}" env:"HUFU_BASE_PATH" placeholder:"/PATH"`
	ConsoleListen string        `help:"${help_console_listen}" env:"HUFU_CONSOLE_LISTEN" placeholder:"ADDRESS"`
	MetricsListen string        `help:"${help_metrics_listen}" env:"HUFU_METRICS_LISTEN" placeholder:"ADDRESS"`
	NoConsole     bool          `help:"${help_no_console}" env:"HUFU_NO_CONSOLE"`
	TrustedProxy  []string      `help:"${help_trusted_proxy}" env:"HUFU_TRUSTED_PROXY" placeholder:"CIDR"`
	Lifetime      time.Duration `help:"${help_lifetime}" default:"24h" env:"HUFU_LIFETIME"`
	Grace         time.Duration `help:"${help_grace}" default:"1h" env:"HUFU_GRACE"`
	Idle          time.Duration `help:"${help_idle}" default:"75s" env:"HUFU_IDLE"`
	MaxPerClient  int           `help:"${help_max_per_client}" default:"4" env:"HUFU_MAX_PER_CLIENT"`
	MaxRate       float64       `help:"${help_max_rate}" default:"2" env:"HUFU_MAX_RATE"`
	MaxBurst      int           `help:"${help_max_burst}" default:"10" env:"HUFU_MAX_BURST"`
	segmentSettings
	logSettings
}

// logSettings are about the log of a command that runs on.
type logSettings struct {
	LogFormat string     `help:"${help_log_format}" enum:"text,json" default:"text" env:"HUFU_LOG_FORMAT"`
	LogLevel  slog.Level `help:"${help_log_level}" default:"INFO" env:"HUFU_LOG_LEVEL"`
}

const (
	headerWithin   = 5 * time.Second
	idleWithin     = time.Minute // between two requests over one connection; WebSockets have --idle
	maxHeader      = 16 << 10
	shutdownWithin = 10 * time.Second
)

// Run is the command.
func (c *serveCmd) Run(e *env) error {
	trusted, err := c.check()
	if err != nil {
		return settings.With(settings.ExitUsage, err)
	}
	log := c.logger(e)
	unlock, err := e.lockEmbedded()
	if err != nil {
		return err
	}
	defer unlock()
	metrics := web.NewMetrics()
	cfg := keyservice.Config{Lifetime: c.Lifetime, Grace: c.Grace, Idle: c.Idle, Log: log, Place: c.place(e), Meter: metrics}
	var segment *publish.Publisher
	if c.Shm != "" {
		cfg.Publish = func(ctx context.Context, outlet string) error { return segment.Publish(ctx, outlet) }
	}
	in, err := e.open(cfg)
	if err != nil && e.Err() != nil { // told to stop before it had begun
		log.Info("stopped", "while", err)
		return nil
	}
	if err != nil {
		return err
	}
	if c.Shm != "" {
		if segment, err = c.publisher(e, in.service, metrics, log); err != nil {
			return errors.Join(err, in.store.Close())
		}
	}
	sessions := session.New(in.service, session.Limits{PerClient: c.MaxPerClient, NegotiateRate: c.MaxRate, NegotiateBurst: c.MaxBurst}, log)
	metrics.Attach(in.service, sessions)
	doors, err := c.doors(metrics, web.Config{BasePath: c.BasePath, Trusted: trusted, Log: log}, in.service, sessions)
	if err != nil {
		if segment != nil {
			err = errors.Join(err, segment.Close())
		}
		return errors.Join(err, in.store.Close())
	}
	build := settings.ThisBuild()
	log.Info("listening", "address", doors[0].listener.Addr().String(), "server", in.service.ServerID(), "store", in.where, "settings", e.file,
		"version", build.Version, "commit", build.Commit)
	err = serve(e, doors, sessions, in, segment, log)
	log.Info("stopped")
	return errors.Join(err, in.store.Close())
}

// place names where this server serves, so that what one before it has left
// there is ended at once. The embedded store has one server at a time. Empty:
// it cannot be told.
func (c *serveCmd) place(e *env) string {
	host, err := os.Hostname()
	switch {
	case e.DatabaseURL == "" && e.DatabaseURLFile == "":
		return "embedded"
	case err != nil || strings.HasSuffix(c.Listen, ":0"):
		return ""
	}
	return host + " " + c.Listen
}

// door is one listener and what it serves.
type door struct {
	server   *http.Server
	listener net.Listener
}

// doors opens the public listener first, then the console's if it is to be
// apart, and that of the metrics if there is to be one.
func (c *serveCmd) doors(metrics *web.Metrics, cfg web.Config, service *keyservice.Service, sessions *session.Server) (doors []door, err error) {
	console := c.console(cfg.Log)
	listen := func(flag, address string, handler http.Handler) net.Listener {
		listener, failed := net.Listen("tcp", address)
		if failed != nil {
			err = errors.Join(err, text.Errorf("err_setting", flag, failed))
			return nil
		}
		doors = append(doors, door{&http.Server{
			Handler:           handler,
			ReadHeaderTimeout: headerWithin, IdleTimeout: idleWithin, MaxHeaderBytes: maxHeader,
			ErrorLog: slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
		}, listener})
		return listener
	}
	open := func(flag, address string, console *web.Console) {
		cfg.Console = console
		if listener := listen(flag, address, web.New(cfg, service, sessions)); listener != nil && console != nil {
			cfg.Log.Info("console", "url", "http://"+listener.Addr().String()+strings.TrimSuffix(cfg.BasePath, "/")+"/")
		}
	}
	if c.ConsoleListen == "" {
		open("--listen", c.Listen, console)
	} else {
		open("--listen", c.Listen, nil)
		open("--console-listen", c.ConsoleListen, console)
	}
	if c.MetricsListen != "" {
		if listener := listen("--metrics-listen", onLoopback(c.MetricsListen), metrics.Handler()); listener != nil {
			cfg.Log.Info("metrics", "url", "http://"+listener.Addr().String()+"/metrics")
		}
	}
	if err != nil {
		for _, d := range doors {
			d.listener.Close()
		}
	}
	return doors, err
}

// onLoopback puts an address without a host on the loopback.
func onLoopback(address string) string {
	if host, port, err := net.SplitHostPort(address); err == nil && host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// console is what is embedded, unless it is left out.
func (c *serveCmd) console(log *slog.Logger) *web.Console {
	if c.NoConsole {
		return nil
	}
	console, err := web.LoadConsole(static.Dist)
	if err != nil {
		log.Warn("no console", "error", err)
	}
	return console
}

// serve serves until ctx ends, then stops in order: no new connections, what
// is in flight is answered, sessions are closed with 1012, the rules stop last.
func serve(ctx context.Context, doors []door, sessions *session.Server, in *installation, segment *publish.Publisher, log *slog.Logger) error {
	rules, stopRules := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { in.service.Run(rules) })
	wg.Go(func() { watchRing(rules, in.ring, log) })
	if segment != nil {
		wg.Go(func() { segment.Run(rules) })
	}
	failed := make(chan error, len(doors))
	for _, d := range doors {
		wg.Go(func() { failed <- d.server.Serve(d.listener) })
	}

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	var closing sync.WaitGroup
	shut := make([]error, len(doors))
	for i, d := range doors {
		closing.Go(func() { shut[i] = d.server.Shutdown(within) })
	}
	closing.Wait()
	err = errors.Join(err, errors.Join(shut...))
	sessions.Shutdown(within)
	stopRules()
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// ringEvery is how often a running server looks for a new key ring.
const ringEvery = time.Second

// watchRing takes the key ring's file again when it is replaced.
func watchRing(ctx context.Context, ring *seal.Ring, log *slog.Logger) {
	ticker := time.NewTicker(ringEvery)
	defer ticker.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := ring.Reload()
		switch {
		case err != nil && err.Error() != said:
			said = err.Error()
			log.Error("the key ring stays as it was", "error", err)
		case changed:
			said = ""
			log.Info("the key ring was replaced", "primary", ring.Primary())
		}
	}
}

// lockEmbedded takes the data folder, where the embedded store is used.
func (e *env) lockEmbedded() (unlock func(), err error) {
	url, err := e.databaseURL()
	if err != nil || url != "" {
		return func() {}, err
	}
	if err := os.MkdirAll(e.Data, 0o700); err != nil {
		return nil, err
	}
	return e.lockData()
}

// check refuses settings that the protocol does not allow.
func (c *serveSettings) check() (trusted []*net.IPNet, err error) {
	var errs []error
	for _, d := range []struct {
		name       string
		value      time.Duration
		least, top int
	}{
		{"--lifetime", c.Lifetime, wire.MinLifetime, wire.MaxLifetime},
		{"--grace", c.Grace, wire.MinLifetime, wire.MaxLifetime},
		{"--idle", c.Idle, wire.MinIdle, wire.MaxIdle},
	} {
		if s := d.value / time.Second; d.value%time.Second != 0 || int(s) < d.least || int(s) > d.top {
			errs = append(errs, text.Errorf("err_seconds", d.name, d.value.String(), d.least, d.top))
		}
	}
	if c.MaxPerClient < 1 {
		errs = append(errs, text.Errorf("err_max_per_client", c.MaxPerClient))
	}
	if !(c.MaxRate > 0) {
		errs = append(errs, text.Errorf("err_max_negotiate", "--max-rate", c.MaxRate))
	}
	if c.MaxBurst < 1 {
		errs = append(errs, text.Errorf("err_max_negotiate", "--max-burst", c.MaxBurst))
	}
	if c.NoConsole && c.ConsoleListen != "" {
		errs = append(errs, text.Errorf("err_console"))
	}
	if c.BasePath != "" && (c.BasePath[0] != '/' || c.BasePath == "/") {
		errs = append(errs, text.Errorf("err_base_path", c.BasePath))
	}
	for _, s := range c.TrustedProxy {
		_, n, err := net.ParseCIDR(s)
		if err != nil {
			errs = append(errs, text.Errorf("err_trusted_proxy", s))
		}
		trusted = append(trusted, n)
	}
	errs = append(errs, c.segmentSettings.check())
	return trusted, errors.Join(errs...)
}

func (c *logSettings) logger(e *env) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(e.stderr, options))
	}
	return slog.New(slog.NewTextHandler(e.stderr, options))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/server/session"
	"hufu/server/web"
	"hufu/shared/settings"
	"hufu/shared/wire"
)

// serveCmd runs the server until a signal ends it.
type serveCmd struct {
	Listen       string        `help:"${help_listen}" default:"127.0.0.1:8470" env:"HUFU_LISTEN" placeholder:"ADDRESS"`
	BasePath     string        `help:"${help_base_path}" env:"HUFU_BASE_PATH" placeholder:"/PATH"`
	TrustedProxy []string      `help:"${help_trusted_proxy}" env:"HUFU_TRUSTED_PROXY" placeholder:"CIDR"`
	Lifetime     time.Duration `help:"${help_lifetime}" default:"24h" env:"HUFU_LIFETIME"`
	Grace        time.Duration `help:"${help_grace}" default:"1h" env:"HUFU_GRACE"`
	Idle         time.Duration `help:"${help_idle}" default:"75s" env:"HUFU_IDLE"`
	MaxPerClient int           `help:"${help_max_per_client}" default:"4" env:"HUFU_MAX_PER_CLIENT"`
	LogFormat    string        `help:"${help_log_format}" enum:"text,json" default:"text" env:"HUFU_LOG_FORMAT"`
	LogLevel     slog.Level    `help:"${help_log_level}" default:"INFO" env:"HUFU_LOG_LEVEL"`
}

const (
	headerWithin   = 5 * time.Second
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
	in, err := e.open(keyservice.Config{Lifetime: c.Lifetime, Grace: c.Grace, Idle: c.Idle, Log: log})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("--listen: %w", err), in.store.Close())
	}
	sessions := session.New(in.service, session.Limits{PerClient: c.MaxPerClient}, log)
	server := &http.Server{
		Handler:           web.New(web.Config{BasePath: c.BasePath, Trusted: trusted, Log: log}, in.service, sessions),
		ReadHeaderTimeout: headerWithin, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("listening", "address", listener.Addr().String(), "server", in.service.ServerID(), "store", in.where, "version", version())
	err = serve(e, server, listener, sessions, in, log)
	log.Info("stopped")
	return errors.Join(err, in.store.Close())
}

// serve serves until ctx ends, then stops in order: no new connections, what
// is in flight is answered, sessions are closed with 1012, the rules stop last.
func serve(ctx context.Context, server *http.Server, listener net.Listener, sessions *session.Server, in *installation, log *slog.Logger) error {
	rules, stopRules := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { in.service.Run(rules) })
	wg.Go(func() { watchRing(rules, in.ring, log) })
	failed := make(chan error, 1)
	wg.Go(func() { failed <- server.Serve(listener) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownWithin)
	defer cancel()
	err = errors.Join(err, server.Shutdown(within))
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
func (c *serveCmd) check() (trusted []*net.IPNet, err error) {
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
			return nil, fmt.Errorf("%s %s is not a number of whole seconds from %d to %d", d.name, d.value, d.least, d.top)
		}
	}
	if c.MaxPerClient < 1 {
		return nil, fmt.Errorf("--max-per-client %d lets nobody in", c.MaxPerClient)
	}
	if c.BasePath != "" && (c.BasePath[0] != '/' || c.BasePath == "/") {
		return nil, fmt.Errorf("--base-path %q does not begin with a slash and a name", c.BasePath)
	}
	for _, s := range c.TrustedProxy {
		_, n, err := net.ParseCIDR(s)
		if err != nil {
			return nil, fmt.Errorf("--trusted-proxy %q is not a range of addresses like 10.0.0.0/8", s)
		}
		trusted = append(trusted, n)
	}
	return trusted, nil
}

func (c *serveCmd) logger(e *env) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(e.stderr, options))
	}
	return slog.New(slog.NewTextHandler(e.stderr, options))
}

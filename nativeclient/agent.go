package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
	"hufu/shm"
)

// agentCmd keeps a current key in the segment until a signal ends it.
type agentCmd struct{ agentSettings }

// agentSettings are the settings that the agent has besides the common ones.
type agentSettings struct {
	RunFolder     string        `help:"${help_run}" name:"run" default:"" env:"HUFU_RUN" placeholder:"DIR" type:"path"`
	Reverify      time.Duration `help:"${help_reverify}" default:"15m" env:"HUFU_REVERIFY"`
	OnChange      string        `help:"${help_on_change}" default:"" env:"HUFU_ON_CHANGE" placeholder:"COMMAND"`
	MetricsListen string        `help:"${help_agent_metrics}" default:"" env:"HUFU_METRICS_LISTEN" placeholder:"ADDRESS"`
	LogFormat     string        `help:"${help_log_format}" enum:"text,json" default:"text" env:"HUFU_LOG_FORMAT"`
	LogLevel      slog.Level    `help:"${help_log_level}" default:"INFO" env:"HUFU_LOG_LEVEL"`
}

// minReverify keeps a slip of the pen from becoming a load.
const minReverify = 5 * time.Second

func (c *agentSettings) check() error {
	var errs []error
	if c.Reverify < minReverify {
		errs = append(errs, text.Errorf("err_reverify", c.Reverify.String(), minReverify.String()))
	}
	if c.MetricsListen != "" {
		if _, _, err := net.SplitHostPort(c.MetricsListen); err != nil {
			errs = append(errs, text.Errorf("err_setting", "--metrics-listen", err))
		}
	}
	return errors.Join(errs...)
}

// agent is one running agent. Three goroutines share it: that of the client,
// which connects and does what the plan says (agentloop.go); the minder, which
// every second looks after segment, ends, status and watchdog (agentmind.go);
// and the one that runs the command on a change (onchange.go).
type agent struct {
	e       *env
	log     *slog.Logger
	token   wire.Token // without its secret
	segment *liveSegment
	keeper  *client.Keeper
	plan    *plan
	report  *report
	metrics *metrics
	change  *onChange
	systemd *notifier

	enrolment              *enrolment
	wakeClient, wakeMinder chan struct{}
	minder                 minder
}

// Run is the command.
func (c *agentCmd) Run(e *env) error {
	if err := c.check(); err != nil {
		return settings.With(settings.ExitUsage, err)
	}
	t, err := e.loadToken()
	if err != nil {
		return err
	}
	defer t.Secret.Zero()
	a, err := c.newAgent(e, t)
	if err != nil {
		return err
	}
	return errors.Join(a.run(), a.segment.close())
}

// newAgent opens what the agent works on. A segment that cannot be had only for
// want of room is no failure: the minder goes on trying.
func (c *agentCmd) newAgent(e *env, t *wire.Token) (*agent, error) {
	a := &agent{e: e, log: c.logger(e.stderr),
		token:      wire.Token{URL: t.URL, ServerID: t.ServerID, ClientID: t.ClientID, Role: t.Role, Epoch: t.Epoch},
		plan:       newPlan(c.Reverify),
		wakeClient: make(chan struct{}, 1), wakeMinder: make(chan struct{}, 1)}
	a.segment = &liveSegment{options: e.segment(), clientID: t.ClientID, serverID: t.ServerID}
	if _, err := a.segment.mend(); err != nil && !errors.Is(err, shm.ErrNoSpace) {
		return nil, settings.With(settings.ExitSharedMemory, lockedBy(err, e.segment()))
	}
	a.keeper = client.NewKeeper(a.segment, client.KeeperOptions{Clock: bootClock, Notify: a.changed})
	a.report = newReport(runFolder(c.RunFolder, e.Home), e.Segment, a.token, e.addresses(t), a.segment.path())
	a.change = newOnChange(c.OnChange, a)
	if err := a.open(c, t); err != nil {
		return nil, errors.Join(err, a.segment.close())
	}
	return a, nil
}

// open makes what may fail for reasons outside of the segment.
func (a *agent) open(c *agentCmd, t *wire.Token) (err error) {
	if a.enrolment, err = a.enrolled(t); err != nil {
		return err
	}
	if a.systemd, err = newNotifier(); err != nil {
		return text.Errorf("err_setting", "NOTIFY_SOCKET", err)
	}
	if a.metrics, err = newMetrics(c.MetricsListen); err != nil {
		return errors.Join(settings.With(settings.ExitUsage, err), a.systemd.close())
	}
	return nil
}

// run runs until the environment's context ends, then stops in order: the
// connection, the keeper, the minder with a last word in the status file.
func (a *agent) run() error {
	build := settings.ThisBuild()
	a.log.Info("agent", "client", a.token.ClientID, "server", a.token.ServerID, "segment", a.segment.path(),
		"settings", a.e.file, "version", build.Version, "commit", build.Commit)
	background, stop := context.WithCancel(context.WithoutCancel(a.e))
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { a.metrics.serve(background, a.log) })
	wg.Go(func() { a.change.run(background) })
	wg.Go(func() { a.mind(background) })
	err := a.connect()
	a.systemd.send("STOPPING=1")
	a.keeper.Close()
	stop()
	wg.Wait()
	if failed := a.report.end(); failed != nil {
		a.log.Warn("no status file", "error", failed)
	}
	a.log.Info("stopped")
	if failed := a.systemd.close(); failed != nil {
		a.log.Warn("systemd", "error", failed)
	}
	if a.e.Err() != nil { // asked to: the keys stay in the segment
		return nil
	}
	return err
}

// commandEnded is told how the command on a change ended.
func (a *agent) commandEnded(err error) {
	a.metrics.commands.WithLabelValues(result(err)).Inc()
	a.report.commandFailed(err)
	a.nudge()
}

// nudge has client and minder look again without waiting for their time.
func (a *agent) nudge() {
	for _, wake := range []chan struct{}{a.wakeClient, a.wakeMinder} {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

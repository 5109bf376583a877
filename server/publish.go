package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"hufu/server/keyservice"
	"hufu/server/publish"
	"hufu/server/web"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shm"
)

// segmentSettings name the centre's segment.
type segmentSettings struct {
	Shm           string `help:"${help_centre_shm}" env:"HUFU_SHM" placeholder:"NAME"`
	ShmDir        string `help:"${help_shm_dir}" default:"/dev/shm" env:"HUFU_SHM_DIR" placeholder:"DIR" type:"path"`
	ShmCapacity   int    `help:"${help_shm_capacity}" default:"65536" env:"HUFU_SHM_CAPACITY" placeholder:"N"`
	GroupReadable bool   `help:"${help_group}" env:"HUFU_GROUP_READABLE"`
}

func (c *segmentSettings) options() shm.Options {
	return shm.Options{Dir: c.ShmDir, Name: c.Shm, Capacity: c.ShmCapacity, GroupReadable: c.GroupReadable}
}

const maxShmCapacity = 1 << 24

// check refuses what can name no segment, as shm does.
func (c *segmentSettings) check() error {
	if c.Shm == "" {
		return nil
	}
	var errs []error
	r, err := shm.OpenReader(c.options())
	if err == nil {
		r.Close()
	}
	if errors.Is(err, shm.ErrName) {
		errs = append(errs, err)
	}
	if c.ShmCapacity < 1 || c.ShmCapacity > maxShmCapacity {
		errs = append(errs, text.Errorf("err_setting", "--shm-capacity", fmt.Errorf("%w: %d", shm.ErrCapacity, c.ShmCapacity)))
	}
	return errors.Join(errs...)
}

// publisher takes the segment.
func (c *segmentSettings) publisher(ctx context.Context, service *keyservice.Service, metrics *web.Metrics, log *slog.Logger) (*publish.Publisher, error) {
	p, err := publish.Open(ctx, service, c.options(), log)
	var small *publish.RoomError
	if errors.As(err, &small) {
		return nil, settings.With(settings.ExitSharedMemory, text.Errorf("err_shm_room", c.Shm, small.Capacity, small.Usable, small.Advised()))
	}
	if err != nil {
		return nil, settings.With(settings.ExitSharedMemory, err)
	}
	metrics.AttachSegment(func() (capacity, used, unpublished int) {
		s := p.Stats()
		return s.Capacity, s.Used, s.Unpublished
	})
	return p, nil
}

// publishCmd keeps a segment beside a server, or on another host at the centre.
type publishCmd struct {
	MetricsListen string `help:"${help_metrics_listen}" env:"HUFU_METRICS_LISTEN" placeholder:"ADDRESS"`
	segmentSettings
	logSettings
}

// Run is the command.
func (c *publishCmd) Run(e *env) error {
	err := c.segmentSettings.check()
	if c.Shm == "" {
		err = errors.Join(err, text.Errorf("err_no_shm"))
	}
	if err != nil {
		return settings.With(settings.ExitUsage, err)
	}
	log := c.logger(e)
	metrics := web.NewMetrics()
	in, err := e.openInstalled(keyservice.Config{Log: log, Meter: metrics})
	if err != nil {
		return err
	}
	metrics.AttachBehind(in.service.Behind)
	return errors.Join(c.publish(e, in, metrics, log), in.store.Close())
}

// publish works until a signal comes, or until metrics were asked for and
// cannot be had.
func (c *publishCmd) publish(e *env, in *installation, metrics *web.Metrics, log *slog.Logger) error {
	ctx, stop := context.WithCancel(e)
	defer stop()
	var listener net.Listener
	if c.MetricsListen != "" {
		var err error
		if listener, err = net.Listen("tcp", c.MetricsListen); err != nil {
			return text.Errorf("err_setting", "--metrics-listen", err)
		}
		defer listener.Close()
		log.Info("metrics", "url", "http://"+listener.Addr().String()+"/metrics")
	}
	p, err := c.publisher(ctx, in.service, metrics, log)
	if err != nil {
		return err
	}
	build := settings.ThisBuild()
	log.Info("publishing", "segment", c.Shm, "server", in.service.ServerID(), "store", in.where, "settings", e.file,
		"version", build.Version, "commit", build.Commit)
	var wg sync.WaitGroup
	wg.Go(func() { in.service.RunFollower(ctx) })
	wg.Go(func() { watchRing(ctx, in.ring, log) })
	wg.Go(func() { p.Run(ctx) })
	if listener != nil {
		err = metrics.Serve(ctx, listener)
		stop()
	}
	wg.Wait()
	log.Info("stopped")
	return err
}

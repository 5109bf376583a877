package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"hufu/server/keyservice"
	"hufu/server/publish"
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
func (c *segmentSettings) publisher(ctx context.Context, service *keyservice.Service, log *slog.Logger) (*publish.Publisher, error) {
	p, err := publish.Open(ctx, service, c.options(), log)
	var small *publish.RoomError
	if errors.As(err, &small) {
		return nil, settings.With(settings.ExitSharedMemory, text.Errorf("err_shm_room", c.Shm, small.Capacity, small.Usable, small.Advised()))
	}
	return p, settings.With(settings.ExitSharedMemory, err)
}

// publishCmd keeps a segment beside a server, or on another host at the centre.
type publishCmd struct {
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
	in, err := e.openInstalled(keyservice.Config{Log: log})
	if err != nil {
		return err
	}
	p, err := c.publisher(e, in.service, log)
	if err != nil {
		return errors.Join(err, in.store.Close())
	}
	build := settings.ThisBuild()
	log.Info("publishing", "segment", c.Shm, "server", in.service.ServerID(), "store", in.where, "settings", e.file,
		"version", build.Version, "commit", build.Commit)
	var wg sync.WaitGroup
	wg.Go(func() { in.service.RunFollower(e) })
	wg.Go(func() { watchRing(e, in.ring, log) })
	wg.Go(func() { p.Run(e) })
	wg.Wait()
	log.Info("stopped")
	return in.store.Close()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hufu/server/keyservice"
	"hufu/server/seal"
	"hufu/server/store/postgres"
	"hufu/server/store/sqlite"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// installation is a store, its key ring, and the rules over both.
type installation struct {
	store   keyservice.Store
	ring    *seal.Ring
	service *keyservice.Service
	where   string // the store, for people
}

// open opens the store, and makes the installation when the store is new.
func (e *env) open(cfg keyservice.Config) (*installation, error) {
	if err := e.Common.check(); err != nil {
		return nil, settings.With(settings.ExitUsage, err)
	}
	store, where, err := e.openStore()
	if err != nil {
		return nil, err
	}
	in := &installation{store: store, where: where}
	if err := in.start(e, cfg); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return in, nil
}

// openInstalled opens a store that a server has used, for one who only reads it.
func (e *env) openInstalled(cfg keyservice.Config) (*installation, error) {
	store, where, err := e.openStore()
	if err != nil {
		return nil, err
	}
	in := &installation{store: store, where: where}
	installed, err := store.Installation(e)
	if err == nil {
		in.ring, err = e.loadRing(installed)
	}
	if err == nil {
		err = in.rule(e, cfg)
	}
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return in, nil
}

// start loads the key ring and makes the rules over both.
func (in *installation) start(e *env, cfg keyservice.Config) (err error) {
	if in.ring, err = e.openRing(in.store); err != nil {
		return err
	}
	return in.rule(e, cfg)
}

// rule makes the rules over store and key ring.
func (in *installation) rule(e *env, cfg keyservice.Config) (err error) {
	cfg.ServerID, cfg.URL = in.ring.ServerID(), e.URL
	if cfg.Now, err = in.clock(e, cfg.Log); err != nil {
		return err
	}
	in.service, err = keyservice.New(cfg, in.store, in.ring)
	return err
}

// openStore opens PostgreSQL where it is configured, else the embedded store,
// whose schema it brings up to date.
func (e *env) openStore() (keyservice.Store, string, error) {
	url, err := e.databaseURL()
	if err != nil {
		return nil, "", err
	}
	if url != "" {
		store, err := postgres.Open(e, url, postgres.Options{})
		return store, "PostgreSQL", settings.With(settings.ExitUnreachable, err)
	}
	if err := os.MkdirAll(e.Data, 0o700); err != nil {
		return nil, "", err
	}
	path := e.sqlitePath()
	if err := sqlite.Migrate(e, path); err != nil {
		return nil, "", err
	}
	store, err := sqlite.Open(e, path)
	return store, path, err
}

func (e *env) sqlitePath() string { return filepath.Join(e.Data, "hufu.db") }

const maxURLFile = 4096

// databaseURL is PostgreSQL's address, which may hold a password: from a 0600
// file or the environment, never from the command line.
func (e *env) databaseURL() (string, error) {
	if e.DatabaseURLFile == "" {
		return e.DatabaseURL, nil
	}
	url, err := readURL(e.DatabaseURLFile)
	if err != nil {
		return "", settings.With(settings.ExitUsage, text.Errorf("err_setting", "--database-url-file", err))
	}
	return url, nil
}

func readURL(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := settings.Private(f); err != nil {
		return "", err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxURLFile))
	url := strings.TrimSpace(string(b))
	if err == nil && url == "" {
		return "", text.Errorf("err_empty_url")
	}
	return url, err
}

// openRing loads the key ring and checks that the store was sealed under it.
// For a store that is new it makes both.
func (e *env) openRing(store keyservice.Store) (*seal.Ring, error) {
	installed, err := store.Installation(e)
	if errors.Is(err, keyservice.ErrNotInstalled) {
		installed, err = e.install(store, e.ringPath())
	}
	if err != nil {
		return nil, err
	}
	return e.loadRing(installed)
}

func (e *env) ringPath() string {
	if e.KeyRing != "" {
		return e.KeyRing
	}
	return filepath.Join(e.Data, "keyring.json")
}

// loadRing loads the key ring that an installation's store was sealed under.
func (e *env) loadRing(installed keyservice.Installation) (*seal.Ring, error) {
	path := e.ringPath()
	ring, err := seal.Load(path)
	if err != nil {
		return nil, err
	}
	if err := ring.OpenCheck(installed.RingCheck); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if ring.ServerID() != installed.ServerID {
		return nil, text.Errorf("err_ring_server", path, ring.ServerID(), installed.ServerID, seal.ErrWrongRing)
	}
	return ring, nil
}

// install makes the key ring, if it is not there, and writes to the store whose it is.
func (e *env) install(store keyservice.Store, path string) (keyservice.Installation, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return keyservice.Installation{}, err
	}
	ring, err := seal.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		ring, err = seal.Create(path, e.ServerID)
	}
	if err != nil {
		return keyservice.Installation{}, err
	}
	check, err := ring.SealCheck()
	if err != nil {
		return keyservice.Installation{}, err
	}
	i := keyservice.Installation{ServerID: ring.ServerID(), RingCheck: check, CreatedAt: time.Now().UTC().Truncate(time.Millisecond)}
	if err := store.Install(e, i); err != nil {
		return i, err
	}
	return store.Installation(e)
}

// with runs one administrative command over the installation, its writer running.
func (e *env) with(do func(in *installation) error) error {
	in, err := e.open(keyservice.Config{Log: slog.New(slog.NewTextHandler(e.stderr, &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(e)
	var wg sync.WaitGroup
	wg.Go(func() { in.service.RunWriter(ctx) })
	err = do(in)
	stop()
	wg.Wait()
	return errors.Join(refusal(err), in.store.Close())
}

// refusal gives what the rules refuse its exit code.
func refusal(err error) error {
	var code wire.Code
	switch {
	case errors.Is(err, keyservice.ErrNoOutlet), errors.Is(err, keyservice.ErrExists):
		return settings.With(settings.ExitRefused, err)
	case errors.As(err, &code) && code == wire.CodeBusy:
		return settings.With(settings.ExitUnreachable, err)
	case errors.As(err, &code):
		return settings.With(settings.ExitRefused, err)
	}
	return err
}

// clockSlack is by how much two servers' clocks may differ without a word.
const clockSlack = time.Minute

// clock is the machine's time as it was when the process began, carried on by
// a clock that counts suspend and cannot be set: a change of the machine's time
// neither lengthens a key's life nor shortens it. It begins no earlier than the
// newest record, so that a clock which was set back while no server ran
// lengthens none either.
func (in *installation) clock(e *env, log *slog.Logger) (func() time.Time, error) {
	newest, err := in.store.Events(e, keyservice.EventQuery{Limit: 1})
	if err != nil {
		return nil, err
	}
	began, boot := time.Now().Round(0), sinceBoot()
	if len(newest) > 0 && newest[0].At.After(began) {
		if newest[0].At.After(began.Add(clockSlack)) {
			log.Warn("the machine's clock stands before the newest record; going on from that record's time: check the clock",
				"clock", began.UTC(), "record", newest[0].At)
		}
		began = newest[0].At
	}
	return func() time.Time { return began.Add(sinceBoot() - boot) }, nil
}

func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic("hufu-server: this kernel has no CLOCK_BOOTTIME: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(ts.Nano())
}

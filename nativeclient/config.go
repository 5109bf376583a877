package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"hufu/shared/cli"
	"hufu/shared/settings"
	"hufu/shm"
)

// configCmd is about the settings. It takes the agent's flags, so that it tells
// of a command line what the agent would.
type configCmd struct {
	agentSettings
	Check   configCheckCmd   `cmd:"" help:"${help_config_check}"`
	Show    configShowCmd    `cmd:"" help:"${help_config_show}"`
	Example settings.Example `cmd:"" help:"${help_config_example}"`
}

// configCheckCmd finds what is wrong with the settings.
type configCheckCmd struct{}

// Run is the command.
func (*configCheckCmd) Run(e *env, c *configCmd) error {
	_, tls := e.tlsConfig()
	if err := errors.Join(e.checkSegment(), tls, c.agentSettings.check()); err != nil {
		return settings.With(settings.ExitUsage, err)
	}
	shown := struct {
		OK   bool   `json:"ok"`
		File string `json:"file,omitempty"`
	}{true, e.file}
	return e.Show(shown, func() string {
		if e.file == "" {
			return e.T("config_no_file", strings.Join(settings.Places(settingsFile), ", "))
		}
		return e.T("config_ok", e.file)
	})
}

// maxCapacity is the greatest capacity that a segment can have.
const maxCapacity = 1 << 24

// checkSegment refuses what can name no segment, as shm does. Whether there is
// one is not a matter of settings.
func (c *Common) checkSegment() error {
	r, err := shm.OpenReader(c.segment())
	if err == nil {
		r.Close()
	}
	var errs []error
	if errors.Is(err, shm.ErrName) {
		errs = append(errs, err)
	}
	if c.Capacity < 1 || c.Capacity > maxCapacity {
		errs = append(errs, fmt.Errorf("%w: %d", shm.ErrCapacity, c.Capacity))
	}
	return errors.Join(errs...)
}

// configShowCmd shows every setting and where its value came from.
type configShowCmd struct{}

// Run is the command.
func (*configShowCmd) Run(e *env, ctx *kong.Context, p *settings.Program) error {
	return cli.ShowSettings(e.Output, p, ctx)
}

package main

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/term"

	"hufu/shared/client"
	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
	"hufu/shm"
)

// enrolCmd takes a token. The stored enrolment is replaced only when the new
// one has opened.
type enrolCmd struct {
	TokenFile string `help:"${help_enrol_token_file}" placeholder:"FILE" type:"path"`
}

// Run is the command.
func (c *enrolCmd) Run(e *env) error {
	t, err := c.token(e)
	if err != nil {
		return settings.With(settings.ExitUsage, err)
	}
	defer t.Secret.Zero()
	d, err := e.dialer(t)
	if err != nil {
		return err
	}
	if err := e.first(t, func(ctx context.Context, address string) error {
		return client.OpenOnce(ctx, d, address, t, client.Options{Clock: bootClock})
	}); err != nil {
		return unreachable(err)
	}
	if err := e.storeToken(t); err != nil {
		return err
	}
	shown := struct {
		ClientID string `json:"clientId"`
		ServerID string `json:"serverId"`
		Role     string `json:"role"`
		Epoch    uint64 `json:"epoch"`
		URL      string `json:"url"`
	}{t.ClientID, t.ServerID, t.Role.String(), t.Epoch, t.URL}
	return e.Show(shown, func() string {
		next := e.T("next_outlet")
		if t.Role != wire.RoleOutlet {
			next = e.T("next_person")
		}
		return e.T("enrolled", t.ClientID, e.T("role_"+t.Role.String()), t.ServerID, t.URL) + "\n" + next
	})
}

// token comes from a file, a prompt that does not echo, or standard input.
func (c *enrolCmd) token(e *env) (*wire.Token, error) {
	if c.TokenFile != "" {
		t, err := readTokenFile(c.TokenFile)
		if err != nil {
			return nil, text.Errorf("err_setting", "--token-file", err)
		}
		return t, nil
	}
	if !isTerminal(e.stdin) {
		return readToken(e.stdin)
	}
	typed, err := e.prompt(e.T("ask_token"))
	if err != nil && !errors.Is(err, io.EOF) { // with EOF there is no token
		return nil, err
	}
	return wire.DecodeToken(typed)
}

// prompt reads a line that is not shown. The terminal shows nothing from before
// the question is there, so that nobody can answer too early.
func (e *env) prompt(question string) (string, error) {
	fd := int(e.stdin.(*os.File).Fd())
	was, err := term.MakeRaw(fd)
	if err != nil {
		return "", err
	}
	defer term.Restore(fd, was)
	screen := struct {
		io.Reader
		io.Writer
	}{e.stdin, e.stderr}
	return term.NewTerminal(screen, "").ReadPassword(question)
}

// unenrolCmd forgets the enrolment: its secret and its keys in shared memory.
type unenrolCmd struct{}

// Run is the command. The server is not told: its operator disables the outlet.
func (c *unenrolCmd) Run(e *env) error {
	t, err := e.loadToken()
	if err != nil {
		return err
	}
	t.Secret.Zero()
	n, err := e.wipeClient(t.ClientID)
	if err != nil {
		return segmentError(err)
	}
	if err := e.wipeToken(); err != nil {
		return err
	}
	shown := struct {
		ClientID string `json:"clientId"`
		Wiped    int    `json:"wipedKeys"`
	}{t.ClientID, n}
	return e.Show(shown, func() string { return e.T("unenrolled", t.ClientID, n) })
}

// wipeClient wipes every key of a client from the segment, if there is one.
func (e *env) wipeClient(clientID string) (n int, err error) {
	w, err := shm.OpenWriter(e.segment())
	if errors.Is(err, shm.ErrNoSegment) {
		return 0, nil
	}
	if err != nil {
		return 0, settings.With(settings.ExitSharedMemory, lockedBy(err, e.segment()))
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	for _, entry := range w.Entries(clientID) {
		entry.Key.Zero()
		if !entry.Usable {
			continue
		}
		if err := w.Wipe(clientID, entry.SeckeyID, shm.Expired); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

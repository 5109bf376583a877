package cli

import (
	"errors"
	"fmt"
	"os"

	"hufu/shared/settings"
	"hufu/shared/text"
	"hufu/shared/wire"
)

// TokenOut is where a new token goes: a new file that only its owner can read,
// or standard output. It is made before the token is, so that none is lost for
// want of a place.
type TokenOut struct {
	file *os.File // nil: standard output
}

// NewTokenOut makes the file, which must not be there yet. An empty path is
// standard output.
func NewTokenOut(path string) (*TokenOut, error) {
	if path == "" {
		return &TokenOut{}, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, settings.With(settings.ExitUsage, text.Errorf("err_setting", "--token-file", err))
	}
	return &TokenOut{f}, nil
}

// Discard takes the file away again: there is no token.
func (o *TokenOut) Discard() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	if errors.Is(err, os.ErrClosed) { // it was written
		err = nil
	}
	return errors.Join(err, os.Remove(o.file.Name()))
}

// Write puts the token into the file, durably, and closes it.
func (o *TokenOut) Write(token string) error {
	_, err := fmt.Fprintln(o.file, token)
	return errors.Join(err, o.file.Sync(), o.file.Close())
}

// Deliver writes the token, and shows whose it is and where it stands.
func (o *TokenOut) Deliver(out text.Output, t *wire.Token) error {
	token, err := t.Encode()
	if err != nil {
		return err
	}
	shown := struct {
		ID        string `json:"id"`
		Role      string `json:"role"`
		Epoch     uint64 `json:"epoch"`
		Token     string `json:"token,omitempty"`
		TokenFile string `json:"tokenFile,omitempty"`
	}{ID: t.ClientID, Role: t.Role.String(), Epoch: t.Epoch}
	if o.file == nil {
		shown.Token = token
		return out.Show(shown, func() string { return out.T("token_shown", t.ClientID, t.Epoch, token) })
	}
	if err := o.Write(token); err != nil {
		return err
	}
	shown.TokenFile = o.file.Name()
	return out.Show(shown, func() string { return out.T("token_written", t.ClientID, t.Epoch, shown.TokenFile) })
}

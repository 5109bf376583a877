//go:build amd64 || arm64

package shm

import (
	"fmt"
	"path/filepath"
	"strings"
)

const (
	defaultDir    = "/dev/shm"
	confirmSuffix = ".confirm"
	maxName       = 200
	maxCapacity   = 1 << 24
)

// checkName keeps a name inside its folder and apart from the names of the second files.
func checkName(name string) error {
	if name == "" || len(name) > maxName || name[0] == '.' ||
		strings.ContainsAny(name, "/\x00") || strings.HasSuffix(name, confirmSuffix) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}

// checkID accepts the identifiers of the protocol.
func checkID(id string) error {
	if len(id) < 1 || len(id) > MaxID {
		return fmt.Errorf("%w: %d bytes", ErrClientID, len(id))
	}
	for i := range len(id) {
		if !idByte(id[i]) {
			return fmt.Errorf("%w: %q", ErrClientID, id)
		}
	}
	return nil
}

func idByte(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '_' || c == '.' || c == '-'
}

// path returns the segment's path, after checking the name.
func (o Options) path() (string, error) {
	if err := checkName(o.Name); err != nil {
		return "", err
	}
	dir := o.Dir
	if dir == "" {
		dir = defaultDir
	}
	return filepath.Join(dir, o.Name), nil
}

func (o Options) mode() uint32 {
	if o.GroupReadable {
		return 0o640
	}
	return 0o600
}

// checkEntry says what Put cannot store.
func checkEntry(e *Entry, now BootTime) error {
	if err := checkID(e.ClientID); err != nil {
		return fmt.Errorf("client %w", err)
	}
	if err := checkID(e.ServerID); err != nil {
		return fmt.Errorf("server %w", err)
	}
	switch {
	case e.SeckeyID == 0:
		return fmt.Errorf("%w: key numbers begin at 1", ErrEntry)
	case !e.State.holdsKey():
		return fmt.Errorf("%w: %v", ErrEntry, e.State)
	case e.Key == Key{}:
		return fmt.Errorf("%w: the key is all zero", ErrEntry)
	case e.NotAfter <= e.NotBefore:
		return fmt.Errorf("%w: it ends before it begins", ErrEntry)
	case e.NotAfter <= now:
		return fmt.Errorf("%w: its end has passed", ErrNotUsable)
	}
	return nil
}

// holdsKey tells whether an entry of this state may hold key bytes.
func (s State) holdsKey() bool { return s >= Pending && s <= Retired }

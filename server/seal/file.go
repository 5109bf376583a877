package seal

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrFile says that the ring's file is not safe to use.
var ErrFile = errors.New("seal: the key ring's file cannot be used")

// fileRing is the form of the file: JSON, 0600.
type fileRing struct {
	Version  int       `json:"version"`
	ServerID string    `json:"serverId"`
	Keys     []fileKey `json:"keys"`
}

type fileKey struct {
	Number  uint32    `json:"number"`
	Status  Status    `json:"status"`
	Created time.Time `json:"created"`
	Key     string    `json:"key"` // base64, 32 bytes
}

const maxFile = 1 << 20

// Create makes a ring for a new installation and its file, which must not exist.
func Create(path, serverID string) (*Ring, error) {
	r := newRing(serverID, time.Now())
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%w: %s exists already", ErrFile, path)
	}
	return r, r.write(path)
}

// Load reads a ring. The file must be a regular one of the user's own that
// nobody else may read or write.
func Load(path string) (*Ring, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer f.Close()
	if err := safe(f); err != nil {
		return nil, fmt.Errorf("%w: %s %w", ErrFile, path, err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer clear(raw)
	r, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, path, err)
	}
	return r, nil
}

func safe(f *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("is not a regular file")
	case int(st.Uid) != os.Geteuid():
		return errors.New("belongs to another user")
	case st.Mode&0o077 != 0:
		return fmt.Errorf("can be read by others (mode %04o); run: chmod 600", st.Mode&0o777)
	}
	return nil
}

func parse(raw []byte) (*Ring, error) {
	var file fileRing
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, errors.New("it is not a key ring")
	}
	if file.Version != 1 || file.ServerID == "" {
		return nil, errors.New("it is not a key ring of this version")
	}
	r := &Ring{serverID: file.ServerID}
	primaries, seen := 0, make(map[uint32]bool)
	for _, fk := range file.Keys {
		secret, err := base64.StdEncoding.Strict().DecodeString(fk.Key)
		if err != nil || len(secret) != keySize || fk.Number == 0 || seen[fk.Number] {
			return nil, fmt.Errorf("key %d is damaged", fk.Number)
		}
		switch fk.Status {
		case Primary:
			primaries++
		case Active, Retired:
		default:
			return nil, fmt.Errorf("key %d has an unknown status", fk.Number)
		}
		seen[fk.Number] = true
		r.keys = append(r.keys, Key{Number: fk.Number, Status: fk.Status, Created: fk.Created, secret: [keySize]byte(secret)})
		clear(secret)
	}
	if primaries != 1 {
		return nil, fmt.Errorf("it has %d primary keys, not one", primaries)
	}
	return r, nil
}

// write replaces the file as a whole, durably.
func (r *Ring) write(path string) error {
	file := fileRing{Version: 1, ServerID: r.serverID}
	for _, k := range r.keys {
		file.Keys = append(file.Keys, fileKey{k.Number, k.Status, k.Created, base64.StdEncoding.EncodeToString(k.secret[:])})
	}
	raw, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	defer clear(raw)
	return replace(path, append(raw, '\n'))
}

// replace writes beside the file, fsyncs, renames over it and fsyncs the folder.
func replace(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".ring-*") // 0600
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

package seal

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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
	r.path = path
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%w: %s exists already", ErrFile, path)
	}
	return r, r.write()
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
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	r.path, r.read = path, st.ModTime()
	return r, nil
}

// Reload takes the ring's file again if it has been replaced, and reports
// whether it was. A file that cannot be used, or that lacks a key which is in
// use, changes nothing.
func (r *Ring) Reload() (bool, error) {
	st, err := os.Stat(r.path)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrFile, err)
	}
	r.mu.RLock()
	same := st.ModTime().Equal(r.read)
	r.mu.RUnlock()
	if same {
		return false, nil
	}
	fresh, err := Load(r.path)
	if err != nil {
		return false, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if fresh.serverID != r.serverID {
		return false, fmt.Errorf("%w: %s: it belongs to the server %s", ErrFile, r.path, fresh.serverID)
	}
	for _, k := range r.keys {
		if !slices.ContainsFunc(fresh.keys, func(f Key) bool { return f.Number == k.Number && f.secret == k.secret }) {
			return false, fmt.Errorf("%w: %s: key %d is gone from it", ErrFile, r.path, k.Number)
		}
	}
	r.keys, r.read = fresh.keys, fresh.read
	return true, nil
}

// Add puts a fresh key into the ring and its file, which opens and does not
// seal yet: every server that uses a copy of the file must have it before
// Promote. It returns the key's number.
func (r *Ring) Add(now time.Time) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number := r.add(now)
	return number, r.write()
}

// Promote makes the newest key the primary one, in the file too, and returns
// its number.
func (r *Ring) Promote() (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	number := r.newest()
	r.promote(number)
	return number, r.write()
}

// Retire marks every key but the primary one as sealing nothing any more, in
// the file too. They stay, for old backups.
func (r *Ring) Retire() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.keys {
		if r.keys[i].Status == Active && r.keys[i].Number < r.newest() {
			r.keys[i].Status = Retired
		}
	}
	return r.write()
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
func (r *Ring) write() error {
	file := fileRing{Version: 1, ServerID: r.serverID}
	for _, k := range r.keys {
		file.Keys = append(file.Keys, fileKey{k.Number, k.Status, k.Created, base64.StdEncoding.EncodeToString(k.secret[:])})
	}
	raw, err := json.MarshalIndent(file, "", "  ")
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	defer clear(raw)
	return replace(r.path, append(raw, '\n'))
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

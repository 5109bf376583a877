//go:build amd64 || arm64

package shm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// fileID tells one file from another that took over its name.
type fileID struct{ dev, ino uint64 }

func idOf(st *unix.Stat_t) fileID { return fileID{uint64(st.Dev), st.Ino} }

// openFile opens path without following a link and refuses what is not a plain file with one name. Owner
// and mode are the caller's to check.
func openFile(path string, flags int) (int, unix.Stat_t, error) {
	var st unix.Stat_t
	// O_NONBLOCK: a FIFO in place of the segment must not hold us.
	fd, err := unix.Open(path, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ELOOP):
		return -1, st, fmt.Errorf("%s: %w", path, ErrSymlink)
	case errors.Is(err, unix.ENOENT):
		return -1, st, fmt.Errorf("%s: %w (%w)", path, ErrNoSegment, fs.ErrNotExist)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return -1, st, fmt.Errorf("%s: %w (%w)", path, ErrAccess, fs.ErrPermission)
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		return -1, st, fmt.Errorf("%s: %w", path, ErrNotRegular)
	case err != nil:
		return -1, st, fmt.Errorf("shm: open %s: %w", path, err)
	}
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
		err = fmt.Errorf("shm: fstat %s: %w", path, err)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = fmt.Errorf("%s: %w", path, ErrNotRegular)
	case st.Nlink > 1:
		err = fmt.Errorf("%s: %w", path, ErrHardLink)
	case st.Nlink == 0:
		err = fmt.Errorf("%s: %w (%w)", path, ErrNoSegment, fs.ErrNotExist) // unlinked since we opened it
	}
	if err != nil {
		unix.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}

func permissions(st *unix.Stat_t) uint32 { return st.Mode & 0o7777 }

// checkOwned is what a writer demands of its files: its own, and of exactly this mode.
func checkOwned(path string, st *unix.Stat_t, mode uint32) error {
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s: %w (uid %d)", path, ErrOwner, st.Uid)
	}
	if p := permissions(st); p != mode {
		return fmt.Errorf("%s: %w (it is %04o, expected %04o)", path, ErrMode, p, mode)
	}
	return nil
}

// checkReadable is what a reader demands. A foreign owner passes only with a group-readable file, since
// the reader's rights then come from a group that the administrator gave it, or by name in Options.Owner.
func checkReadable(path string, st *unix.Stat_t, owner *int) error {
	p := permissions(st)
	if p != 0o600 && p != 0o640 {
		return fmt.Errorf("%s: %w (it is %04o)", path, ErrMode, p)
	}
	uid := int(st.Uid)
	ok := uid == os.Geteuid() || p == 0o640
	if owner != nil {
		ok = uid == *owner
	}
	if !ok {
		return fmt.Errorf("%s: %w (uid %d)", path, ErrOwner, uid)
	}
	return nil
}

// newFile makes a file of exactly this size and mode, has fill write its head, and gives it its name last,
// so that nobody ever opens half a file. fs.ErrExist if the name is taken.
func newFile(path string, size int64, mode uint32, fill func(fd int) error) error {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("shm: create %s: %w", path, err)
	}
	defer unix.Close(fd)
	// Room is taken now: a sparse file on a full tmpfs would answer a later write with SIGBUS.
	if err := unix.Fallocate(fd, 0, 0, size); errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("%s: %d bytes: %w (%w)", path, size, ErrNoSpace, err)
	} else if err != nil {
		return fmt.Errorf("shm: allocate %s: %w", path, err)
	}
	if err := fill(fd); err != nil {
		return fmt.Errorf("shm: write %s: %w", path, err)
	}
	if err := unix.Fchmod(fd, mode); err != nil { // the umask has no say
		return fmt.Errorf("shm: chmod %s: %w", path, err)
	}
	err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: %w", path, fs.ErrExist)
	} else if err != nil {
		return fmt.Errorf("shm: link %s: %w", path, err)
	}
	return nil
}

// sameFile tells whether path still names this file.
func sameFile(path string, id fileID) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && idOf(&st) == id
}

package shm

import "errors"

// The errors of this package. Compare with errors.Is; what is returned says which file or key besides.
var (
	ErrUnsupported = errors.New("shm: shared memory needs Linux on amd64 or arm64")

	// Arguments.
	ErrName     = errors.New("shm: bad segment name: give 1 to 200 bytes without '/', no leading '.', not ending in .confirm")
	ErrClientID = errors.New("shm: bad id: give 1 to 11 characters of 0-9 A-Z a-z . _ -")
	ErrEntry    = errors.New("shm: bad entry")
	ErrCapacity = errors.New("shm: bad capacity: give 1 to 16777216 entries, and for an existing segment the number it has, or destroy it first")

	// Files.
	ErrNoSegment  = errors.New("shm: no such segment: create it, or check its name")
	ErrSymlink    = errors.New("shm: refused, a symbolic link stands in place of the segment: find out who put it there and remove it")
	ErrNotRegular = errors.New("shm: refused, not a regular file: remove what stands in place of the segment")
	ErrHardLink   = errors.New("shm: refused, the file has a second hard link: find out who made it and remove the other name")
	ErrOwner      = errors.New("shm: refused, the file belongs to another user: run as its owner, or use another name")
	ErrMode       = errors.New("shm: refused, wrong file mode: set it to what the settings say (0600, or 0640 if group-readable), or destroy and create the segment")
	ErrAccess     = errors.New("shm: no permission: run as the segment's owner, or join its group if it is group-readable")
	ErrBadMagic   = errors.New("shm: not a Hufu segment: use another name, or destroy and create it")
	ErrLayout     = errors.New("shm: unknown layout version: use the same release of Hufu at both ends, or destroy and create the segment")
	ErrTooSmall   = errors.New("shm: the file's size does not fit its head: destroy and create the segment")
	ErrNoSpace    = errors.New("shm: no space for the segment: lower the capacity, or give /dev/shm more room")
	ErrLocked     = errors.New("shm: another writer has the segment open: stop it first, there is one writer at a time")
	ErrGone       = errors.New("shm: the segment was destroyed: create it again, readers then follow by themselves")
	ErrClosed     = errors.New("shm: closed")

	// Keys.
	ErrNotFound  = errors.New("shm: no such key")
	ErrNoCurrent = errors.New("shm: no current key: negotiate one")
	ErrNotUsable = errors.New("shm: the key is not usable any more")
	ErrFull      = errors.New("shm: no room for another key: create the segment with a greater capacity")
	ErrExists    = errors.New("shm: a key of this number is there already")
	ErrOrder     = errors.New("shm: a key with a greater number is current already")
	ErrState     = errors.New("shm: states only grow")
)

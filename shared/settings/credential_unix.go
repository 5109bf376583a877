//go:build unix

package settings

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// isCredential reports whether a file is one of those that systemd hands to a
// service: inside of $CREDENTIALS_DIRECTORY, root's or the service's own, and
// written by nobody. systemd may let the service read a file of root's by an
// access list, which shows as a right of the group (0440).
func isCredential(path string, st fs.FileInfo) bool {
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	path, err := filepath.Abs(path)
	if dir == "" || err != nil || !strings.HasPrefix(path, filepath.Clean(dir)+string(filepath.Separator)) {
		return false
	}
	sys, is := st.Sys().(*syscall.Stat_t)
	owned := is && (sys.Uid == 0 || int(sys.Uid) == os.Geteuid())
	return owned && st.Mode().IsRegular() && st.Mode().Perm()&0o027 == 0
}

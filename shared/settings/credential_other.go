//go:build !unix

package settings

import "io/fs"

// isCredential reports that there is no systemd here.
func isCredential(string, fs.FileInfo) bool { return false }

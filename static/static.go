// Package static embeds the console as static/build has prepared it in dist:
// compressed, and listed in manifest.json. Where nothing was prepared, as in a
// fresh clone before make build, dist is empty.
package static

import "embed"

// Dist holds Folder.
//
//go:embed all:dist
var Dist embed.FS

const (
	// Folder is where all of it stands in Dist.
	Folder = "dist"
	// ManifestName is the list of the files, JSON of Manifest.
	ManifestName = Folder + "/manifest.json"
)

// Manifest lists the console's files.
type Manifest struct {
	Files []File
}

// File is one file of the console. Only its compressed forms are embedded.
type File struct {
	Path      string // below the console's address; empty: the page itself
	Type      string // Content-Type
	Size      int    // bytes, uncompressed
	Hash      string // of the content, in hex
	Immutable bool   // its path changes with its content
	Brotli    string // name in Folder
	Gzip      string // name in Folder
}

//go:build race

package browser

// The server is built as the tests are. Times are then not comparable.
var (
	buildFlags = []string{"-race"}
	raced      = true
)

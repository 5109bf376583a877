//go:build race

package browser

// The server is built as the tests are.
var buildFlags = []string{"-race"}

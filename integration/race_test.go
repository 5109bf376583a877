//go:build race

package integration

// The binaries are built as the tests are.
var buildFlags = []string{"-race"}

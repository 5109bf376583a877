//go:build !hufutest

package main

import (
	"io"
	"syscall/js"
)

// extend adds nothing to what the page gets; a build for tests does.
func extend(js.Value) {}

// randomness is the system's.
func randomness() io.Reader { return nil }

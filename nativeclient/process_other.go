//go:build !unix

package main

import "os/exec"

// noCore has nothing to do: there are no core dumps.
func noCore() error { return nil }

// inGroup and killGroup have nothing to do where there is no agent: it needs
// shared memory.
func inGroup(*exec.Cmd)   {}
func killGroup(*exec.Cmd) {}

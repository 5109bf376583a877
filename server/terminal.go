package main

import (
	"os"

	"golang.org/x/sys/unix"

	"hufu/shared/text"
)

// progress shows how far a long piece of work has come, where a person looks.
func (e *env) progress(total int) *text.Progress {
	if !e.JSON && isTerminal(e.stderr) {
		return text.NewProgress(e.stderr, total)
	}
	return text.NewProgress(nil, total)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// runFolder is where an agent's status file stands: as set, else what systemd
// or the session gives for it, else beside the enrolment.
func runFolder(set, home string) string { return runFolders(set, home)[0] }

// runFolders are where it may stand, if none is set.
func runFolders(set, home string) (folders []string) {
	if set != "" {
		return []string{set}
	}
	if given, _, _ := strings.Cut(os.Getenv("RUNTIME_DIRECTORY"), ":"); given != "" {
		folders = append(folders, given)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		folders = append(folders, filepath.Join(dir, "hufu"))
	}
	return append(folders, home)
}

// serviceRun is the run folder of the service, for those who ask from outside.
const serviceRun = "/run/hufu"

// readState reads the status file that was written last; nil: there is none.
func readState(set, home, segment string) (*agentState, error) {
	folders := runFolders(set, home)
	if set == "" {
		folders = append(folders, serviceRun)
	}
	var newest *agentState
	var newestAt time.Time
	for _, folder := range folders {
		path := filepath.Join(folder, statusName(segment))
		st, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var state agentState
		if err := json.Unmarshal(raw, &state); err != nil {
			return nil, err
		}
		if newest == nil || st.ModTime().After(newestAt) {
			newest, newestAt = &state, st.ModTime()
		}
	}
	return newest, nil
}

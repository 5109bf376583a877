package main

import (
	"strconv"
	"time"

	"hufu/shared/settings"
	"hufu/shm"
)

// showCmd shows what stands in shared memory: fingerprints, never keys.
type showCmd struct {
	Watch bool `help:"${help_watch}"`
}

// entryOut is an entry as --json shows it.
type entryOut struct {
	ClientID    string     `json:"clientId"`
	ServerID    string     `json:"serverId"`
	Seckeyid    uint64     `json:"seckeyid"`
	Status      int        `json:"status"`
	State       string     `json:"state"`
	Current     bool       `json:"current"`
	Fingerprint string     `json:"fingerprint"`
	NotAfter    *time.Time `json:"notAfter,omitempty"`
	state       shm.State
	end         shm.BootTime
}

// Run is the command.
func (c *showCmd) Run(e *env) error {
	if c.Watch {
		return e.watch()
	}
	r, err := shm.OpenReader(e.segment())
	if err != nil {
		return settings.With(settings.ExitSharedMemory, err)
	}
	defer r.Close()
	return e.showRows(entriesOf(r))
}

// showRows shows entries.
func (e *env) showRows(entries []entryOut) error {
	rows := e.Rows("col_outlet", "col_server", "col_key", "col_shm_status", "col_state", "col_current", "col_fp", "col_not_after")
	for _, out := range entries {
		current, end := "-", "-"
		if out.NotAfter != nil {
			end = out.NotAfter.Local().Format(time.DateTime)
		}
		if out.Current {
			current = e.T("yes")
		}
		rows.Add(out, out.ClientID, out.ServerID, strconv.FormatUint(out.Seckeyid, 10), strconv.Itoa(out.Status),
			e.entryState(out.state), current, out.Fingerprint, end)
	}
	return rows.Write()
}

// entriesOf lists every entry, without its key.
func entriesOf(r *shm.Reader) (list []entryOut) {
	for _, entry := range r.Entries("") {
		entry.Key.Zero()
		out := entryOut{ClientID: entry.ClientID, ServerID: entry.ServerID, Seckeyid: entry.SeckeyID,
			State: entry.State.String(), Fingerprint: entry.Fingerprint.String(), state: entry.State}
		if entry.Usable {
			out.Status, out.end = 1, entry.NotAfter
			notAfter := fromBoot(time.Duration(entry.NotAfter))
			out.NotAfter = &notAfter
		}
		if now, err := r.Current(entry.ClientID); err == nil && now.SeckeyID == entry.SeckeyID {
			now.Key.Zero()
			out.Current = true
		}
		list = append(list, out)
	}
	return list
}

// entryState words a state as it stands in a segment.
func (e *env) entryState(s shm.State) string {
	if s == shm.Pending {
		return e.T("open_only")
	}
	return e.T("state_" + s.String())
}

// shmCreateCmd makes the segment.
type shmCreateCmd struct{}

// Run is the command.
func (c *shmCreateCmd) Run(e *env) error {
	if err := shm.Create(e.segment()); err != nil {
		return settings.With(settings.ExitSharedMemory, err)
	}
	return e.segmentInfo()
}

// shmInfoCmd tells about the segment.
type shmInfoCmd struct{}

// Run is the command.
func (c *shmInfoCmd) Run(e *env) error { return e.segmentInfo() }

func (e *env) segmentInfo() error {
	r, err := shm.OpenReader(e.segment())
	if err != nil {
		return settings.With(settings.ExitSharedMemory, err)
	}
	defer r.Close()
	i := r.Info()
	out := struct {
		Path      string `json:"path"`
		Total     int    `json:"total"`
		UseNum    int    `json:"useNum"`
		Size      int64  `json:"size"`
		Mode      string `json:"mode"`
		Layout    int    `json:"layout"`
		BootMatch bool   `json:"thisBoot"`
		WriterPID int    `json:"writerPid"`
		Writing   bool   `json:"writing"`
	}{i.Path, i.Total, i.Used, i.Size, "0" + strconv.FormatUint(uint64(i.Mode), 8), i.LayoutVersion, i.BootMatch, i.WriterPID, i.Locked}
	return e.Show(out, func() string {
		writer := e.T("no_writer")
		if i.Locked {
			writer = e.T("writer_pid", i.WriterPID)
		}
		return e.T("segment_line", out.Path, out.Total, out.UseNum, out.Size, out.Mode, writer)
	})
}

// shmDestroyCmd wipes the segment and removes it.
type shmDestroyCmd struct{}

// Run is the command.
func (c *shmDestroyCmd) Run(e *env) error {
	if err := shm.Destroy(e.segment()); err != nil {
		return settings.With(settings.ExitSharedMemory, lockedBy(err, e.segment()))
	}
	out := struct {
		Segment   string `json:"segment"`
		Destroyed bool   `json:"destroyed"`
	}{e.Segment, true}
	return e.Show(out, func() string { return e.T("destroyed", e.Segment) })
}

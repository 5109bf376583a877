package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// segmentRows: shared memory that cannot be used. Nothing is negotiated then,
// unless there is only no room for one key more.
var segmentRows = []badInput{
	{name: "segment/no room for a second key", given: func(o *outlet) {
		o.env = append(o.env, "HUFU_CAPACITY=1")
		holdsKey(o)
	}, do: hufu("negotiate"), sees: exits(6, "create the segment with a greater capacity"),
		after: after{"2 pending, 1 active", "1 active current"}},
	{name: "segment/capacity 0", do: hufu("negotiate", "--capacity", "0"),
		sees: exits(6, "bad capacity"), after: nothing},
	{name: "segment/of another capacity", given: func(o *outlet) { o.must("shm", "create") }, do: hufu("shm", "create", "--capacity", "9"),
		sees: exits(6, "it has 8, asked for 9"), after: emptied},
	{name: "segment/a name that is none", do: hufu("negotiate", "--segment", "../x"),
		sees: exits(6, "bad segment name"), after: nothing},
	{name: "segment/a folder that is none", do: hufu("negotiate", "--shm-dir", "/nonexistent"),
		sees: exits(6, "no such file or directory"), after: nothing},
	{name: "segment/full", root: true, do: func(o *outlet) seen {
		dir := o.t.TempDir()
		must(o.t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
		o.t.Cleanup(func() { must(o.t, unix.Unmount(dir, 0)) })
		must(o.t, os.WriteFile(filepath.Join(dir, "full"), make([]byte, 1<<20), 0o600))
		return o.run("negotiate", "--shm-dir", dir)
	}, sees: exits(6, "no space for the segment"), after: nothing},
	{name: "segment/larger than its folder", root: true, do: func(o *outlet) seen {
		dir := o.t.TempDir()
		must(o.t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"))
		o.t.Cleanup(func() { must(o.t, unix.Unmount(dir, 0)) })
		return o.run("negotiate", "--shm-dir", dir, "--capacity", "5000")
	}, sees: exits(6, "lower the capacity, or give /dev/shm more room"), after: nothing},
	{name: "segment/of another version", given: patched(16, 2), do: hufu("negotiate"),
		sees: exits(6, "use the same release of Hufu at both ends"), after: unusable("unknown layout version")},
	{name: "segment/not one of ours", given: patched(8, 'X'), do: hufu("negotiate"),
		sees: exits(6, "not a Hufu segment"), after: unusable("not a Hufu segment")},
	{name: "segment/its size does not fit", given: func(o *outlet) {
		o.must("shm", "create")
		must(o.t, os.Truncate(o.path(), 300))
	}, do: hufu("negotiate"), sees: exits(6, "the file's size does not fit its head"), after: unusable("the file's size")},
	{name: "segment/another user's", root: true, given: func(o *outlet) {
		o.must("shm", "create")
		must(o.t, os.Chown(o.path(), 65534, 65534))
	}, do: hufu("negotiate"), sees: exits(6, "the file belongs to another user"), after: unusable("belongs to another user")},
	{name: "segment/a mode too wide", given: func(o *outlet) {
		o.must("shm", "create")
		must(o.t, os.Chmod(o.path(), 0o666))
	}, do: hufu("negotiate"), sees: exits(6, "wrong file mode"), after: unusable("wrong file mode")},
	{name: "segment/a symbolic link", given: func(o *outlet) {
		target := filepath.Join(o.home, "target")
		write(o.t, target, "precious")
		must(o.t, os.Symlink(target, o.path()))
		o.t.Cleanup(func() {
			if b, err := os.ReadFile(target); string(b) != "precious\n" {
				o.t.Errorf("the link was followed: %q, %v", b, err)
			}
		})
	}, do: hufu("negotiate"), sees: exits(6, "a symbolic link stands in place of the segment"), after: unusable("symbolic link")},
	{name: "segment/a hard link", given: func(o *outlet) {
		o.must("shm", "create")
		other := o.path() + "-other"
		must(o.t, os.Link(o.path(), other))
		o.t.Cleanup(func() { os.Remove(other) })
	}, do: hufu("negotiate"), sees: exits(6, "the file has a second hard link"), after: unusable("second hard link")},
	{name: "segment/a folder in its place", given: func(o *outlet) { must(o.t, os.Mkdir(o.path(), 0o700)) },
		do: hufu("negotiate"), sees: exits(6, "not a regular file"), after: unusable("not a regular file")},
	{name: "segment/a second writer", given: holdsKey, do: func(o *outlet) seen {
		cmd := exec.Command(filepath.Join(bin, "hufu"), "negotiate") // it holds the segment until the key is current
		cmd.Env = o.env
		first := start(o.t, cmd)
		eventually(o.t, "the first writer has its key", func() bool { return o.usable(2) })
		must(o.t, first.cmd.Process.Signal(syscall.SIGSTOP)) // so that it still is one, however long the second takes
		s := o.run("negotiate")
		must(o.t, first.cmd.Process.Signal(syscall.SIGCONT))
		if code := first.stop(o.t, syscall.Signal(0)); code != 0 {
			o.t.Errorf("the first writer ended with %d: %v", code, first.log.since(0))
		}
		return s
	}, sees: exits(6, "another writer has the segment open"), after: after{"2 active, 1 retired", "1 retired, 2 active current"}},
	{name: "segment/a key damaged in it", given: func(o *outlet) {
		holdsKey(o)
		o.damage()
	}, do: hufu("verify"), sees: exits(5, "the two ends held different keys; the copy here was wiped"),
		logs: "cmd=verify error=5", after: after{"1 active", "1 expired wiped"}},
	{name: "segment/no key in it", do: hufu("verify"), sees: exits(6, "there is no current key here; run: hufu negotiate"), after: emptied},
	{name: "segment/not there", do: hufu("show"), sees: exits(6, "no such segment"), after: nothing},
}

// patched makes a segment and writes one byte into its head.
func patched(at int64, b byte) func(*outlet) {
	return func(o *outlet) {
		o.must("shm", "create")
		o.patch(at, b)
	}
}

func (o *outlet) patch(at int64, b ...byte) {
	o.t.Helper()
	f, err := os.OpenFile(o.path(), os.O_RDWR, 0)
	must(o.t, err)
	defer f.Close()
	_, err = f.WriteAt(b, at)
	must(o.t, err)
}

// damage turns a bit of the key that stands in the segment.
func (o *outlet) damage() {
	o.t.Helper()
	const head, size, seckey = 256, 256, 64
	b, err := os.ReadFile(o.path())
	must(o.t, err)
	for at := head; at < len(b); at += size {
		if b[at+4] == 1 { // status
			o.patch(int64(at+seckey), b[at+seckey]^1)
			return
		}
	}
	o.t.Fatal("no key to damage")
}

// unusable: the history is empty, and a reader is told the same as a writer.
func unusable(says string) after { return after{"", refusal + says} }

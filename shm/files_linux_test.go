//go:build amd64 || arm64

package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func path(o Options) string { return o.Dir + "/" + o.Name }

func TestNames(t *testing.T) {
	for _, name := range []string{"", ".", "..", ".x", "a/b", "/a", "a\x00b", "a.confirm", strings.Repeat("x", 201)} {
		o := Options{Dir: t.TempDir(), Name: name, Capacity: 1}
		wantErr(t, Create(o), ErrName)
		wantErr(t, Destroy(o), ErrName)
		_, err := OpenReader(o)
		wantErr(t, err, ErrName)
		_, err = OpenWriter(o)
		wantErr(t, err, ErrName)
	}
	o := mustCreate(t, segment(t, 2))
	w, r := mustWriter(t, o), mustReader(t, o)
	for _, id := range []string{"", "twelve-bytes", "a b", "ä", "a/b", "a\x00"} {
		e := entry("a", 1, Active)
		e.ClientID = id
		wantErr(t, w.Put(e, nil), ErrClientID)
		e.ClientID, e.ServerID = "a", id
		wantErr(t, w.Put(e, nil), ErrClientID)
		if _, err := r.Current(id); !errors.Is(err, ErrClientID) && !errors.Is(err, ErrNoCurrent) {
			t.Errorf("%q: %v", id, err)
		}
	}
	for name, change := range map[string]func(*Entry){
		"no number": func(e *Entry) { e.SeckeyID = 0 }, "no key": func(e *Entry) { e.Key.Zero() },
		"ended": func(e *Entry) { e.State = Revoked }, "backwards": func(e *Entry) { e.NotAfter = e.NotBefore },
	} {
		e := entry("a", 1, Active)
		if change(&e); !errors.Is(w.Put(e, nil), ErrEntry) {
			t.Errorf("%s was stored", name)
		}
	}
}

func TestCreate(t *testing.T) {
	o := segment(t, 4)
	_, err := OpenReader(o)
	wantErr(t, err, ErrNoSegment)
	wantErr(t, err, fs.ErrNotExist)
	_, err = OpenWriter(o)
	wantErr(t, err, ErrNoSegment)
	wantErr(t, Destroy(o), ErrNoSegment)

	defer unix.Umask(unix.Umask(0o077))
	o.GroupReadable = true
	mustCreate(t, o)
	mustCreate(t, o)
	for file, want := range map[string]fs.FileMode{path(o): 0o640, path(o) + confirmSuffix: 0o600} {
		if st, err := os.Stat(file); err != nil || st.Mode() != want {
			t.Errorf("%s: %v, want %v", file, st.Mode(), want)
		}
	}
	o.Capacity = 5
	wantErr(t, Create(o), ErrCapacity)
	o.Capacity, o.GroupReadable = 4, false
	wantErr(t, Create(o), ErrMode)
	_, err = OpenWriter(o)
	wantErr(t, err, ErrMode)
	for _, n := range []int{0, -1, maxCapacity + 1} {
		o.Capacity = n
		wantErr(t, Create(o), ErrCapacity)
	}
	must(t, Destroy(o))
	if left, _ := os.ReadDir(o.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}

	// A second file that a killed Destroy left, of another capacity.
	o.Capacity = 4
	must(t, os.WriteFile(path(o)+confirmSuffix, make([]byte, 1000), 0o600))
	mustCreate(t, o)
	mustWriter(t, o)
}

func TestCreateTogether(t *testing.T) {
	for range 20 {
		o := segment(t, 4)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := Create(o); err != nil {
					t.Error(err)
				}
				w, err := OpenWriter(o)
				if err == nil {
					w.Close()
				} else if !errors.Is(err, ErrLocked) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// TestRefused puts what is not a segment in place of either file.
func TestRefused(t *testing.T) {
	word := func(offset int64, value uint32) func(t *testing.T, file string) {
		return func(t *testing.T, file string) {
			f, err := os.OpenFile(file, os.O_WRONLY, 0)
			must(t, err)
			defer f.Close()
			_, err = f.WriteAt(binary.LittleEndian.AppendUint32(nil, value), offset)
			must(t, err)
		}
	}
	truncate := func(n int64) func(*testing.T, string) {
		return func(t *testing.T, file string) { must(t, os.Truncate(file, n)) }
	}
	replace := func(f func(file string) error) func(*testing.T, string) {
		return func(t *testing.T, file string) { must(t, os.Rename(file, file+".moved")); must(t, f(file)) }
	}
	for _, c := range []struct {
		name string
		do   func(t *testing.T, file string)
		want error
	}{
		{"symlink", replace(func(f string) error { return os.Symlink(f+".moved", f) }), ErrSymlink},
		{"hard link", func(t *testing.T, f string) { must(t, os.Link(f, f+".moved")) }, ErrHardLink},
		{"fifo", replace(func(f string) error { return unix.Mkfifo(f, 0o600) }), ErrNotRegular},
		{"folder", replace(func(f string) error { return os.Mkdir(f, 0o600) }), ErrNotRegular},
		{"socket", replace(func(f string) error { return unix.Mknod(f, unix.S_IFSOCK|0o600, 0) }), ErrNotRegular},
		{"mode 0644", func(t *testing.T, f string) { must(t, os.Chmod(f, 0o644)) }, ErrMode},
		{"mode 0660", func(t *testing.T, f string) { must(t, os.Chmod(f, 0o660)) }, ErrMode},
		{"mode 0400", func(t *testing.T, f string) { must(t, os.Chmod(f, 0o400)) }, ErrMode},
		{"owner", func(t *testing.T, f string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			must(t, os.Chown(f, 65534, -1))
		}, ErrOwner},
		{"magic", word(8, 0), ErrBadMagic},
		{"version", word(16, 2), ErrLayout},
		{"entry size", word(20, 512), ErrLayout},
		{"total", word(0, 5), ErrTooSmall},
		{"total 0", word(0, 0), ErrTooSmall},
		{"total huge", word(0, 0xffffffff), ErrTooSmall},
		{"empty", truncate(0), ErrTooSmall},
		{"head only", truncate(40), ErrTooSmall},
		{"one byte short", truncate(headSize + 4*entrySize - 1), ErrTooSmall},
		{"one byte long", truncate(headSize + 4*entrySize + 1), ErrTooSmall},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := mustCreate(t, segment(t, 4))
			c.do(t, path(o))
			if _, err := OpenReader(o); !errors.Is(err, c.want) {
				t.Errorf("reader: %v, want %v", err, c.want)
			}
			if _, err := OpenWriter(o); !errors.Is(err, c.want) {
				t.Errorf("writer: %v, want %v", err, c.want)
			}
			wantCreate := c.want
			if strings.HasPrefix(c.name, "total") {
				wantCreate = ErrCapacity // the first thing that Create finds amiss
			}
			if err := Create(o); !errors.Is(err, wantCreate) {
				t.Errorf("create: %v, want %v", err, wantCreate)
			}

			second := mustCreate(t, segment(t, 4))
			if c.name == "entry size" {
				return // another field stands there in the second file
			}
			c.do(t, path(second)+confirmSuffix)
			if _, err := OpenWriter(second); !errors.Is(err, c.want) {
				t.Errorf("second file: %v, want %v", err, c.want)
			}
			mustReader(t, second)
		})
	}
}

// TestOwners shows what a reader under another user than the writer's may read.
func TestOwners(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	o := mustCreate(t, segment(t, 4))
	w := mustWriter(t, o)
	must(t, w.Put(entry("outlet1", 1, Active), nil))
	must(t, os.Chmod(o.Dir, 0o755))
	ask := func(group string) string {
		c := child(t, "unprivileged", o, "reader", group)
		c.Stderr = nil
		b, _ := c.CombinedOutput()
		return string(b)
	}
	if out := ask("65534"); !strings.Contains(out, ErrAccess.Error()) {
		t.Errorf("another user's 0600: %s", out)
	}
	must(t, os.Chmod(path(o), 0o640))
	must(t, os.Chown(path(o), 0, 4242))
	if out := ask("65534"); !strings.Contains(out, ErrAccess.Error()) {
		t.Errorf("0640, outside of the group: %s", out)
	}
	out := ask("4242")
	if !strings.Contains(out, "client outlet1 server centre key 1 active status 1") {
		t.Errorf("0640, in the group: %s", out)
	}
	if !strings.Contains(out, "ulimit -l") {
		t.Errorf("mlock was not allowed, and no warning: %s", out)
	}
	o.Owner = new(int)
	mustReader(t, o)
	*o.Owner = 12
	_, err := OpenReader(o)
	wantErr(t, err, ErrOwner)
}

func TestWarnings(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("gives up root to lose the right to lock memory")
	}
	o := segment(t, 4)
	must(t, os.Chown(o.Dir, 65534, 65534))
	out, code := run(t, child(t, "unprivileged", o, "writer", "65534"))
	if code != 0 || strings.Count(out, "mlock of") != 2 {
		t.Errorf("exit code %d, want a warning for each file:\n%s", code, out)
	}
	o = mustCreate(t, segment(t, 4))
	if w := mustWriter(t, o); w.Warnings() != nil {
		t.Logf("this system does not allow all of it: %v", w.Warnings())
	}
}

// TestLocked shows that there is one writer, within a process and among several, and that a dead one's lock is free.
func TestLocked(t *testing.T) {
	o := mustCreate(t, segment(t, 4))
	w := mustWriter(t, o)
	_, err := OpenWriter(o)
	wantErr(t, err, ErrLocked)
	wantErr(t, Destroy(o), ErrLocked)
	r := mustReader(t, o)
	if i := r.Info(); !i.Locked || !i.WriterAlive || i.WriterPID != os.Getpid() || !i.BootMatch || i.Total != 4 {
		t.Errorf("%+v", i)
	}
	must(t, w.Close())
	must(t, w.Close())
	wantErr(t, w.Put(entry("a", 1, Active), nil), ErrClosed)
	if i := r.Info(); i.Locked || i.WriterAlive || i.WriterPID != 0 {
		t.Errorf("%+v", i)
	}

	holder, _, _ := startChild(t, "hold", o)
	_, err = OpenWriter(o)
	wantErr(t, err, ErrLocked)
	if i := r.Info(); !i.Locked || !i.WriterAlive || i.WriterPID != holder.Process.Pid {
		t.Errorf("%+v", i)
	}
	must(t, holder.Process.Kill())
	holder.Wait()
	if i := r.Info(); i.Locked || i.WriterAlive || i.WriterPID != holder.Process.Pid {
		t.Errorf("%+v", i)
	}
	mustWriter(t, o)
}

// TestReadersFollow destroys the segment under readers and makes it anew.
func TestReadersFollow(t *testing.T) {
	o := mustCreate(t, segment(t, 4))
	w, r := mustWriter(t, o), mustReader(t, o)
	must(t, w.Put(entry("outlet1", 1, Active), nil))
	_, err := r.Current("outlet1")
	must(t, err)
	must(t, w.Close())
	old := r.m.Load()
	must(t, Destroy(o))
	for i := range old.slots {
		if old.slots[i].seckey[0].Load() != 0 {
			t.Error("key bytes left in memory that a reader still has mapped")
		}
	}
	_, err = r.Current("outlet1")
	wantErr(t, err, ErrGone)
	_, err = r.Key("outlet1", 1)
	wantErr(t, err, ErrGone)
	if r.Entries("") != nil || r.Info().Total != 0 {
		t.Error("something is left to see")
	}

	o.Capacity = 8
	mustCreate(t, o)
	w = mustWriter(t, o)
	must(t, w.Put(entry("outlet1", 2, Active), nil))
	e, err := r.Current("outlet1")
	must(t, err)
	if e.SeckeyID != 2 || r.Info().Total != 8 {
		t.Errorf("followed to %v", e)
	}

	// Removed by rm: the reader looks once a second, the writer before each change.
	must(t, os.Remove(path(o)))
	wantErr(t, w.Put(entry("outlet1", 3, Active), nil), ErrGone)
	deadline := time.Now().Add(30 * time.Second)
	for err = nil; err == nil && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		_, err = r.Current("outlet1")
	}
	wantErr(t, err, ErrGone)
	must(t, r.Close())
	_, err = r.Current("outlet1")
	wantErr(t, err, ErrClosed)
}

// TestNoSpace fills a small tmpfs: creation must fail by name, and what was created must be writable to the end.
func TestNoSpace(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("cannot mount a tmpfs: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	o := Options{Dir: dir, Name: "hufu", Capacity: 10000}
	wantErr(t, Create(o), ErrNoSpace)
	o.Capacity = 3800 // the segment fits, the second file does not
	wantErr(t, Create(o), ErrNoSpace)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
	o.Capacity = 1000
	mustCreate(t, o)
	if err := os.WriteFile(dir+"/filler", make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the file system is not full: %v", err)
	}
	w := mustWriter(t, o)
	for n := range uint64(1000) {
		must(t, w.Put(entry(fmt.Sprintf("c%d", n%300), n+1, Active), &[ConfirmSize]byte{1}))
	}
	wantErr(t, w.Put(entry("one-more", 1, Active), nil), ErrFull)
	must(t, w.Close())
	must(t, Destroy(o))
}

// TestDestroyDamaged removes what nothing else accepts any more.
func TestDestroyDamaged(t *testing.T) {
	o := mustCreate(t, segment(t, 4))
	must(t, os.WriteFile(path(o), []byte("not a segment"), 0o600))
	must(t, os.Chmod(path(o)+confirmSuffix, 0o644))
	must(t, Destroy(o))
	mustCreate(t, o)
	must(t, os.Remove(path(o))) // a Destroy that was killed half-way
	must(t, Destroy(o))
	mustCreate(t, o)
	must(t, os.Remove(path(o)+confirmSuffix))
	must(t, Destroy(o))
	wantErr(t, Destroy(o), ErrNoSegment)
}

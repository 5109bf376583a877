//go:build amd64 || arm64

package shm

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// lookEverywhere opens a segment of these bytes and looks up all that there may be in it. The contents of the
// answers are free; there must be no panic and no access outside of the mapping.
func lookEverywhere(t *testing.T, o Options, data []byte) {
	replaceSegment(t, o, data)
	r, err := OpenReader(o)
	if err != nil {
		return
	}
	defer r.Close()
	for _, id := range []string{"outlet1", "a", "0123456789a", "\x00", "\xff\xff\xff"} {
		r.Current(id)
		for n := range uint64(4) {
			r.Key(id, n)
		}
	}
	for _, e := range r.Entries("") {
		r.Current(e.ClientID)
		if got, err := r.Key(e.ClientID, e.SeckeyID); err == nil && (!got.State.holdsKey() || got.NotAfter <= Now()-1e9) {
			t.Errorf("handed out as usable: %v", got)
		}
	}
	r.Info()

	// A writer must survive the same and leave a table in order.
	must(t, writeConfirms(o, len(r.m.Load().slots)))
	w, err := OpenWriter(o)
	if err != nil {
		return
	}
	defer w.Close()
	checkChains(t, w)
	w.Put(entry("outlet1", 9, Active), nil)
	for _, e := range w.Entries("") {
		w.Wipe(e.ClientID, e.SeckeyID, Revoked)
	}
	checkChains(t, w)
}

// replaceSegment makes the segment anew with these bytes.
func replaceSegment(t *testing.T, o Options, data []byte) {
	os.Remove(path(o))
	must(t, os.WriteFile(path(o), data, 0o600))
}

func writeConfirms(o Options, total int) error {
	os.Remove(path(o) + confirmSuffix)
	return newFile(path(o)+confirmSuffix, confirmSize(total), 0o600, func(fd int) error { return writeConfirmHead(fd, total) })
}

// soundSegment returns the bytes of a segment with keys of every kind in it.
func soundSegment(t testing.TB) []byte {
	o := mustCreate(t, segment(t, 6))
	w := mustWriter(t, o)
	for n := range uint64(3) {
		must(t, w.Put(entry("outlet1", n+1, State(n+1)), nil))
	}
	must(t, w.Put(entry("a", 1, Active), nil))
	must(t, w.Wipe("outlet1", 3, Revoked))
	must(t, w.Close())
	data, err := os.ReadFile(path(o))
	must(t, err)
	return data
}

func FuzzOpenReader(f *testing.F) {
	sound := soundSegment(f)
	f.Add(sound)
	f.Add(sound[:headSize])
	f.Add(sound[:len(sound)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) { lookEverywhere(t, segment(t, 1), data) })
}

// damage returns a copy of a sound segment with damage where it hurts.
func damage(rng *rand.Rand, sound []byte) []byte {
	data := append([]byte(nil), sound...)
	at := func() int { return headSize + rng.IntN(6)*entrySize }
	for range 1 + rng.IntN(12) {
		switch rng.IntN(5) {
		case 0: // any byte
			data[rng.IntN(len(data))] = byte(rng.Uint32())
		case 1: // a word of an entry
			word := []uint32{0, 1, 2, 5, 0x7fffffff, 0xffffffff}[rng.IntN(6)]
			binary.LittleEndian.PutUint32(data[at()+4*rng.IntN(16):], word)
		case 2: // one entry over another
			from, to := at(), at()
			copy(data[to:to+entrySize], data[from:from+entrySize])
		case 3: // useNum, maxProbe, changes
			binary.LittleEndian.PutUint32(data[[]int{4, 28, 64}[rng.IntN(3)]:], rng.Uint32())
		case 4: // all but the key
			for i, j := at(), 0; j < 64; j++ {
				data[i+j] = byte(rng.Uint32())
			}
		}
	}
	return data
}

// TestHostileSegments is the fuzzer's work in short, and shows the same to the readers in C, under the
// sanitizers where there are any, and in Python.
func TestHostileSegments(t *testing.T) {
	sound := soundSegment(t)
	rng := rand.New(rand.NewPCG(1, 2))
	o := segment(t, 1)
	for range 600 {
		lookEverywhere(t, o, damage(rng, sound))
	}
	reader := build(t, "reader", sanitize(t)...)
	python := pythonReader(t)
	codes := map[int]int{}
	for i := range 40 {
		replaceSegment(t, o, damage(rng, sound))
		c := exec.Command(reader, path(o), "outlet1", "2")
		if i%5 == 0 {
			c = exec.Command("python3", python, path(o), "outlet1", "2")
		}
		out, err := c.CombinedOutput()
		code := c.ProcessState.ExitCode()
		if code < 0 || code > 3 || strings.Contains(string(out), "runtime error") || strings.Contains(string(out), "Traceback") {
			t.Fatalf("%v: %v\n%s", c.Args, err, out)
		}
		codes[code]++
	}
	t.Logf("exit codes of the C and Python readers: %v", codes)
}

// sanitize returns the flags that make a C program report undefined behaviour, none if they do not link here.
func sanitize(t *testing.T) []string {
	flags := []string{"-fsanitize=undefined,bounds", "-fno-sanitize-recover=all"}
	c := exec.Command("cc", append(flags, "-xc", "-o", t.TempDir()+"/a.out", "-")...)
	c.Stdin = strings.NewReader("int main(void) { return 0; }")
	if c.Run() != nil {
		t.Log("no sanitizers")
		return nil
	}
	return flags
}

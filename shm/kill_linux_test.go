//go:build amd64 || arm64

package shm

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

// TestWriterKilledAtRandom kills writers at random instants until enough of them have left an odd counter, while
// readers in Go and C check every key that they get. CRASH=full asks for a hundred such kills, else for two.
func TestWriterKilledAtRandom(t *testing.T) {
	want, within := 2, 3*time.Minute
	if os.Getenv("CRASH") == "full" {
		want, within = 100, 10*time.Minute
	}
	o := mustCreate(t, segment(t, 16))
	stress := build(t, "stress")
	first, stop, _ := startChild(t, "stress-writer", o, stressClients...)
	path := o.Dir + "/" + o.Name
	forever := "18446744073709551615"
	readers := []*exec.Cmd{
		exec.Command(stress, append([]string{path, forever}, stressClients...)...),
		child(t, "stress-reader", o, append([]string{forever}, stressClients...)...),
	}
	failed := make(chan string, len(readers))
	for _, c := range readers {
		var found bytes.Buffer
		c.Stdout = &found
		must(t, c.Start())
		go func() {
			c.Wait() // it ends only when it finds something, or is killed
			failed <- found.String()
		}()
	}
	stop.Close()
	first.Wait()

	r := mustReader(t, o)
	kills, odd := 0, 0
	for end := time.Now().Add(within); odd < want && time.Now().Before(end); kills++ {
		writer := child(t, "rewrite", o, stressClients...)
		must(t, writer.Start())
		for r.Info().WriterPID != writer.Process.Pid && time.Now().Before(end) { // it takes its time to begin
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		must(t, writer.Process.Kill())
		writer.Wait()
		if oddEntries(r) {
			odd++
		}
		for _, c := range stressClients {
			if e, err := r.Current(c); err != nil || e.Key != keyOf(c, e.SeckeyID) {
				t.Fatalf("after kill %d: %v, %v", kills, e, err)
			}
		}
		select {
		case out := <-failed:
			t.Fatalf("a reader has found, after kill %d: %s", kills, out)
		default:
		}
	}
	for _, c := range readers {
		c.Process.Kill()
	}
	for range readers {
		<-failed
	}
	t.Logf("%d kills, of which %d left an odd counter", kills, odd)
	if odd < want {
		t.Errorf("only %d of %d kills left an odd counter, want %d", odd, kills, want)
	}
	w := mustWriter(t, o)
	if oddEntries(r) {
		t.Error("the next writer has not repaired")
	}
	for _, c := range stressClients {
		if _, err := w.Current(c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

// childRewrite goes on where a killed writer stopped: it replaces keys as fast as it can until it is killed.
func childRewrite(o Options, clients []string) error {
	w, err := OpenWriter(o)
	if err != nil {
		return err
	}
	for {
		for _, c := range clients {
			current, err := w.Current(c)
			if err != nil {
				return err
			}
			number := current.SeckeyID + 1
			for _, e := range w.Entries(c) {
				number = max(number, e.SeckeyID+1)
			}
			if err := w.Put(entry(c, number, Pending), nil); err != nil {
				return err
			}
			if err := w.MakeCurrent(c, number); err != nil {
				return err
			}
			for _, e := range w.Entries(c) {
				if e.Usable && e.SeckeyID < number {
					if err := w.Wipe(c, e.SeckeyID, Expired); err != nil {
						return err
					}
				}
			}
		}
	}
}

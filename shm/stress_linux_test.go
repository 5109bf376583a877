//go:build amd64 || arm64

package shm

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

var stressClients = []string{"outlet1", "outlet2", "0123456789a"}

// TestReadersAndWriter has one writer replace keys as fast as it can while processes in Go, C and Python read,
// ten million times together, and check every key they get. None may find a client without a current key.
func TestReadersAndWriter(t *testing.T) {
	o := mustCreate(t, segment(t, 16))
	stress := build(t, "stress")
	writer, stop, out := startChild(t, "stress-writer", o, stressClients...)
	path := o.Dir + "/" + o.Name
	readers := map[string]*exec.Cmd{
		"C 1":    exec.Command(stress, append([]string{path, "5000000"}, stressClients...)...),
		"C 2":    exec.Command(stress, append([]string{path, "4500000"}, stressClients...)...),
		"Go":     child(t, "stress-reader", o, append([]string{"600000"}, stressClients...)...),
		"Python": exec.Command("python3", append([]string{"testdata/stress.py", pythonReader(t), path, "20000"}, stressClients...)...),
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	reads := 0
	for name, c := range readers {
		wg.Go(func() {
			begin := time.Now()
			b, err := c.Output()
			mu.Lock()
			defer mu.Unlock()
			var n, misses int
			if _, scan := fmt.Sscanf(string(b), "reads %d misses %d", &n, &misses); err != nil || scan != nil {
				t.Errorf("%s: %v\n%s", name, err, b)
			}
			t.Logf("%-6s %8d reads, %d of numbers just wiped or not yet there, %.2f s", name, n, misses, time.Since(begin).Seconds())
			reads += n
		})
	}
	wg.Wait()
	if reads < 10_000_000 {
		t.Errorf("%d reads", reads)
	}
	stop.Close()
	rounds, _ := out.ReadString('\n')
	if err := writer.Wait(); err != nil {
		t.Error(err)
	}
	t.Logf("%d reads; the writer replaced %d keys %s times", reads, len(stressClients), strings.TrimSpace(rounds))
}

// TestWithoutSequenceCheck shows that the test above can fail: a reader without the guard meets a torn key.
func TestWithoutSequenceCheck(t *testing.T) {
	o := mustCreate(t, segment(t, 16))
	broken := build(t, "stress", "-DHUFU_SHM_NO_SEQ_CHECK")
	_, _, _ = startChild(t, "stress-writer", o, stressClients...)
	begin := time.Now()
	for time.Since(begin) < 2*time.Minute {
		out, code := run(t, exec.Command(broken, append([]string{o.Dir + "/" + o.Name, "5000000"}, stressClients...)...))
		switch code {
		case 1:
			t.Logf("after %v: %s", time.Since(begin).Round(time.Millisecond), strings.TrimSpace(out))
			return
		case 3:
			t.Fatal(out)
		}
	}
	t.Fatal("a reader without the sequence check met no torn key: the test of the readers proves nothing")
}

// TestReadersInProcess is for the race detector: goroutines share one Reader, and the Writer looks up too.
func TestReadersInProcess(t *testing.T) {
	o := mustCreate(t, segment(t, 8))
	w, r := mustWriter(t, o), mustReader(t, o)
	must(t, w.Put(entry("outlet1", 1, Active), nil))
	done := make(chan bool)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				e, err := r.Current("outlet1")
				if err != nil || e.Key != keyOf("outlet1", e.SeckeyID) {
					t.Errorf("%v, %v", e, err)
					return
				}
				if w, err := w.Current("outlet1"); err != nil || w.SeckeyID < e.SeckeyID {
					t.Errorf("the writer has %v, %v", w, err)
					return
				}
				r.Entries("")
			}
		})
	}
	defer wg.Wait()
	defer close(done)
	for n := uint64(2); n < 3000; n++ {
		must(t, w.Put(entry("outlet1", n, Pending), nil))
		must(t, w.MakeCurrent("outlet1", n))
		must(t, w.Retire("outlet1", n-1, Now().Add(time.Minute)))
		must(t, w.Wipe("outlet1", n-1, Revoked))
	}
}

package publish_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/server/publish"
	"hufu/server/seal"
	"hufu/server/store/sqlite"
	"hufu/shm"
)

// child is what a child process of this test program publishes.
type child struct {
	Path, Ring string
	Segment    shm.Options
}

const childVariable = "HUFU_TEST_PUBLISH"

// run publishes until it is killed.
func (c *child) run() error {
	store, err := sqlite.Open(context.Background(), c.Path)
	if err != nil {
		return err
	}
	ring, err := seal.Load(c.Ring)
	if err != nil {
		return err
	}
	service, err := keyservice.New(keyservice.Config{ServerID: serverID}, store, ring)
	if err != nil {
		return err
	}
	p, err := publish.Open(context.Background(), service, c.Segment, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	fmt.Println("begun")
	go service.RunFollower(context.Background())
	p.Run(context.Background())
	return nil
}

// TestKilled kills a publisher again and again while it fills a segment. What a
// reader finds meanwhile is a key of the outlet, and in the end all are there.
func TestKilled(t *testing.T) {
	t.Parallel()
	const outlets = 3000
	c := child{Path: filepath.Join(t.TempDir(), "hufu.db"), Ring: filepath.Join(t.TempDir(), "ring.json"), Segment: newSegment(t, 4*outlets)}
	must(t, sqlite.Migrate(t.Context(), c.Path))
	ring, err := seal.Create(c.Ring, serverID)
	must(t, err)
	s := &site{ring, func(t testing.TB) keyservice.Store {
		store, err := sqlite.Open(t.Context(), c.Path)
		must(t, err)
		return store
	}}
	store := s.open(t)
	populate(t, store, s, outlets)
	must(t, store.Close())
	spec, err := json.Marshal(c)
	must(t, err)
	keys, _, err := s.service(t).UsablePage(t.Context(), keyservice.UsableQuery{})
	must(t, err)

	var counts []int
	runtime.LockOSThread() // the signal on our death is bound to the thread that started the child
	defer runtime.UnlockOSThread()
	for range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"="+string(spec))
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "begun") {
			t.Fatalf("the child: %q, %v", line, err)
		}
		r, err := shm.OpenReader(c.Segment)
		must(t, err)
		before := r.Info().Used
		for end := time.Now().Add(patience); before < len(keys) && r.Info().Used <= before && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(rand.IntN(5000)) * time.Microsecond) // chance, where in the work it is killed
		must(t, cmd.Process.Kill())
		if err := cmd.Wait(); err == nil {
			t.Error("the child ended by itself")
		}
		found := 0
		for _, k := range keys {
			e, err := r.Key(k.Outlet, k.Seckeyid)
			if errors.Is(err, shm.ErrNotFound) {
				continue
			}
			must(t, err)
			found++
			if stored := shm.Key(*k.Key.Bytes()); !e.Key.Equal(&stored) {
				t.Fatalf("%v: other bytes", e)
			}
		}
		if found < before {
			t.Errorf("%d keys after a kill, %d before", found, before)
		}
		counts = append(counts, found)
		r.Close()
	}
	t.Logf("keys at each kill, of %d: %v", len(keys), counts)
	last := s.start(t, how{follows: true, segment: &c.Segment})
	last.filled(t)
	if used := last.publisher.Stats().Used; used != 2*outlets {
		t.Errorf("%d keys stand there, want %d", used, 2*outlets)
	}
}

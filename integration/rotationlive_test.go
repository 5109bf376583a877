package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hufu/server/keyservice"
	"hufu/shm"
)

// TestRotationLive: the programs themselves, with keys of the least lifetime:
// applications at both ends, in C and in Go, seal and open all the time, over
// two minutes, with ROTATION=full over ten.
func TestRotationLive(t *testing.T) {
	t.Parallel()
	length, keys := 2*time.Minute, 4
	if os.Getenv("ROTATION") == "full" {
		length, keys = 10*time.Minute, 16
	}
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			c := &published{t: t, served: segmentName(t), printed: segmentName(t)}
			c.site = newSite(t, store, "--shm", c.served, "--shm-capacity", "256", "--lifetime", "60s", "--grace", "60s")
			c.env = c.site.env
			c.publish()
			t.Cleanup(func() { c.endPublisher(syscall.SIGTERM) })
			o := c.enrolled(t)
			o.unattended(t)
			inC := startRotationInC(t, o, c.served, c.printed)
			inGo := startRotationInGo(t, o, c.served, c.printed)
			time.Sleep(length) // how long they look, which is all that it decides
			o.agreed(t, uint64(keys-1), patience)
			for reader, s := range map[string]rotationSeen{"in C": inC(), "in Go": inGo()} {
				t.Logf("%s: %s", reader, s)
				if s.windows+s.torn+s.without > 0 || s.keys < keys || s.rounds == 0 {
					t.Errorf("%s: %s; want at least %d keys, and nothing amiss\n%s", reader, s, keys, strings.Join(s.amiss, "\n"))
				}
			}
			t.Log(o.rotations())
		})
	}
}

// TestRotationReadersSee: the readers of TestRotationLive find what they are for.
func TestRotationReadersSee(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		outlet, centre []shm.Entry
		found          func(rotationSeen) bool
	}{
		"nothing amiss":        {[]shm.Entry{rotationKey(1, 7)}, []shm.Entry{rotationKey(1, 7)}, func(s rotationSeen) bool { return s.messages > 0 && s.windows+s.torn+s.without == 0 }},
		"the centre is behind": {[]shm.Entry{rotationKey(1, 7), rotationKey(2, 8)}, []shm.Entry{rotationKey(1, 7)}, func(s rotationSeen) bool { return s.windows > 0 && s.torn == 0 }},
		"the outlet is behind": {[]shm.Entry{rotationKey(1, 7)}, []shm.Entry{rotationKey(1, 7), rotationKey(2, 8)}, func(s rotationSeen) bool { return s.windows > 0 && s.torn == 0 }},
		"other bytes":          {[]shm.Entry{rotationKey(1, 7)}, []shm.Entry{rotationKey(1, 8)}, func(s rotationSeen) bool { return s.torn > 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, centre := &outlet{t: t, id: rotationID, segment: segmentName(t)}, segmentName(t)
			for segment, entries := range map[string][]shm.Entry{o.segment: row.outlet, centre: row.centre} {
				options := shm.Options{Name: segment, Capacity: 8}
				must(t, shm.Create(options))
				w, err := shm.OpenWriter(options)
				must(t, err)
				defer w.Close()
				for _, e := range entries {
					must(t, w.Put(e, nil))
				}
			}
			inC, inGo := startRotationInC(t, o, centre), startRotationInGo(t, o, centre)
			for reader, s := range map[string]rotationSeen{"in C": inC(), "in Go": inGo()} {
				if !row.found(s) {
					t.Errorf("%s: %s", reader, s)
				}
			}
		})
	}
}

const rotationID = "R-1"

func rotationKey(seckeyid uint64, b byte) shm.Entry {
	e := shm.Entry{ClientID: rotationID, ServerID: "centre", SeckeyID: seckeyid, State: shm.Active, Key: shm.Key{b},
		NotBefore: shm.Now(), NotAfter: shm.Now().Add(time.Hour)}
	e.Fingerprint = fingerprint(e.Key)
	return e
}

// rotationSeen is what a reader has seen: testdata/rotation.c says how.
type rotationSeen struct {
	rounds, messages, windows, torn, without, keys int
	pause                                          time.Duration
	amiss                                          []string
}

func (s rotationSeen) String() string {
	return fmt.Sprintf("%d rounds, %d messages, %d windows, %d torn keys, %d times without a key, %d keys, longest pause %v",
		s.rounds, s.messages, s.windows, s.torn, s.without, s.keys, s.pause.Round(time.Millisecond))
}

var buildRotation = sync.OnceValue(func() error {
	out, err := exec.Command("cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-I", "../shm",
		"-o", filepath.Join(bin, "rotation"), "testdata/rotation.c").CombinedOutput()
	if err != nil {
		return fmt.Errorf("cc: %w: %s", err, out)
	}
	return nil
})

// startRotationInC starts the reader in C, and returns when it has found all
// segments, with what ends it.
func startRotationInC(t *testing.T, o *outlet, centre ...string) (end func() rotationSeen) {
	t.Helper()
	must(t, buildRotation())
	cmd := exec.Command(filepath.Join(bin, "rotation"), append([]string{o.id, o.segment}, centre...)...)
	in, err := cmd.StdinPipe() // whose end is the reader's, also when this program dies
	must(t, err)
	var out output
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait() // where end has not
	})
	eventually(t, "the reader in C finds a key in every segment", func() bool { return strings.HasPrefix(out.String(), "ready\n") })
	return func() (s rotationSeen) {
		in.Close()
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Errorf("the reader in C: %v", err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		last := lines[len(lines)-1]
		s.amiss = lines[min(1, len(lines)-1) : len(lines)-1]
		if _, err := fmt.Sscanf(last, "rounds %d messages %d windows %d torn %d without %d keys %d pause %d",
			&s.rounds, &s.messages, &s.windows, &s.torn, &s.without, &s.keys, &s.pause); err != nil {
			t.Errorf("the reader in C: %s", out.String())
		}
		return s
	}
}

// output is what a program writes while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// startRotationInGo is the same reader in Go.
func startRotationInGo(t *testing.T, o *outlet, centre ...string) (end func() rotationSeen) {
	t.Helper()
	r := &rotationReader{client: o.id, first: map[uint64]shm.Key{}}
	for _, segment := range append([]string{o.segment}, centre...) {
		eventually(t, "there is a key in "+segment, func() bool {
			reader, err := shm.OpenReader(shm.Options{Name: segment})
			if err != nil {
				return false
			}
			e, err := reader.Current(o.id)
			e.Key.Zero()
			if err != nil {
				reader.Close()
				return false
			}
			r.ends = append(r.ends, rotationEnd{segment, reader})
			return true
		})
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		r.loop(quit)
	}()
	stop := sync.OnceFunc(func() {
		close(quit)
		<-done
		for _, end := range r.ends {
			end.reader.Close()
		}
	})
	t.Cleanup(stop)
	return func() rotationSeen {
		stop()
		return r.seen
	}
}

type rotationReader struct {
	client string
	ends   []rotationEnd // the outlet's first
	first  map[uint64]shm.Key
	newest uint64
	seen   rotationSeen
}

type rotationEnd struct {
	segment string
	reader  *shm.Reader
}

func (r *rotationReader) loop(quit <-chan struct{}) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for before, ended := shm.Now(), false; !ended; { // with a whole round after it was told to end
		select {
		case <-quit:
			ended = true
		case <-ticker.C:
		}
		now := shm.Now()
		r.seen.pause, before = max(r.seen.pause, now.Sub(before)), now
		for i := range r.ends[1:] {
			r.pass(&r.ends[0], &r.ends[i+1])
			r.pass(&r.ends[i+1], &r.ends[0])
		}
		if e, err := r.ends[0].reader.Current(r.client); err == nil {
			if e.SeckeyID > r.newest {
				r.newest = e.SeckeyID
				r.seen.keys++
			}
			e.Key.Zero()
		}
		r.seen.rounds++
	}
}

// pass has one end seal and the other open.
func (r *rotationReader) pass(from, to *rotationEnd) {
	a, err := from.reader.Current(r.client)
	defer a.Key.Zero()
	if err != nil {
		r.seen.without++
		r.seen.amiss = append(r.seen.amiss, fmt.Sprintf("%s: %v", from.segment, err))
		return
	}
	r.whole(from, &a)
	r.seen.messages++
	b, err := to.reader.Key(r.client, a.SeckeyID)
	defer b.Key.Zero()
	if err == nil {
		r.whole(to, &b)
	}
	if err == nil && a.Key.Equal(&b.Key) {
		return
	}
	again, failed := from.reader.Current(r.client)
	again.Key.Zero()
	if failed == nil && again.SeckeyID == a.SeckeyID {
		r.seen.windows++
		r.seen.amiss = append(r.seen.amiss, fmt.Sprintf("%s seals under key %d, %s does not open it: %v", from.segment, a.SeckeyID, to.segment, err))
	}
}

// whole checks that a number has the bytes that it had first, and that they are
// those of its fingerprint.
func (r *rotationReader) whole(end *rotationEnd, e *shm.Entry) {
	was, known := r.first[e.SeckeyID]
	switch {
	case !known && fingerprint(e.Key) == e.Fingerprint:
		r.first[e.SeckeyID] = e.Key
	case !known || !was.Equal(&e.Key):
		r.seen.torn++
		r.seen.amiss = append(r.seen.amiss, fmt.Sprintf("torn: %s in %s", e, end.segment))
	}
}

// rotations tells when the centre had each key negotiated, verified, retired and gone.
func (o *outlet) rotations() string {
	rows, err := o.rules.Keys(context.Background(), keyservice.KeyQuery{Outlet: o.id, ByNumber: true, Limit: 1000})
	must(o.t, err)
	var b strings.Builder
	io.WriteString(&b, "key  negotiated  verified  retired  gone\n")
	at := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format("15:04:05.000")
	}
	for i := range rows {
		k := rows[len(rows)-1-i]
		fmt.Fprintf(&b, "%3d  %s  %s  %s  %s  %s\n", k.Seckeyid, at(k.Negotiated), at(k.Verified), at(k.Retired), at(k.Ended), k.State)
	}
	return b.String()
}

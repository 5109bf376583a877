package client

import (
	"context"
	"errors"
	"os"
	"syscall/js"
	"testing"
	"time"

	"hufu/shared/wire"
)

// TestBrowser runs under Node with the address of TestDialUnderNode's server.
func TestBrowser(t *testing.T) {
	base := os.Getenv("HUFU_TEST_SOCKET")
	if base == "" {
		t.Skip("TestDialUnderNode runs it")
	}
	if js.Global().Get("WebSocket").IsUndefined() {
		t.Fatal("Node has no WebSocket")
	}
	dial := func(t *testing.T, scene string) Transport {
		tr, err := Dial(t.Context(), base+"/"+scene)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		return tr
	}
	t.Run("session", func(t *testing.T) {
		closesSoon(t, 3, func() Transport { return dial(t, "session") })
	})
	for scene, want := range map[string]struct {
		reads int
		err   error
	}{
		"text":    {0, errText},
		"longest": {1, &CloseError{Code: 1001}},
		"toolong": {0, errTooLong},
		"closed":  {3, &CloseError{Code: 4001, Reason: "a newer connection"}},
		"torn":    {0, &CloseError{Code: 1006}},
	} {
		t.Run(scene, func(t *testing.T) {
			for range 20 {
				tr := dial(t, scene)
				time.Sleep(20 * time.Millisecond) // for the close to overtake what is not yet read
				for range want.reads {
					if _, err := tr.Read(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				_, err := tr.Read(t.Context())
				var expect, got *CloseError
				if errors.As(want.err, &expect) {
					if !errors.As(err, &got) || *got != *expect {
						t.Errorf("got %v, want %v", err, expect)
					}
				} else {
					wantErr(t, err, want.err)
				}
				tr.Close()
			}
		})
	}
	t.Run("cannot be dialled", func(t *testing.T) {
		for scene, want := range map[string]time.Duration{"noprotocol": time.Minute, "none": time.Minute, "hanging": 300 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), want)
			_, err := Dial(ctx, base+"/"+scene)
			cancel()
			if err == nil || scene == "hanging" != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v", scene, err)
			}
		}
		if _, err := Dial(t.Context(), "this is no address"); err == nil {
			t.Error("no address is dialled")
		}
	})
	t.Run("write after close", func(t *testing.T) {
		tr := dial(t, "closed")
		for range 4 {
			tr.Read(t.Context())
		}
		if err := tr.Write(t.Context(), make([]byte, wire.MaxRequest)); err == nil {
			t.Error("written")
		}
	})
	t.Run("read ends with its context", func(t *testing.T) {
		const limit = closeWait + 500*time.Millisecond
		took := quickest(limit, func() time.Duration {
			tr := dial(t, "mute")
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := tr.Read(ctx)
			wantErr(t, err, context.DeadlineExceeded)
			begin := time.Now()
			tr.Close()
			return time.Since(begin)
		})
		if took > limit {
			t.Errorf("closing took %v", took)
		}
	})
}

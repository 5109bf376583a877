package integration

import (
	"os"
	"strings"
	"testing"
)

// TestConfirmationKeysGone: a key whose confirmation keys are missing is as
// good as damaged: its verify fails at the centre, the copy is wiped, and the
// next negotiate replaces it.
func TestConfirmationKeysGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite")
	o := s.enrolled(t)
	holdsKey(o)
	o.forgetConfirms()
	if r := o.hufu("verify"); r.code != 5 || !strings.Contains(r.err, "the two ends held different keys; the copy here was wiped") {
		t.Errorf("verify: exit code %d: %s", r.code, r.err)
	}
	eventually(t, "the centre logs the mismatch", func() bool {
		return s.server.log.find(0, func(line string) bool {
			return attribute(line, "client") == o.id && strings.Contains(line, "cmd=verify error=5")
		}) != ""
	})
	if got := o.shared(); got != "1 expired wiped" {
		t.Errorf("in the segment: %s", got)
	}
	o.must("negotiate")
	if got, want := (after{o.history(), o.shared()}), (after{"2 active, 1 retired", "1 expired wiped, 2 active current"}); got != want {
		t.Errorf("afterwards %+v, expected %+v", got, want)
	}

	// Before it negotiates, hufu finds by itself what is damaged.
	o.forgetConfirms()
	o.must("negotiate")
	if got, want := (after{o.history(), o.shared()}), (after{"3 active, 2 retired, 1 retired", "1 expired wiped, 2 expired wiped, 3 active current"}); got != want {
		t.Errorf("afterwards %+v, expected %+v", got, want)
	}
}

// forgetConfirms empties every slot of the file of confirmation keys.
func (o *outlet) forgetConfirms() {
	o.t.Helper()
	const head = 64
	path := o.path() + ".confirm"
	b, err := os.ReadFile(path)
	must(o.t, err)
	clear(b[head:])
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(o.t, err)
	defer f.Close()
	_, err = f.WriteAt(b, 0)
	must(o.t, err)
}

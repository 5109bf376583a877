package integration

import (
	"net/http"
	"strings"
	"testing"

	"hufu/server/keyservice"
)

// TestServerMetrics: the server counts on a listener of its own, what another
// process has done too.
func TestServerMetrics(t *testing.T) {
	t.Parallel()
	for _, store := range stores {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, store, "--metrics-listen", ":0")
			line := s.server.log.find(0, func(line string) bool { return strings.Contains(line, "msg=metrics") })
			if !strings.Contains(line, "url=http://127.0.0.1:") {
				t.Fatalf("without a host it is not on the loopback: %s", line)
			}
			address := strings.TrimSuffix(strings.TrimPrefix(attribute(line, "url"), "http://"), "/metrics")
			o := s.enrolled(t)
			o.unattended(t)
			o.agreed(t, 0, patience)
			if r := s.admin(t, "key", "revoke", o.id, "1"); r.code != 0 {
				t.Fatal(r.err)
			}
			o.agreed(t, 1, patience)
			eventually(t, "it is connected, as written", func() bool {
				rows, err := s.rules.Outlets(t.Context(), keyservice.OutletQuery{ID: o.id, Limit: 1})
				return err == nil && rows[0].Connected
			})
			expectMetrics(t, address, `hufu_changes_total{kind="enrolled"} 1`, `hufu_changes_total{kind="connected"} 1`,
				`hufu_changes_total{kind="revoked"} 1`, `hufu_changes_total{kind="receipt"} 1`, `hufu_changes_total{kind="verified"} 2`,
				`hufu_sessions_open 1`, `hufu_mac_failures_total 0`, `hufu_outlets 1`, `hufu_outlets_connected 1`,
				`hufu_outlets_freshness{freshness="fresh"} 1`, `hufu_keys{state="active"} 1`)
			r, err := http.Get(s.url + "/metrics")
			must(t, err)
			r.Body.Close()
			if r.StatusCode != http.StatusNotFound {
				t.Errorf("the public listener answers %s", r.Status)
			}
		})
	}
}

package browser

import (
	"testing"
)

// key is a Key of hufu.d.ts.
type key struct {
	Seckeyid    uint64
	Fingerprint string
	State       string
	Current     bool
	EndsIn      float64
}

// TestKeyLife walks through the life of a key in the page: what it says is
// what the centre has recorded.
func TestKeyLife(t *testing.T) {
	s := newSite(t)
	id, token := s.enrol()
	tb := newTab(t, s)
	info := eval[map[string]any](tb, "return hufu.inspect("+quote(token)+")")
	if info["clientId"] != id || info["role"] != "outlet" || info["epoch"] != 1.0 || info["url"] != "http://"+s.address || info["serverId"] != "HQ" {
		t.Errorf("the token says %v", info)
	}
	tb.run("globalThis.a = await openSession(" + quote(token) + ")")
	opened := eval[map[string]any](tb, "return a.session.opened()")
	if opened["role"] != "outlet" || opened["idle"] != 75000.0 || opened["grace"] != 3600000.0 {
		t.Errorf("opened says %v", opened)
	}
	first := eval[key](tb, "return a.session.negotiate()")
	if r := s.record(id, first.Seckeyid); r.Fingerprint != first.Fingerprint || r.State != "active" {
		t.Errorf("the page agreed on %+v, the centre has %+v", first, r)
	}
	if first.State != "active" || !first.Current || first.EndsIn < 86000e3 || first.EndsIn > 86400e3 {
		t.Errorf("the first key is %+v", first)
	}
	if verified := eval[key](tb, "return a.session.verify(1)"); verified.Fingerprint != first.Fingerprint || verified.State != "active" {
		t.Errorf("verified: %+v", verified)
	}
	second := eval[key](tb, "return a.session.negotiate()")
	if second.Seckeyid != 2 || second.Fingerprint == first.Fingerprint {
		t.Errorf("the second key is %+v after %+v", second, first)
	}
	rows := eval[[]map[string]any](tb, "return (await a.session.view({states: ['active', 'retired']}, 0, 10)).rows")
	if len(rows) != 2 || rows[0]["fingerprint"] != second.Fingerprint || rows[0]["state"] != "active" || rows[1]["state"] != "retired" {
		t.Errorf("the history is %v", rows)
	}
	tb.run("await until('the switch', () => a.session.keys()[0].current)")
	tb.run("await a.session.revoke(2, 2)")
	if r := s.record(id, 2); r.State != "revoked" || r.Reason != "key compromised" {
		t.Errorf("the centre has %+v of a revoked key", r)
	}
	keys := eval[[]key](tb, "return a.session.keys()")
	if len(keys) != 1 || keys[0].Seckeyid != 1 || keys[0].State != "retired" || keys[0].Current {
		t.Errorf("the page holds %+v", keys)
	}
	tb.run("await a.session.close()")
	told := eval[[]string](tb, "return a.told.keys.map((c) => `${c.kind} ${c.seckeyid}`)")
	want := []string{"entered 1", "current 1", "entered 2", "current 2", "retired 1", "wiped 2", "needed 0"}
	if len(told) != len(want) {
		t.Fatalf("the page was told %q, not %q", told, want)
	}
	for i := range want {
		if told[i] != want[i] {
			t.Errorf("the page was told %q, not %q", told, want)
		}
	}
}

package fill_test

import (
	"path/filepath"
	"testing"
	"time"

	"hufu/integration/fill"
	"hufu/server/keyservice"
	"hufu/server/store/sqlite"
	"hufu/shared/wire"
)

// TestHistory: what is written passes the store's own rules, and has every
// state and fate in it.
func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hufu.db")
	if err := sqlite.Migrate(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began, now := time.Now(), time.Now()
	if err := fill.History(t.Context(), s, fill.Plan{Outlets: 2000, Keys: 10, Now: now}); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	states, keys := map[wire.State]int{}, 0
	for q := (keyservice.KeyQuery{Limit: 500}); ; {
		page, err := s.Keys(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page {
			states[k.State]++
		}
		if keys += len(page); len(page) < q.Limit {
			break
		}
		q.BeforeN = page[len(page)-1].N
	}
	if keys != 19_680 || states[wire.StateActive] != 1960 || states[wire.StateExpired] < 10_000 || states[wire.StateRevoked] == 0 {
		t.Errorf("%d keys, by state %v", keys, states)
	}
	if due, err := s.Due(t.Context(), now, 10); err != nil || len(due) > 0 {
		t.Errorf("due: %v, %v", due, err)
	}
	t.Logf("%d keys in %v", keys, took)
}

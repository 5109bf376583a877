package postgres_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
)

// TestWatermark: while a transaction that took its number first has not ended,
// the watermark names it; once it has, its number is visible and it is named no more.
func TestWatermark(t *testing.T) {
	url := pgtest.Database(t)
	s := open(t, url)
	watermark := func() keyservice.Watermark {
		t.Helper()
		w, err := s.Watermark(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	slow, quick := begin(t, connect(t, url)), begin(t, connect(t, url))
	first, second := note(t, slow, "a"), note(t, quick, "a")
	if w := watermark(); w.N != 0 || len(w.Writers) != 2 {
		t.Errorf("two write: %+v", w)
	}
	commit(t, quick)
	before := watermark()
	if before.N != second || len(before.Writers) != 1 || first > second {
		t.Errorf("the second of %d and %d has committed: %+v", first, second, before)
	}
	later := begin(t, connect(t, url)) // another that begins now is another writer
	note(t, later, "a")
	commit(t, slow)
	after := watermark()
	if len(after.Writers) != 1 || slices.Contains(after.Writers, before.Writers[0]) {
		t.Errorf("%+v, then %+v", before, after)
	}
	if err := later.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := watermark(); w.N != second || len(w.Writers) != 0 {
		t.Errorf("nobody writes: %+v", w)
	}
}

// TestRareKinds: the last events of some kinds are found without reading all
// those of the others, however rare a kind is.
func TestRareKinds(t *testing.T) {
	url := pgtest.Database(t)
	s, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	conn := connect(t, url)
	const many = 60_000
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note)
			SELECT now(), (ARRAY['negotiated', 'verified', 'retired'])[1 + i %% 3], 'a', i, 2, 0, 'a', '' FROM generate_series(1, %d) i`, many),
		`INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note) VALUES (now(), 'cut', 'a', 0, 0, 0, '', '')`,
		`VACUUM ANALYZE change`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (rows int) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'change'`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	before := read()
	for _, q := range []keyservice.EventQuery{
		{Kinds: []keyservice.Kind{keyservice.KindCut, keyservice.KindMismatch, keyservice.KindVerified}, Limit: 10},
		{Kinds: []keyservice.Kind{keyservice.KindCut, keyservice.KindVerified}, Limit: 10, Oldest: true},
		{Kinds: []keyservice.Kind{keyservice.KindCut, keyservice.KindVerified}, Limit: 10, BeforeN: many / 2},
		{Kinds: []keyservice.Kind{keyservice.KindMismatch}, Limit: 10, AfterN: 1, From: time.Now().Add(-time.Hour)},
	} {
		if _, err := s.Events(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil { // a connection tells its counts when it ends
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); read() == before && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if n := read() - before; n == 0 || n > 200 {
		t.Errorf("%d rows were read of %d", n, many)
	}
}

package postgres_test

import (
	"slices"
	"testing"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
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

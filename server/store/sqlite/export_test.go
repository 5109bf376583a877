package sqlite

import (
	"context"
	"fmt"
	"testing"
)

// LimitPages bounds the file; SQLite never goes below its present size.
func LimitPages(t *testing.T, s *Store, pages int) {
	t.Helper()
	if _, err := s.w.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA max_page_count = %d", pages)); err != nil {
		t.Fatal(err)
	}
}

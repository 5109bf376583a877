package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
)

// connect opens a session beside the store's.
func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

type executor interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// note inserts a change that names the outlet, and returns its number.
func note(t *testing.T, db executor, outlet string) (n uint64) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note)
		VALUES (now(), 'opened', $1, 0, 0, 0, '', '') RETURNING n`, outlet).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func begin(t *testing.T, conn *pgx.Conn) pgx.Tx {
	t.Helper()
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func commit(t *testing.T, tx pgx.Tx) {
	t.Helper()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// follower reads as the service does: it leaves out the numbers that it knows.
type follower struct {
	s    *postgres.Store
	at   keyservice.Position
	seen map[uint64]bool
}

func follow(t *testing.T, s *postgres.Store) *follower {
	t.Helper()
	head, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &follower{s, head, make(map[uint64]bool)}
}

func (f *follower) reads(t *testing.T, limit int, want ...string) {
	t.Helper()
	rows, next, err := f.s.Changes(t.Context(), f.at, limit)
	if err != nil {
		t.Fatal(err)
	}
	f.at = next
	var got []string
	for _, c := range rows {
		if !f.seen[c.N] {
			f.seen[c.N] = true
			got = append(got, c.Outlet)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the follower got %v, want %v", got, want)
	}
}

// TestLateCommit: a transaction takes its number first and commits last.
func TestLateCommit(t *testing.T) {
	url := pgtest.Database(t)
	f := follow(t, open(t, url))
	early, late := connect(t, url), connect(t, url)

	tx := begin(t, early)
	first := note(t, tx, "first")
	if second := note(t, late, "second"); second < first {
		t.Fatalf("numbers %d, %d: this test shows nothing", first, second)
	}
	f.reads(t, 10, "second")
	f.reads(t, 10) // listed again, but known
	note(t, late, "third")
	f.reads(t, 10, "third")
	commit(t, tx)
	f.reads(t, 10, "first")
	if f.reads(t, 10); f.at.N == 0 {
		t.Error("the position stays where it was")
	}
	rows, _, err := f.s.Changes(t.Context(), f.at, 10)
	if err != nil || len(rows) != 0 {
		t.Errorf("after the safe position: %v, %v", rows, err)
	}
}

// TestLateStart: who starts to follow while a transaction is open that has
// its number already must get it.
func TestLateStart(t *testing.T) {
	url := pgtest.Database(t)
	s := open(t, url)
	early, late := connect(t, url), connect(t, url)
	tx := begin(t, early)
	note(t, tx, "first")
	note(t, late, "second")
	f := follow(t, s)
	commit(t, tx)
	f.reads(t, 10, "first", "second")
	f.reads(t, 10)
}

// TestStuckTransaction: while one is open for long, more changes than fit a
// page pass it by, and none waits for it.
func TestStuckTransaction(t *testing.T) {
	url := pgtest.Database(t)
	f := follow(t, open(t, url))
	stuck, busy := connect(t, url), connect(t, url)
	tx := begin(t, stuck)
	note(t, tx, "stuck")
	for i := range 20 {
		id := fmt.Sprint("n", i)
		note(t, busy, id)
		f.reads(t, 3, id)
	}
	commit(t, tx)
	f.reads(t, 3, "stuck")
	for range 7 {
		f.reads(t, 3)
	}
	if rows, _, err := f.s.Changes(t.Context(), f.at, 100); err != nil || len(rows) != 0 {
		t.Errorf("small pages did not reach the end: %d rows, %v", len(rows), err)
	}
	tx = begin(t, stuck)
	note(t, tx, "gone")
	note(t, busy, "last")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.reads(t, 3, "last")
}

// TestRestored: rows of another cluster carry transactions that are not yet
// reached in this one.
func TestRestored(t *testing.T) {
	url := pgtest.Database(t)
	conn := connect(t, url)
	note(t, conn, "old1")
	note(t, conn, "old2")
	if _, err := conn.Exec(t.Context(), `UPDATE change SET txn = '9000000000'`); err != nil {
		t.Fatal(err)
	}
	f := follow(t, open(t, url))
	note(t, conn, "new1")
	f.reads(t, 10, "new1")
	if err := postgres.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	note(t, conn, "new2")
	f.reads(t, 10, "new2")
	f = &follower{f.s, keyservice.Position{}, make(map[uint64]bool)}
	f.reads(t, 10, "old1", "old2", "new1", "new2")
}

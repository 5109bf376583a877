package postgres_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"

	"hufu/integration/pgtest"
	"hufu/server/store/postgres"
)

// rows are one of every table: key 1 is retired, 2 active, 3 pending, 4
// expired, 5 revoked.
var rows = []string{
	`INSERT INTO installation VALUES (true, 's', '\x01', now())`,
	`INSERT INTO outlet VALUES ('a', 1, false, now(), 5, 1)`,
	`INSERT INTO sealed_secret VALUES ('a', 1, '\x01', now(), NULL)`,
	`INSERT INTO seckey (outlet, seckeyid, negotiated_at, expires_at, fp)
		SELECT 'a', i, now(), now() + interval '1 hour', '\x0102030405060708' FROM generate_series(1, 5) i`,
	`INSERT INTO key_state SELECT 'a', i, 1, now(), 0, 'a' FROM generate_series(1, 5) i`,
	`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) SELECT 'a', i, 1, now(), '\x01' FROM generate_series(1, 3) i`,
	`INSERT INTO key_state VALUES ('a', 1, 2, now(), 0, 'a'), ('a', 1, 3, now(), 4, ''), ('a', 2, 2, now(), 0, 'a'),
		('a', 4, 4, now(), 1, ''), ('a', 5, 5, now(), 2, 'op')`,
	`UPDATE sealed_key SET state = 3 WHERE seckeyid = 1`,
	`UPDATE sealed_key SET state = 2 WHERE seckeyid = 2`,
	`INSERT INTO receipt VALUES ('a', 4, 4, now(), 'c')`,
	`INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note) VALUES (now(), 'opened', 'a', 0, 0, 0, '', '')`,
	`INSERT INTO probe VALUES (true, now())`,
}

// TestSchemaRefuses tries by hand what no version of the program may do.
func TestSchemaRefuses(t *testing.T) {
	conn := connect(t, pgtest.Database(t))
	for _, sql := range rows {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for _, sql := range []string{
		// The history is insert-only.
		`UPDATE seckey SET fp = '\x0000000000000000'`,
		`DELETE FROM seckey`,
		`TRUNCATE seckey CASCADE`,
		`UPDATE key_state SET reason = 9`,
		`DELETE FROM key_state WHERE state = 5`,
		`TRUNCATE key_state CASCADE`,
		`UPDATE receipt SET conn = 'x'`,
		`DELETE FROM receipt`,
		`TRUNCATE receipt`,
		`UPDATE change SET note = 'x'`,
		`DELETE FROM change`,
		`TRUNCATE change`,
		// Forms and ranges.
		`INSERT INTO installation VALUES (false, 's', '\x01', now())`,
		`INSERT INTO installation VALUES (true, 's', '\x01', now())`,
		`INSERT INTO outlet VALUES ('', 1, false, now(), 0, 0)`,
		`INSERT INTO outlet VALUES ('a b', 1, false, now(), 0, 0)`,
		`INSERT INTO outlet VALUES ('abcdefghijkl', 1, false, now(), 0, 0)`,
		`INSERT INTO outlet VALUES (E'b\n', 1, false, now(), 0, 0)`,
		`INSERT INTO outlet VALUES ('ä', 1, false, now(), 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 0, false, now(), 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 4, false, now(), 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, false, now(), -1, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, false, now(), 9007199254740992, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, false, now(), 0, 4294967296)`,
		`INSERT INTO outlet VALUES ('b', 1, false, 'infinity', 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, false, '1969-12-31 23:59:59+00', 0, 0)`,
		`INSERT INTO seckey (outlet, seckeyid, negotiated_at, expires_at, fp) VALUES ('a', 9, now(), now() + interval '1 hour', '\x01')`,
		`INSERT INTO seckey (outlet, seckeyid, negotiated_at, expires_at, fp) VALUES ('b', 1, now(), now() + interval '1 hour', '\x0102030405060708')`,
		`INSERT INTO seckey (outlet, seckeyid, negotiated_at, expires_at, fp) VALUES ('a', 9, now(), now(), '\x0102030405060708')`,
		// Numbers and epochs grow, and what was enrolled stays.
		`UPDATE outlet SET last_number = 4`,
		`UPDATE outlet SET last_epoch = 0`,
		`UPDATE outlet SET role = 2`,
		`UPDATE outlet SET id = 'z'`,
		`DELETE FROM outlet`,
		// States only grow.
		`INSERT INTO key_state VALUES ('a', 9, 1, now(), 0, '')`,
		`INSERT INTO key_state VALUES ('a', 2, 2, now(), 0, '')`,
		`INSERT INTO key_state VALUES ('a', 3, 3, now(), 0, '')`,
		`INSERT INTO key_state VALUES ('a', 3, 6, now(), 0, '')`,
		`INSERT INTO key_state VALUES ('a', 3, 4, now(), 0, '')`, // it has its material
		`INSERT INTO key_state VALUES ('a', 3, 2, now(), 256, '')`,
		`INSERT INTO key_state VALUES ('a', 4, 2, now(), 0, '')`,
		`INSERT INTO key_state VALUES ('a', 4, 5, now(), 0, '')`,
		`INSERT INTO key_state VALUES ('a', 5, 4, now(), 0, '')`,
		// A living key is in a state that it has reached, and only one is active.
		`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) VALUES ('a', 4, 1, now(), '\x01')`,
		`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) VALUES ('a', 5, 1, now(), '\x01')`,
		`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) VALUES ('a', 5, 5, now(), '\x01')`,
		`UPDATE sealed_key SET state = 2 WHERE seckeyid = 3`,
		`UPDATE sealed_key SET state = 2 WHERE seckeyid = 1`,
		`UPDATE sealed_key SET state = 1 WHERE seckeyid = 2`,
		`INSERT INTO receipt VALUES ('a', 4, 5, now(), 'c')`,
		`INSERT INTO receipt VALUES ('a', 2, 2, now(), 'c')`,
		`INSERT INTO probe VALUES (false, now())`,
	} {
		_, err := conn.Exec(t.Context(), sql)
		var e *pgconn.PgError
		if !errors.As(err, &e) || !pgerrcode.IsIntegrityConstraintViolation(e.Code) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	// A second active key, though it has gone all the way.
	if _, err := conn.Exec(t.Context(), `INSERT INTO key_state VALUES ('a', 3, 2, now(), 0, '')`); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Exec(t.Context(), `UPDATE sealed_key SET state = 2 WHERE seckeyid = 3`)
	var e *pgconn.PgError
	if !errors.As(err, &e) || e.ConstraintName != "sealed_key_active" {
		t.Errorf("a second active key: %v", err)
	}
}

func TestMigrate(t *testing.T) {
	cluster := pgtest.Shared()
	if err := cluster.CreateDatabase(t.Context(), "empty", ""); err != nil {
		t.Fatal(err)
	}
	url := cluster.URL("empty")
	if _, err := postgres.Open(t.Context(), url, postgres.Options{}); !errors.Is(err, postgres.ErrSchemaOld) {
		t.Fatalf("Open of an empty database: %v", err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := postgres.Migrate(t.Context(), url); err != nil {
				t.Errorf("Migrate: %v", err)
			}
		})
	}
	all.Wait()
	open(t, url)
	conn := connect(t, url)
	if _, err := conn.Exec(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, true)`); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Open(t.Context(), url, postgres.Options{}); !errors.Is(err, postgres.ErrSchemaNew) {
		t.Errorf("Open of a newer schema: %v", err)
	}
	if err := postgres.Migrate(t.Context(), url); !errors.Is(err, postgres.ErrSchemaNew) {
		t.Errorf("Migrate of a newer schema: %v", err)
	}
}

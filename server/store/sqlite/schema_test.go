package sqlite_test

import (
	"errors"
	"testing"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// rows are one of every table: key 1 is retired, 2 active, 3 pending, 4
// expired, 5 revoked.
var rows = []string{
	`INSERT INTO installation VALUES (1, 's', x'01', 1)`,
	`INSERT INTO outlet VALUES ('a', 1, 0, 1, 5, 1)`,
	`INSERT INTO sealed_secret VALUES ('a', 1, x'01', 1, NULL)`,
	`INSERT INTO seckey (outlet, seckeyid, negotiated_at, expires_at, fp)
		SELECT 'a', column1, 1, 3600001, x'0102030405060708' FROM (VALUES (1), (2), (3), (4), (5))`,
	`INSERT INTO key_state SELECT 'a', seckeyid, 1, 1, 0, 'a' FROM seckey`,
	`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) SELECT 'a', seckeyid, 1, 60001, x'01' FROM seckey WHERE seckeyid <= 3`,
	`INSERT INTO key_state VALUES ('a', 1, 2, 1, 0, 'a')`,
	`INSERT INTO key_state VALUES ('a', 1, 3, 1, 4, '')`,
	`INSERT INTO key_state VALUES ('a', 2, 2, 1, 0, 'a')`,
	`INSERT INTO key_state VALUES ('a', 4, 4, 1, 1, '')`,
	`INSERT INTO key_state VALUES ('a', 5, 5, 1, 2, 'op')`,
	`UPDATE sealed_key SET state = 3 WHERE seckeyid = 1`,
	`UPDATE sealed_key SET state = 2 WHERE seckeyid = 2`,
	`INSERT INTO receipt VALUES ('a', 4, 4, 1, 'c')`,
	`INSERT INTO change VALUES (1, 1, 'opened', 'a', 0, 0, 0, '', '')`,
	`INSERT INTO probe VALUES (1, 1)`,
}

// TestSchemaRefuses tries by hand what no version of the program may do.
func TestSchemaRefuses(t *testing.T) {
	db := raw(t, migrated(t))
	for _, query := range rows {
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	for _, query := range []string{
		// The history is insert-only.
		`UPDATE seckey SET fp = x'0000000000000000'`,
		`DELETE FROM seckey`,
		`UPDATE key_state SET reason = 9`,
		`DELETE FROM key_state WHERE state = 5`,
		`UPDATE receipt SET conn = 'x'`,
		`DELETE FROM receipt`,
		`UPDATE change SET note = 'x'`,
		`DELETE FROM change`,
		// Forms and ranges.
		`INSERT INTO installation VALUES (2, 's', x'01', 1)`,
		`INSERT INTO installation VALUES (1, 's', x'01', 1)`,
		`INSERT INTO outlet VALUES ('', 1, 0, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('a b', 1, 0, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('abcdefghijkl', 1, 0, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('b' || char(10), 1, 0, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('b' || char(0), 1, 0, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('ä', 1, 0, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 0, 0, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 4, 0, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, 2, 1, 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, 0, 1, -1, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, 0, 1, 9007199254740992, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, 0, 1, 0, 4294967296)`,
		`INSERT INTO outlet VALUES ('b', 1, 0, -1, 0, 0)`,
		`INSERT INTO outlet VALUES ('b', 1, 0, 'now', 0, 0)`,
		`INSERT INTO seckey VALUES (9, 'a', 9, 1, 3600001, x'01')`,
		`INSERT INTO seckey VALUES (9, 'b', 1, 1, 3600001, x'0102030405060708')`,
		`INSERT INTO seckey VALUES (9, 'a', 9, 1, 1, x'0102030405060708')`,
		// Numbers and epochs grow, and what was enrolled stays.
		`UPDATE outlet SET last_number = 4`,
		`UPDATE outlet SET last_epoch = 0`,
		`UPDATE outlet SET role = 2`,
		`UPDATE outlet SET id = 'z'`,
		`DELETE FROM outlet`,
		// States only grow.
		`INSERT INTO key_state VALUES ('a', 9, 1, 1, 0, '')`,
		`INSERT INTO key_state VALUES ('a', 2, 2, 1, 0, '')`,
		`INSERT INTO key_state VALUES ('a', 3, 3, 1, 0, '')`,
		`INSERT INTO key_state VALUES ('a', 3, 6, 1, 0, '')`,
		`INSERT INTO key_state VALUES ('a', 3, 4, 1, 0, '')`, // it has its material
		`INSERT INTO key_state VALUES ('a', 3, 2, 1, 256, '')`,
		`INSERT INTO key_state VALUES ('a', 4, 2, 1, 0, '')`,
		`INSERT INTO key_state VALUES ('a', 4, 5, 1, 0, '')`,
		`INSERT INTO key_state VALUES ('a', 5, 4, 1, 0, '')`,
		// A living key is in a state that it has reached, and only one is active.
		`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) VALUES ('a', 4, 1, 1, x'01')`,
		`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) VALUES ('a', 5, 1, 1, x'01')`,
		`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed) VALUES ('a', 5, 5, 1, x'01')`,
		`UPDATE sealed_key SET state = 2 WHERE seckeyid = 3`,
		`UPDATE sealed_key SET state = 2 WHERE seckeyid = 1`,
		`UPDATE sealed_key SET state = 1 WHERE seckeyid = 2`,
		`INSERT INTO receipt VALUES ('a', 4, 5, 1, 'c')`,
		`INSERT INTO receipt VALUES ('a', 2, 2, 1, 'c')`,
		`INSERT INTO probe VALUES (0, 1)`,
	} {
		_, err := db.Exec(query)
		var e *driver.Error
		if !errors.As(err, &e) || e.Code()&0xff != lib.SQLITE_CONSTRAINT {
			t.Errorf("%s: %v", query, err)
		}
	}
	// A second active key, though it has gone all the way.
	if _, err := db.Exec(`INSERT INTO key_state VALUES ('a', 3, 2, 1, 0, '')`); err != nil {
		t.Fatal(err)
	}
	_, err := db.Exec(`UPDATE sealed_key SET state = 2 WHERE seckeyid = 3`)
	var e *driver.Error
	if !errors.As(err, &e) || e.Code() != lib.SQLITE_CONSTRAINT_UNIQUE {
		t.Errorf("a second active key: %v", err)
	}
}

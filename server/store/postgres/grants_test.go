package postgres_test

import (
	"errors"
	"fmt"
	neturl "net/url"
	"testing"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"hufu/integration/pgtest"
	"hufu/server/keyservice"
	"hufu/server/store/postgres"
	"hufu/server/store/storetest"
)

// TestAsService runs the whole suite as a role that has only what Grant gives.
func TestAsService(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Data {
		url := asService(t, pgtest.Database(t))
		return func(t *testing.T) keyservice.Store { return open(t, url) }
	})
}

// asService makes a service role for a database and returns the role's URL.
func asService(t *testing.T, url string) string {
	t.Helper()
	const role = "hufu-service"
	if err := query(t, url, `DO $$ BEGIN CREATE ROLE "hufu-service" LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Grant(t.Context(), url, role); err != nil {
		t.Fatal(err)
	}
	as, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	q := as.Query()
	q.Set("user", role)
	as.RawQuery = q.Encode()
	return as.String()
}

func query(t *testing.T, url, statement string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), statement)
	return err
}

// TestServiceCannotRewriteHistory: neither the rows, nor the triggers that keep
// them, nor the tables.
func TestServiceCannotRewriteHistory(t *testing.T) {
	url := asService(t, pgtest.Database(t))
	var statements []string
	for _, table := range []string{"seckey", "key_state", "receipt", "change"} {
		statements = append(statements, "DELETE FROM "+table, "TRUNCATE "+table, "DROP TABLE "+table,
			fmt.Sprintf("ALTER TABLE %s DISABLE TRIGGER ALL", table))
	}
	statements = append(statements,
		"UPDATE seckey SET fp = fp", "UPDATE key_state SET reason = 0", "UPDATE receipt SET at = at", "UPDATE change SET note = ''",
		"DELETE FROM outlet", "UPDATE outlet SET role = 2", "UPDATE installation SET server_id = 'X'", "DELETE FROM installation",
		"CREATE TABLE mine (x int)", "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
	for _, statement := range statements {
		err := query(t, url, statement)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != pgerrcode.InsufficientPrivilege {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestGrantRefuses(t *testing.T) {
	url := pgtest.Database(t)
	for _, role := range []string{"", `x"; DROP TABLE change; --`, "nobody-there"} {
		if err := postgres.Grant(t.Context(), url, role); err == nil {
			t.Errorf("%q was granted", role)
		}
	}
}

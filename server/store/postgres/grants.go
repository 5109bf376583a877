package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/jackc/pgx/v5"
)

var roleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,62}$`)

// Grant gives a role what the service needs and no more: it reads everything,
// adds to the history and cannot change or delete any of it, and owns nothing.
// The role exists already; whoever migrates owns the tables.
func Grant(ctx context.Context, url, role string) error {
	return grant(ctx, url, role,
		`SELECT ON ALL TABLES IN SCHEMA public`,
		`INSERT ON installation, outlet, sealed_secret, seckey, key_state, sealed_key, receipt, change, probe, process, presence, contact`,
		`UPDATE (disabled, last_number, last_epoch) ON outlet`,
		`UPDATE (sealed, first_used_at), DELETE ON sealed_secret`,
		`UPDATE (state, ends_at, sealed, soon_at), DELETE ON sealed_key`,
		`UPDATE (ring_check) ON installation`,
		`UPDATE (at) ON probe`,
		`UPDATE, DELETE ON process, presence, contact`)
}

// GrantPublisher gives a role what a publisher at the centre reads and nothing
// else: it writes nothing, and does not see the outlets' secrets. The role
// exists already.
func GrantPublisher(ctx context.Context, url, role string) error {
	return grant(ctx, url, role, `SELECT ON goose_db_version, installation, outlet, seckey, key_state, sealed_key, change`)
}

// grant takes from a role what it had in the schema and gives it what is listed.
func grant(ctx context.Context, url, role string, rights ...string) (err error) {
	if !roleName.MatchString(role) {
		return fmt.Errorf("postgres: %q is not a role's name", role)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return failure("grant", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	to := pgx.Identifier{role}.Sanitize()
	statements := []string{`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ` + to, `GRANT USAGE ON SCHEMA public TO ` + to}
	for _, r := range rights {
		statements = append(statements, `GRANT `+r+` TO `+to)
	}
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return failure("grant", err)
		}
	}
	return nil
}

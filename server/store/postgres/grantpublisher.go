package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// GrantPublisher gives a role what a publisher at the centre reads and nothing
// else: it writes nothing, and does not see the outlets' secrets. The role
// exists already.
func GrantPublisher(ctx context.Context, url, role string) (err error) {
	if !roleName.MatchString(role) {
		return fmt.Errorf("postgres: %q is not a role's name", role)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return failure("grant", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	to := pgx.Identifier{role}.Sanitize()
	for _, statement := range []string{
		`REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ` + to,
		`GRANT USAGE ON SCHEMA public TO ` + to,
		`GRANT SELECT ON goose_db_version, installation, outlet, seckey, key_state, sealed_key, change TO ` + to,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return failure("grant", err)
		}
	}
	return nil
}

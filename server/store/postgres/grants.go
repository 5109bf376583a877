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
func Grant(ctx context.Context, url, role string) (err error) {
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
		`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ` + to,
		`GRANT INSERT ON installation, outlet, sealed_secret, seckey, key_state, sealed_key, receipt, change, probe, process, presence, contact TO ` + to,
		`GRANT UPDATE (disabled, last_number, last_epoch) ON outlet TO ` + to,
		`GRANT UPDATE (sealed, first_used_at), DELETE ON sealed_secret TO ` + to,
		`GRANT UPDATE (state, ends_at, sealed, soon_at), DELETE ON sealed_key TO ` + to,
		`GRANT UPDATE (ring_check) ON installation TO ` + to,
		`GRANT UPDATE (at) ON probe TO ` + to,
		`GRANT UPDATE, DELETE ON process, presence, contact TO ` + to,
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return failure("grant", err)
		}
	}
	return nil
}

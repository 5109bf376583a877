// Package postgres is the store on PostgreSQL 15 or newer, for one server
// process or several. See keyservice.Store for the contract.
package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"hufu/server/keyservice"
	"hufu/server/store/schema"
)

// trusted is for how long an idle connection is taken to be alive unasked.
const trusted = 50 * time.Millisecond

// Options tune a Store. The zero value is fit for a server.
type Options struct {
	// MaxConns is the size of the pool, 8 by default.
	MaxConns int
	// Timeout bounds every statement, 10 s by default. A session of ours that
	// hangs within a transaction is ended after the same time, since it would
	// hold back the followers of the change table and keep outlets locked.
	Timeout time.Duration
}

// Store is a keyservice.Store in a PostgreSQL database.
type Store struct {
	pool    *pgxpool.Pool
	timeout time.Duration
}

var _ keyservice.Store = (*Store)(nil)

// Open connects to the database at url, which Migrate has prepared. A schema
// that is not the program's is refused with an error that wraps ErrSchemaOld
// or ErrSchemaNew.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.MaxConns == 0 {
		o.MaxConns = 8
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	config.MaxConns = int32(o.MaxConns)
	ms := strconv.FormatInt(o.Timeout.Milliseconds(), 10)
	params := config.ConnConfig.RuntimeParams
	params["statement_timeout"] = ms
	params["idle_in_transaction_session_timeout"] = ms
	params["default_transaction_isolation"] = "read committed"
	params["timezone"] = "UTC"
	// Every statement of ours goes by an index. A plan that was made while a
	// table was small, by scanning it, must not outlive the table's growth.
	for _, planner := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} {
		params[planner] = "off"
	}
	if params["application_name"] == "" {
		params["application_name"] = "hufu-server"
	}
	config.AfterConnect = durable
	// A connection that has been idle may be to a server that has restarted since.
	config.ShouldPing = func(_ context.Context, p pgxpool.ShouldPingParams) bool { return p.IdleDuration > trusted }
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, failure("open", err)
	}
	s := &Store{pool: pool, timeout: o.Timeout}
	v, err := version(ctx, pool)
	if err == nil {
		err = schema.Check(v, migrations)
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// durable makes sure that a commit is on disk when it is acknowledged, also
// where the database's default is otherwise.
func durable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// Close waits for the calls that run.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

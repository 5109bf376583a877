package pgtest

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const template = "migrated"

var (
	shared *Cluster
	serial atomic.Int64
)

// Main runs a package's tests over one cluster, and returns the code to exit
// with. migrate brings the database that Database copies to its schema. To be
// used as os.Exit(pgtest.Main(m, postgres.Migrate)). A goroutine that is left
// when all has ended is a failure.
func Main(m *testing.M, migrate func(ctx context.Context, url string) error, options ...Option) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // for the start, beside other packages' tests
	defer cancel()
	code, err := run(ctx, m, migrate, options)
	if err == nil {
		err = leaks()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}

// leaks finds goroutines that do not end.
func leaks() (err error) {
	for range 30 {
		if err = goleak.Find(); err == nil {
			return nil
		}
		time.Sleep(time.Second)
	}
	return err
}

func run(ctx context.Context, m *testing.M, migrate func(context.Context, string) error, options []Option) (code int, err error) {
	if shared, err = Start(ctx, options...); err != nil {
		return 1, err
	}
	defer func() {
		if stop := shared.Stop(); err == nil {
			err = stop
		}
	}()
	if err := shared.CreateDatabase(ctx, template, ""); err != nil {
		return 1, err
	}
	if err := migrate(ctx, shared.URL(template)); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// Shared returns Main's cluster.
func Shared() *Cluster { return shared }

// Database makes a database of the migrated schema for one test and returns
// its URL. It is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprint("t", serial.Add(1))
	if err := shared.CreateDatabase(t.Context(), name, template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shared.DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return shared.URL(name)
}

package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// list collects the rows of a query.
func list[T any](ctx context.Context, db querier, doing string, read func(pgx.Row) (T, error),
	sql string, args ...any) ([]T, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, failure(doing, err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := read(rows)
		if err != nil {
			return nil, failure(doing, err)
		}
		all = append(all, v)
	}
	return all, failure(doing, rows.Err())
}

// where gathers the conditions of a query and their arguments.
type where struct {
	conds []string
	args  []any
}

// and adds a condition, in which each %s stands for the next argument.
func (w *where) and(cond string, args ...any) {
	marks := make([]any, len(args))
	for i, a := range args {
		marks[i] = w.arg(a)
	}
	w.conds = append(w.conds, fmt.Sprintf(cond, marks...))
}

// arg adds an argument and returns its mark.
func (w *where) arg(a any) string {
	w.args = append(w.args, a)
	return fmt.Sprintf("$%d", len(w.args))
}

func (w *where) String() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// convert is a list in the type that its column has.
func convert[To, From any](from []From, f func(From) To) []To {
	to := make([]To, len(from))
	for i, v := range from {
		to[i] = f(v)
	}
	return to
}

package postgres

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/server/keyservice"
)

// load begins a transaction, locks the outlets of the changes and reads what
// they decide over, in one round trip.
func load(ctx context.Context, conn *pgx.Conn, changes []*keyservice.Change) (ledgers, error) {
	all := make(ledgers, len(changes))
	byID := make(map[string]*keyservice.Ledger, len(changes))
	ids := make([]string, len(changes))
	var namers []string
	var named []int64
	for i, c := range changes {
		all[i] = ledger{c, &keyservice.Ledger{}}
		ids[i], byID[c.Outlet] = c.Outlet, all[i].Ledger
		if c.Seckeyid != 0 {
			namers, named = append(namers, c.Outlet), append(named, num(c.Seckeyid))
		}
	}
	b := &pgx.Batch{}
	b.Queue("BEGIN")
	// Nobody changes an outlet's id, so that foreign keys may refer to the row
	// meanwhile: NO KEY.
	queueRead(b, func(row pgx.Row) error {
		o, err := scanOutlet(row)
		if err == nil {
			byID[o.ID].Outlet = &o
		}
		return err
	}, `SELECT id, role, disabled, enrolled_at, last_number, last_epoch FROM outlet
		WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE`, ids)
	queueRead(b, func(row pgx.Row) error {
		var id string
		x, err := scanSecret(row, &id)
		if err == nil {
			byID[id].Secrets = append(byID[id].Secrets, x)
		}
		return err
	}, `SELECT outlet, epoch, sealed, created_at, first_used_at FROM sealed_secret
		WHERE outlet = ANY ($1::text[]) ORDER BY outlet, epoch DESC`, ids)
	queueRead(b, func(row pgx.Row) error {
		var id string
		k, err := scanLiving(row, &id)
		if err == nil {
			byID[id].Living = append(byID[id].Living, k)
		}
		return err
	}, `SELECT l.outlet, l.seckeyid, l.state, k.negotiated_at, k.expires_at, l.ends_at, k.fp, l.sealed
		FROM sealed_key l JOIN seckey k ON k.outlet = l.outlet AND k.seckeyid = l.seckeyid
		WHERE l.outlet = ANY ($1::text[]) ORDER BY l.outlet, l.seckeyid`, ids)
	if len(namers) > 0 {
		queueRead(b, func(row pgx.Row) error {
			var id string
			k, err := scanNamed(row, &id)
			if err == nil {
				byID[id].Named = &k
			}
			return err
		}, `SELECT k.outlet, k.seckeyid, s.state, s.reason, k.fp, r.at
			FROM unnest($1::text[], $2::bigint[]) q (outlet, seckeyid)
			JOIN seckey k ON k.outlet = q.outlet AND k.seckeyid = q.seckeyid
			CROSS JOIN LATERAL (SELECT state, reason FROM key_state
				WHERE outlet = k.outlet AND seckeyid = k.seckeyid ORDER BY state DESC LIMIT 1) s
			LEFT JOIN receipt r ON r.outlet = k.outlet AND r.seckeyid = k.seckeyid AND r.state = s.state`,
			namers, named)
	}
	return all, conn.SendBatch(ctx, b).Close()
}

func queueRead(b *pgx.Batch, read func(pgx.Row) error, sql string, args ...any) {
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := read(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func scanOutlet(row pgx.Row) (o keyservice.Outlet, err error) {
	err = row.Scan(&o.ID, &o.Role, &o.Disabled, &o.EnrolledAt, &o.LastNumber, &o.LastEpoch)
	o.EnrolledAt = o.EnrolledAt.UTC()
	return o, err
}

func scanSecret(row pgx.Row, outlet *string) (x keyservice.Secret, err error) {
	var used *time.Time
	err = row.Scan(outlet, &x.Epoch, &x.Sealed, &x.CreatedAt, &used)
	x.CreatedAt, x.FirstUsedAt = x.CreatedAt.UTC(), utc(used)
	return x, err
}

func scanLiving(row pgx.Row, outlet *string) (k keyservice.LivingKey, err error) {
	var fp []byte
	if err := row.Scan(outlet, &k.Seckeyid, &k.State, &k.Created, &k.Expires, &k.EndsAt, &fp, &k.Sealed); err != nil {
		return k, err
	}
	k.Created, k.Expires, k.EndsAt = k.Created.UTC(), k.Expires.UTC(), k.EndsAt.UTC()
	return k, setFP(&k.FP, fp)
}

func scanNamed(row pgx.Row, outlet *string) (k keyservice.NamedKey, err error) {
	var fp []byte
	var receipt *time.Time
	if err := row.Scan(outlet, &k.Seckeyid, &k.State, &k.Reason, &fp, &receipt); err != nil {
		return k, err
	}
	k.ReceiptAt = utc(receipt)
	return k, setFP(&k.FP, fp)
}

func setFP(fp *[8]byte, b []byte) error {
	if copy(fp[:], b) != len(fp) || len(b) != len(fp) {
		return errors.New("postgres: a fingerprint is not of 8 bytes")
	}
	return nil
}

// utc is a time that may be NULL.
func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// null is the inverse of utc.
func null(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// num fits a number into bigint. What is cut here is above every bound of the
// schema.
func num(u uint64) int64 { return int64(min(u, math.MaxInt64)) }

package sqlite

import (
	"database/sql"
	"errors"
	"math"
	"time"

	"hufu/server/keyservice"
)

const selectOutlet = `SELECT id, role, disabled, enrolled_at, last_number, last_epoch FROM outlet`

const selectSecrets = `SELECT epoch, sealed, created_at, first_used_at FROM sealed_secret
	WHERE outlet = ? ORDER BY epoch DESC`

// load reads the part of the store that the change decides over.
func (w *writer) load(c *keyservice.Change) (*keyservice.Ledger, error) {
	l := &keyservice.Ledger{}
	err := w.query(func(scan func(...any) error) error {
		o, err := scanOutlet(scan)
		l.Outlet = &o
		return err
	}, selectOutlet+` WHERE id = ?`, c.Outlet)
	if err != nil || l.Outlet == nil {
		return l, err
	}
	err = w.query(func(scan func(...any) error) error {
		x, err := scanSecret(scan)
		l.Secrets = append(l.Secrets, x)
		return err
	}, selectSecrets, c.Outlet)
	if err != nil {
		return nil, err
	}
	err = w.query(func(scan func(...any) error) error {
		k, err := scanLiving(scan)
		l.Living = append(l.Living, k)
		return err
	}, `SELECT l.seckeyid, l.state, k.negotiated_at, k.expires_at, l.ends_at, k.fp, l.sealed
		FROM sealed_key l JOIN seckey k ON k.outlet = l.outlet AND k.seckeyid = l.seckeyid
		WHERE l.outlet = ? ORDER BY l.seckeyid`, c.Outlet)
	if err != nil {
		return nil, err
	}
	if c.Seckeyid != 0 {
		l.Named, err = w.loadNamed(c)
	}
	return l, err
}

func (w *writer) loadNamed(c *keyservice.Change) (named *keyservice.NamedKey, err error) {
	err = w.query(func(scan func(...any) error) error {
		var k keyservice.NamedKey
		var fp []byte
		var receipt sql.NullInt64
		if err := scan(&k.Seckeyid, &k.State, &k.Reason, &fp, &receipt); err != nil {
			return err
		}
		k.ReceiptAt = timeOf(receipt)
		named = &k
		return setFP(&k.FP, fp)
	}, `SELECT k.seckeyid, s.state, s.reason, k.fp, r.at
		FROM seckey k
		JOIN key_state s ON s.outlet = k.outlet AND s.seckeyid = k.seckeyid
		LEFT JOIN receipt r ON r.outlet = s.outlet AND r.seckeyid = s.seckeyid AND r.state = s.state
		WHERE k.outlet = ? AND k.seckeyid = ?
		ORDER BY s.state DESC LIMIT 1`, c.Outlet, num(c.Seckeyid))
	return named, err
}

func scanOutlet(scan func(...any) error) (o keyservice.Outlet, err error) {
	var at sql.NullInt64
	err = scan(&o.ID, &o.Role, &o.Disabled, &at, &o.LastNumber, &o.LastEpoch)
	o.EnrolledAt = timeOf(at)
	return o, err
}

func scanSecret(scan func(...any) error) (x keyservice.Secret, err error) {
	var created, used sql.NullInt64
	err = scan(&x.Epoch, &x.Sealed, &created, &used)
	x.CreatedAt, x.FirstUsedAt = timeOf(created), timeOf(used)
	return x, err
}

func scanLiving(scan func(...any) error) (k keyservice.LivingKey, err error) {
	var created, expires, ends sql.NullInt64
	var fp []byte
	if err := scan(&k.Seckeyid, &k.State, &created, &expires, &ends, &fp, &k.Sealed); err != nil {
		return k, err
	}
	k.Created, k.Expires, k.EndsAt = timeOf(created), timeOf(expires), timeOf(ends)
	return k, setFP(&k.FP, fp)
}

func setFP(fp *[8]byte, b []byte) error {
	if copy(fp[:], b) != len(fp) || len(b) != len(fp) {
		return errors.New("sqlite: a fingerprint is not of 8 bytes")
	}
	return nil
}

// timeOf is the inverse of ms.
func timeOf(v sql.NullInt64) time.Time {
	if !v.Valid {
		return time.Time{}
	}
	return time.UnixMilli(v.Int64).UTC()
}

// num fits a number into SQLite's integers. What is cut here is above every
// bound of the schema.
func num(u uint64) int64 { return int64(min(u, math.MaxInt64)) }

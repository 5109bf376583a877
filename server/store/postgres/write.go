package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"hufu/server/keyservice"
	"hufu/shared/wire"
)

// queue queues what the changes have recorded, in the order of
// keyservice.Writes: one statement for all rows of a kind, a column an array.
func (all ledgers) queue(b *pgx.Batch) {
	all.queueOutlets(b)
	all.queueSecrets(b)
	all.queueKeys(b)
	all.queueMoves(b)
	all.queueReceipts(b)
	all.queueChanges(b)
}

// of is a row to be written and the outlet that it is about.
type of[T any] struct {
	outlet string
	row    T
}

// gather collects the rows of one kind from all the changes.
func gather[T any](all ledgers, rows func(*keyservice.Ledger) []T) (gathered []of[T]) {
	for _, l := range all {
		for _, r := range rows(l.Ledger) {
			gathered = append(gathered, of[T]{l.change.Outlet, r})
		}
	}
	return gathered
}

// column is one column of the rows.
func column[T, C any](rows []of[T], get func(T) C) []C {
	c := make([]C, len(rows))
	for i, r := range rows {
		c[i] = get(r.row)
	}
	return c
}

func outlets[T any](rows []of[T]) []string {
	c := make([]string, len(rows))
	for i, r := range rows {
		c[i] = r.outlet
	}
	return c
}

func (all ledgers) queueOutlets(b *pgx.Batch) {
	type row = keyservice.Outlet
	role := func(o row) int16 { return int16(o.Role) }
	disabled := func(o row) bool { return o.Disabled }
	number := func(o row) int64 { return num(o.LastNumber) }
	epoch := func(o row) int64 { return int64(o.LastEpoch) }

	// Two processes that enrol the same ids wait for each other here, so the
	// order has to be the same.
	if rows := gather(all, func(l *keyservice.Ledger) []row { return pointed(l.Writes.NewOutlet) }); len(rows) > 0 {
		b.Queue(`INSERT INTO outlet (id, role, disabled, enrolled_at, last_number, last_epoch)
			SELECT * FROM unnest($1::text[], $2::smallint[], $3::boolean[], $4::timestamptz[], $5::bigint[], $6::bigint[])
				w (id, role, disabled, enrolled_at, last_number, last_epoch)
			ORDER BY id COLLATE "C"`,
			column(rows, func(o row) string { return o.ID }), column(rows, role), column(rows, disabled),
			column(rows, func(o row) time.Time { return o.EnrolledAt }), column(rows, number), column(rows, epoch))
	}
	if rows := gather(all, func(l *keyservice.Ledger) []row {
		if !l.Writes.SetOutlet {
			return nil
		}
		return pointed(l.Outlet)
	}); len(rows) > 0 {
		b.Queue(`UPDATE outlet o SET disabled = w.disabled, last_number = w.last_number, last_epoch = w.last_epoch
			FROM unnest($1::text[], $2::boolean[], $3::bigint[], $4::bigint[]) w (id, disabled, last_number, last_epoch)
			WHERE o.id = w.id`,
			outlets(rows), column(rows, disabled), column(rows, number), column(rows, epoch))
	}
}

// pointed is a list of what p points to, if to anything.
func pointed[T any](p *T) []T {
	if p == nil {
		return nil
	}
	return []T{*p}
}

func (all ledgers) queueSecrets(b *pgx.Batch) {
	type row = keyservice.Secret
	epoch := func(x row) int64 { return int64(x.Epoch) }
	sealed := func(x row) []byte { return x.Sealed }
	used := func(x row) *time.Time { return null(x.FirstUsedAt) }

	if rows := gather(all, func(l *keyservice.Ledger) []row { return l.Writes.NewSecrets }); len(rows) > 0 {
		b.Queue(`INSERT INTO sealed_secret (outlet, epoch, sealed, created_at, first_used_at)
			SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[], $4::timestamptz[], $5::timestamptz[])`,
			outlets(rows), column(rows, epoch), column(rows, sealed),
			column(rows, func(x row) time.Time { return x.CreatedAt }), column(rows, used))
	}
	if rows := gather(all, func(l *keyservice.Ledger) []row { return l.Writes.UsedSecrets }); len(rows) > 0 {
		b.Queue(`UPDATE sealed_secret s SET first_used_at = w.first_used_at
			FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) w (outlet, epoch, first_used_at)
			WHERE s.outlet = w.outlet AND s.epoch = w.epoch`,
			outlets(rows), column(rows, epoch), column(rows, used))
	}
	if rows := gather(all, func(l *keyservice.Ledger) []row { return l.Writes.SetSecrets }); len(rows) > 0 {
		b.Queue(`UPDATE sealed_secret s SET sealed = w.sealed
			FROM unnest($1::text[], $2::bigint[], $3::bytea[]) w (outlet, epoch, sealed)
			WHERE s.outlet = w.outlet AND s.epoch = w.epoch`,
			outlets(rows), column(rows, epoch), column(rows, sealed))
	}
	if rows := gather(all, func(l *keyservice.Ledger) []uint32 { return l.Writes.DropSecrets }); len(rows) > 0 {
		b.Queue(`DELETE FROM sealed_secret s USING unnest($1::text[], $2::bigint[]) w (outlet, epoch)
			WHERE s.outlet = w.outlet AND s.epoch = w.epoch`,
			outlets(rows), column(rows, func(epoch uint32) int64 { return int64(epoch) }))
	}
}

// queueKeys inserts new keys. Whoever negotiates does so for itself, so that
// the state pending is the outlet's own act.
func (all ledgers) queueKeys(b *pgx.Batch) {
	type row = keyservice.LivingKey
	number := func(k row) int64 { return num(k.Seckeyid) }
	created := func(k row) time.Time { return k.Created }
	rows := gather(all, func(l *keyservice.Ledger) []row { return l.Writes.NewKeys })
	if len(rows) == 0 {
		return
	}
	b.Queue(`INSERT INTO seckey (outlet, seckeyid, negotiated_at, expires_at, fp)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::bytea[])`,
		outlets(rows), column(rows, number), column(rows, created),
		column(rows, func(k row) time.Time { return k.Expires }),
		column(rows, func(k row) []byte { return k.FP[:] }))
	b.Queue(`INSERT INTO key_state (outlet, seckeyid, state, at, reason, actor)
		SELECT outlet, seckeyid, 1, at, 0, outlet
		FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) w (outlet, seckeyid, at)`,
		outlets(rows), column(rows, number), column(rows, created))
	b.Queue(`INSERT INTO sealed_key (outlet, seckeyid, state, ends_at, sealed)
		SELECT outlet, seckeyid, 1, ends_at, sealed
		FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::bytea[]) w (outlet, seckeyid, ends_at, sealed)`,
		outlets(rows), column(rows, number),
		column(rows, func(k row) time.Time { return k.EndsAt }),
		column(rows, func(k row) []byte { return k.Sealed }))
}

func (all ledgers) queueMoves(b *pgx.Batch) {
	for _, moves := range rounds(gather(all, func(l *keyservice.Ledger) []keyservice.Move { return l.Writes.Moves })) {
		queueRound(b, moves)
	}
	rows := gather(all, func(l *keyservice.Ledger) []keyservice.LivingKey { return l.Writes.SetKeys })
	if len(rows) > 0 {
		b.Queue(`UPDATE sealed_key k SET sealed = w.sealed
			FROM unnest($1::text[], $2::bigint[], $3::bytea[]) w (outlet, seckeyid, sealed)
			WHERE k.outlet = w.outlet AND k.seckeyid = w.seckeyid`,
			outlets(rows), column(rows, func(k keyservice.LivingKey) int64 { return num(k.Seckeyid) }),
			column(rows, func(k keyservice.LivingKey) []byte { return k.Sealed }))
	}
}

type move = of[keyservice.Move]

// rounds parts the moves so that a key has one in a round, in the order in
// which they were recorded, and becomes active in none before those that end
// another key and were recorded before. There is hardly ever a second round.
func rounds(moves []move) (parts [][]move) {
	type key struct {
		outlet string
		number uint64
	}
	next := make(map[key]int, len(moves)) // the first round that is free for the key
	left := make(map[string]int)          // the last round in which the outlet's keys were moved on
	for _, m := range moves {
		k := key{m.outlet, m.row.Seckeyid}
		round := next[k]
		if m.row.State == wire.StateActive {
			round = max(round, left[m.outlet])
		} else {
			left[m.outlet] = max(left[m.outlet], round)
		}
		next[k] = round + 1
		for round >= len(parts) {
			parts = append(parts, nil)
		}
		parts[round] = append(parts[round], m)
	}
	return parts
}

// queueRound writes moves of different keys: the material of what ends goes
// first, and nothing becomes active before what was so is retired.
func queueRound(b *pgx.Batch, moves []move) {
	var active, retired, ended []move
	for _, m := range moves {
		switch {
		case m.row.State == wire.StateActive:
			active = append(active, m)
		case m.row.State == wire.StateRetired:
			retired = append(retired, m)
		case m.row.State > wire.StateRetired:
			ended = append(ended, m)
		}
	}
	number := func(m keyservice.Move) int64 { return num(m.Seckeyid) }
	if len(ended) > 0 {
		b.Queue(`DELETE FROM sealed_key k USING unnest($1::text[], $2::bigint[]) w (outlet, seckeyid)
			WHERE k.outlet = w.outlet AND k.seckeyid = w.seckeyid`,
			outlets(ended), column(ended, number))
	}
	b.Queue(`INSERT INTO key_state (outlet, seckeyid, state, at, reason, actor)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::timestamptz[], $5::smallint[], $6::text[])`,
		outlets(moves), column(moves, number),
		column(moves, func(m keyservice.Move) int16 { return int16(m.State) }),
		column(moves, func(m keyservice.Move) time.Time { return m.At }),
		column(moves, func(m keyservice.Move) int16 { return int16(m.Reason) }),
		column(moves, func(m keyservice.Move) string { return m.By }))
	for _, living := range [][]move{retired, active} {
		if len(living) > 0 {
			b.Queue(`UPDATE sealed_key k SET state = w.state, ends_at = w.ends_at, soon_at = CASE WHEN w.state = 2 THEN w.ends_at -
					(SELECT (s.expires_at - s.negotiated_at) / 4 FROM seckey s WHERE s.outlet = w.outlet AND s.seckeyid = w.seckeyid) END
				FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::timestamptz[]) w (outlet, seckeyid, state, ends_at)
				WHERE k.outlet = w.outlet AND k.seckeyid = w.seckeyid`,
				outlets(living), column(living, number),
				column(living, func(m keyservice.Move) int16 { return int16(m.State) }),
				column(living, func(m keyservice.Move) time.Time { return m.EndsAt }))
		}
	}
}

func (all ledgers) queueReceipts(b *pgx.Batch) {
	type row = keyservice.Receipt
	rows := gather(all, func(l *keyservice.Ledger) []row { return l.Writes.Receipts })
	if len(rows) == 0 {
		return
	}
	// The first receipt stays.
	b.Queue(`INSERT INTO receipt (outlet, seckeyid, state, at, conn)
		SELECT * FROM unnest($1::text[], $2::bigint[], $3::smallint[], $4::timestamptz[], $5::text[])
		ON CONFLICT (outlet, seckeyid, state) DO NOTHING`,
		outlets(rows), column(rows, func(r row) int64 { return num(r.Seckeyid) }),
		column(rows, func(r row) int16 { return int16(r.State) }),
		column(rows, func(r row) time.Time { return r.At }),
		column(rows, func(r row) string { return r.Conn }))
}

func (all ledgers) queueChanges(b *pgx.Batch) {
	type row = keyservice.ChangeRow
	rows := gather(all, func(l *keyservice.Ledger) []row { return l.Writes.Changes })
	if len(rows) == 0 {
		return
	}
	b.Queue(`INSERT INTO change (at, kind, outlet, seckeyid, state, reason, actor, note)
		SELECT at, kind, outlet, seckeyid, state, reason, actor, note
		FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::bigint[], $5::smallint[], $6::smallint[], $7::text[], $8::text[])
			WITH ORDINALITY w (at, kind, outlet, seckeyid, state, reason, actor, note, place)
		ORDER BY place`,
		column(rows, func(c row) time.Time { return c.At }),
		column(rows, func(c row) string { return string(c.Kind) }),
		column(rows, func(c row) string { return c.Outlet }),
		column(rows, func(c row) int64 { return num(c.Seckeyid) }),
		column(rows, func(c row) int16 { return int16(c.State) }),
		column(rows, func(c row) int16 { return int16(c.Reason) }),
		column(rows, func(c row) string { return c.By }),
		column(rows, func(c row) string { return c.Note }))
	b.Queue(`SELECT pg_notify($1, '')`, changed)
}

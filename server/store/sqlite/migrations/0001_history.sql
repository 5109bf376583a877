-- +goose Up

-- Times are milliseconds since 1970 UTC. Identifiers are 1 to 11 bytes of
-- 0-9 A-Z a-z _ . - (protocol.md §3); an empty actor is the server itself.

CREATE TABLE installation (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    server_id  TEXT    NOT NULL CHECK (length(server_id) BETWEEN 1 AND 11 AND octet_length(server_id) = length(server_id)
                                       AND server_id NOT GLOB '*[^0-9A-Za-z_.-]*'),
    ring_check BLOB    NOT NULL CHECK (length(ring_check) > 0),
    created_at INTEGER NOT NULL CHECK (created_at BETWEEN 0 AND 9007199254740991)
) STRICT;

CREATE TABLE outlet (
    id          TEXT    NOT NULL PRIMARY KEY
                        CHECK (length(id) BETWEEN 1 AND 11 AND octet_length(id) = length(id)
                               AND id NOT GLOB '*[^0-9A-Za-z_.-]*'),
    role        INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),
    disabled    INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    enrolled_at INTEGER NOT NULL CHECK (enrolled_at BETWEEN 0 AND 9007199254740991),
    last_number INTEGER NOT NULL CHECK (last_number BETWEEN 0 AND 9007199254740991),
    last_epoch  INTEGER NOT NULL CHECK (last_epoch BETWEEN 0 AND 4294967295)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER outlet_grows BEFORE UPDATE ON outlet
WHEN NEW.id <> OLD.id OR NEW.role <> OLD.role OR NEW.enrolled_at <> OLD.enrolled_at
  OR NEW.last_number < OLD.last_number OR NEW.last_epoch < OLD.last_epoch
BEGIN
    SELECT RAISE(ABORT, 'outlet_grows: numbers and epochs are never given out twice');
END;
-- +goose StatementEnd

CREATE TABLE sealed_secret (
    outlet        TEXT    NOT NULL REFERENCES outlet (id),
    epoch         INTEGER NOT NULL CHECK (epoch BETWEEN 1 AND 4294967295),
    sealed        BLOB    NOT NULL CHECK (length(sealed) BETWEEN 1 AND 1024),
    created_at    INTEGER NOT NULL CHECK (created_at BETWEEN 0 AND 9007199254740991),
    first_used_at INTEGER CHECK (first_used_at BETWEEN 0 AND 9007199254740991),
    PRIMARY KEY (outlet, epoch)
) STRICT, WITHOUT ROWID;

-- The history: seckey, key_state, receipt and change are insert-only. Times
-- are ordered within a row and not between rows: two servers' clocks differ,
-- and a revocation must not fail for that.

CREATE TABLE seckey (
    n             INTEGER NOT NULL PRIMARY KEY,
    outlet        TEXT    NOT NULL REFERENCES outlet (id),
    seckeyid      INTEGER NOT NULL CHECK (seckeyid BETWEEN 1 AND 9007199254740991),
    negotiated_at INTEGER NOT NULL CHECK (negotiated_at BETWEEN 0 AND 9007199254740991),
    expires_at    INTEGER NOT NULL,
    fp            BLOB    NOT NULL CHECK (length(fp) = 8),
    UNIQUE (outlet, seckeyid),
    CHECK (expires_at - negotiated_at BETWEEN 60000 AND 2592000000)
) STRICT;
CREATE INDEX seckey_outlet_n ON seckey (outlet, n);
CREATE INDEX seckey_negotiated ON seckey (negotiated_at);

CREATE TABLE key_state (
    outlet   TEXT    NOT NULL,
    seckeyid INTEGER NOT NULL,
    state    INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    at       INTEGER NOT NULL CHECK (at BETWEEN 0 AND 9007199254740991),
    reason   INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 255),
    actor    TEXT    NOT NULL CHECK (length(actor) <= 11 AND octet_length(actor) = length(actor)
                                     AND actor NOT GLOB '*[^0-9A-Za-z_.-]*'),
    PRIMARY KEY (outlet, seckeyid, state),
    FOREIGN KEY (outlet, seckeyid) REFERENCES seckey (outlet, seckeyid)
) STRICT, WITHOUT ROWID;
CREATE INDEX key_state_revoked ON key_state (outlet, seckeyid) WHERE state = 5;

-- The living keys, with their material: the only table of keys from which
-- rows are deleted.
CREATE TABLE sealed_key (
    outlet   TEXT    NOT NULL,
    seckeyid INTEGER NOT NULL,
    state    INTEGER NOT NULL CHECK (state BETWEEN 1 AND 3),
    ends_at  INTEGER NOT NULL CHECK (ends_at BETWEEN 0 AND 9007199254740991),
    sealed   BLOB    NOT NULL CHECK (length(sealed) BETWEEN 1 AND 1024),
    PRIMARY KEY (outlet, seckeyid),
    FOREIGN KEY (outlet, seckeyid, state) REFERENCES key_state (outlet, seckeyid, state)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX sealed_key_active ON sealed_key (outlet) WHERE state = 2;
CREATE INDEX sealed_key_due ON sealed_key (ends_at, outlet);

-- States only grow: active from pending, retired from active, expired and
-- revoked from any of these three. Only a living key moves on, and the
-- material of one that ends is gone before.
-- +goose StatementBegin
CREATE TRIGGER key_state_order BEFORE INSERT ON key_state WHEN NEW.state > 1
BEGIN
    SELECT RAISE(ABORT, 'key_state_order: the state does not follow from the last one')
    FROM (SELECT coalesce(max(state), 0) AS last FROM key_state WHERE outlet = NEW.outlet AND seckeyid = NEW.seckeyid)
    WHERE last NOT BETWEEN 1 AND 3 OR last >= NEW.state OR (NEW.state = 3 AND last <> 2);
    SELECT RAISE(ABORT, 'key_state_order: a living key has its material, an ended one has none')
    WHERE (NEW.state > 3) = EXISTS (SELECT 1 FROM sealed_key WHERE outlet = NEW.outlet AND seckeyid = NEW.seckeyid);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sealed_key_insert BEFORE INSERT ON sealed_key
WHEN EXISTS (SELECT 1 FROM key_state WHERE outlet = NEW.outlet AND seckeyid = NEW.seckeyid AND state > NEW.state)
BEGIN
    SELECT RAISE(ABORT, 'sealed_key_insert: the key has passed this state');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sealed_key_update BEFORE UPDATE OF state ON sealed_key
WHEN EXISTS (SELECT 1 FROM key_state WHERE outlet = NEW.outlet AND seckeyid = NEW.seckeyid AND state > NEW.state)
BEGIN
    SELECT RAISE(ABORT, 'sealed_key_update: the key has passed this state');
END;
-- +goose StatementEnd

CREATE TABLE receipt (
    outlet   TEXT    NOT NULL,
    seckeyid INTEGER NOT NULL,
    state    INTEGER NOT NULL CHECK (state IN (4, 5)),
    at       INTEGER NOT NULL CHECK (at BETWEEN 0 AND 9007199254740991),
    conn     TEXT    NOT NULL CHECK (octet_length(conn) <= 200 AND instr(conn, char(0)) = 0),
    PRIMARY KEY (outlet, seckeyid, state),
    FOREIGN KEY (outlet, seckeyid, state) REFERENCES key_state (outlet, seckeyid, state)
) STRICT, WITHOUT ROWID;

-- No foreign keys here: what was refused may name what does not exist.
CREATE TABLE change (
    n        INTEGER NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL CHECK (at BETWEEN 0 AND 9007199254740991),
    kind     TEXT    NOT NULL CHECK (length(kind) BETWEEN 1 AND 32 AND octet_length(kind) = length(kind)
                                     AND kind NOT GLOB '*[^a-z-]*'),
    outlet   TEXT    NOT NULL CHECK (length(outlet) <= 11 AND octet_length(outlet) = length(outlet)
                                     AND outlet NOT GLOB '*[^0-9A-Za-z_.-]*'),
    seckeyid INTEGER NOT NULL CHECK (seckeyid BETWEEN 0 AND 9007199254740991),
    state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    reason   INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 255),
    actor    TEXT    NOT NULL CHECK (length(actor) <= 11 AND octet_length(actor) = length(actor)
                                     AND actor NOT GLOB '*[^0-9A-Za-z_.-]*'),
    note     TEXT    NOT NULL CHECK (octet_length(note) <= 200 AND instr(note, char(0)) = 0)
) STRICT;
CREATE INDEX change_outlet_n ON change (outlet, n);
CREATE INDEX change_at ON change (at);

CREATE TABLE probe (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER seckey_kept BEFORE DELETE ON seckey BEGIN SELECT RAISE(ABORT, 'seckey is insert-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER seckey_fixed BEFORE UPDATE ON seckey BEGIN SELECT RAISE(ABORT, 'seckey is insert-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER key_state_kept BEFORE DELETE ON key_state BEGIN SELECT RAISE(ABORT, 'key_state is insert-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER key_state_fixed BEFORE UPDATE ON key_state BEGIN SELECT RAISE(ABORT, 'key_state is insert-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER receipt_kept BEFORE DELETE ON receipt BEGIN SELECT RAISE(ABORT, 'receipt is insert-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER receipt_fixed BEFORE UPDATE ON receipt BEGIN SELECT RAISE(ABORT, 'receipt is insert-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER change_kept BEFORE DELETE ON change BEGIN SELECT RAISE(ABORT, 'change is insert-only'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER change_fixed BEFORE UPDATE ON change BEGIN SELECT RAISE(ABORT, 'change is insert-only'); END;
-- +goose StatementEnd

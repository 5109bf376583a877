-- +goose Up

-- Identifiers are 1 to 11 bytes of 0-9 A-Z a-z _ . - (protocol.md §3); an
-- empty actor is the server itself. All text sorts by bytes.

CREATE DOMAIN identifier AS text COLLATE "C" CHECK (VALUE ~ '^[0-9A-Za-z_.-]{1,11}$');
CREATE DOMAIN identifier_or_empty AS text COLLATE "C" CHECK (VALUE ~ '^[0-9A-Za-z_.-]{0,11}$');
CREATE DOMAIN instant AS timestamptz
    CHECK (VALUE BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999+00');

CREATE TABLE installation (
    one        boolean    NOT NULL PRIMARY KEY CHECK (one),
    server_id  identifier NOT NULL,
    ring_check bytea      NOT NULL CHECK (length(ring_check) > 0),
    created_at instant    NOT NULL
);

CREATE TABLE outlet (
    id          identifier NOT NULL PRIMARY KEY,
    role        smallint   NOT NULL CHECK (role BETWEEN 1 AND 3),
    disabled    boolean    NOT NULL,
    enrolled_at instant    NOT NULL,
    last_number bigint     NOT NULL CHECK (last_number BETWEEN 0 AND 9007199254740991),
    last_epoch  bigint     NOT NULL CHECK (last_epoch BETWEEN 0 AND 4294967295)
) WITH (fillfactor = 70); -- room for an update on the same page at every negotiation

-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: %', TG_TABLE_NAME, TG_ARGV[0] USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER outlet_grows BEFORE UPDATE ON outlet FOR EACH ROW
    WHEN (NEW.id <> OLD.id OR NEW.role <> OLD.role OR NEW.enrolled_at <> OLD.enrolled_at
          OR NEW.last_number < OLD.last_number OR NEW.last_epoch < OLD.last_epoch)
    EXECUTE FUNCTION refuse('numbers and epochs are never given out twice');

CREATE TABLE sealed_secret (
    outlet        identifier NOT NULL REFERENCES outlet (id),
    epoch         bigint     NOT NULL CHECK (epoch BETWEEN 1 AND 4294967295),
    sealed        bytea      NOT NULL CHECK (length(sealed) BETWEEN 1 AND 1024),
    created_at    instant    NOT NULL,
    first_used_at instant,
    PRIMARY KEY (outlet, epoch)
);

-- The history: seckey, key_state, receipt and change are insert-only. Times
-- are ordered within a row and not between rows: two servers' clocks differ,
-- and a revocation must not fail for that.

CREATE TABLE seckey (
    n             bigint     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    outlet        identifier NOT NULL REFERENCES outlet (id),
    seckeyid      bigint     NOT NULL CHECK (seckeyid BETWEEN 1 AND 9007199254740991),
    negotiated_at instant    NOT NULL,
    expires_at    instant    NOT NULL,
    fp            bytea      NOT NULL CHECK (length(fp) = 8),
    UNIQUE (outlet, seckeyid),
    CHECK (expires_at - negotiated_at BETWEEN interval '60 seconds' AND interval '2592000 seconds')
);
CREATE INDEX seckey_outlet_n ON seckey (outlet, n);
CREATE INDEX seckey_negotiated ON seckey (negotiated_at);

CREATE TABLE key_state (
    outlet   identifier          NOT NULL,
    seckeyid bigint              NOT NULL,
    state    smallint            NOT NULL CHECK (state BETWEEN 1 AND 5),
    at       instant             NOT NULL,
    reason   smallint            NOT NULL CHECK (reason BETWEEN 0 AND 255),
    actor    identifier_or_empty NOT NULL,
    PRIMARY KEY (outlet, seckeyid, state),
    FOREIGN KEY (outlet, seckeyid) REFERENCES seckey (outlet, seckeyid)
);
CREATE INDEX key_state_revoked ON key_state (outlet, seckeyid) WHERE state = 5;

-- The living keys, with their material: the only table of keys from which
-- rows are deleted.
CREATE TABLE sealed_key (
    outlet   identifier NOT NULL,
    seckeyid bigint     NOT NULL,
    state    smallint   NOT NULL CHECK (state BETWEEN 1 AND 3),
    ends_at  instant    NOT NULL,
    sealed   bytea      NOT NULL CHECK (length(sealed) BETWEEN 1 AND 1024),
    PRIMARY KEY (outlet, seckeyid),
    FOREIGN KEY (outlet, seckeyid, state) REFERENCES key_state (outlet, seckeyid, state)
);
CREATE UNIQUE INDEX sealed_key_active ON sealed_key (outlet) WHERE state = 2;
CREATE INDEX sealed_key_due ON sealed_key (ends_at, outlet);

-- States only grow: active from pending, retired from active, expired and
-- revoked from any of these three. Only a living key moves on, and the
-- material of one that ends is gone before.
-- +goose StatementBegin
CREATE FUNCTION key_state_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last   smallint;
    living boolean;
BEGIN
    SELECT (SELECT max(state) FROM key_state WHERE outlet = NEW.outlet AND seckeyid = NEW.seckeyid),
           EXISTS (SELECT FROM sealed_key WHERE outlet = NEW.outlet AND seckeyid = NEW.seckeyid)
    INTO last, living;
    IF last IS NULL OR last > 3 OR last >= NEW.state OR (NEW.state = 3 AND last <> 2) THEN
        RAISE EXCEPTION 'key_state: state % does not follow from %', NEW.state, last
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    IF living <> (NEW.state <= 3) THEN
        RAISE EXCEPTION 'key_state: a living key has its material, an ended one has none'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER key_state_order BEFORE INSERT ON key_state FOR EACH ROW
    WHEN (NEW.state > 1) EXECUTE FUNCTION key_state_order();

-- +goose StatementBegin
CREATE FUNCTION sealed_key_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM key_state WHERE outlet = NEW.outlet AND seckeyid = NEW.seckeyid AND state > NEW.state) THEN
        RAISE EXCEPTION 'sealed_key: the key has passed state %', NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER sealed_key_state BEFORE INSERT OR UPDATE OF state ON sealed_key FOR EACH ROW
    EXECUTE FUNCTION sealed_key_state();

CREATE TABLE receipt (
    outlet   identifier NOT NULL,
    seckeyid bigint     NOT NULL,
    state    smallint   NOT NULL CHECK (state IN (4, 5)),
    at       instant    NOT NULL,
    conn     text       NOT NULL CHECK (octet_length(conn) <= 200),
    PRIMARY KEY (outlet, seckeyid, state),
    FOREIGN KEY (outlet, seckeyid, state) REFERENCES key_state (outlet, seckeyid, state)
);

-- No foreign keys here: what was refused may name what does not exist.
-- txn tells a reader which transactions may still be open below a row: numbers
-- are not in the order of commits.
CREATE TABLE change (
    n        bigint              GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    txn      xid8                NOT NULL DEFAULT pg_current_xact_id(),
    at       instant             NOT NULL,
    kind     text                NOT NULL CHECK (kind ~ '^[a-z-]{1,32}$'),
    outlet   identifier_or_empty NOT NULL,
    seckeyid bigint              NOT NULL CHECK (seckeyid BETWEEN 0 AND 9007199254740991),
    state    smallint            NOT NULL CHECK (state BETWEEN 0 AND 5),
    reason   smallint            NOT NULL CHECK (reason BETWEEN 0 AND 255),
    actor    identifier_or_empty NOT NULL,
    note     text                NOT NULL CHECK (octet_length(note) <= 200)
);
CREATE INDEX change_txn_n ON change (txn, n);
CREATE INDEX change_outlet_n ON change (outlet, n);
CREATE INDEX change_at ON change (at);

CREATE TABLE probe (
    one boolean NOT NULL PRIMARY KEY CHECK (one),
    at  instant NOT NULL
);

-- The column txn is left out: after a restore into another cluster Migrate
-- has to reset it.
CREATE TRIGGER seckey_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON seckey
    EXECUTE FUNCTION refuse('insert-only');
CREATE TRIGGER key_state_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON key_state
    EXECUTE FUNCTION refuse('insert-only');
CREATE TRIGGER receipt_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON receipt
    EXECUTE FUNCTION refuse('insert-only');
CREATE TRIGGER change_kept BEFORE DELETE OR TRUNCATE
    OR UPDATE OF n, at, kind, outlet, seckeyid, state, reason, actor, note ON change
    EXECUTE FUNCTION refuse('insert-only');

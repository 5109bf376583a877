-- +goose Up

-- Who is connected now, and to which server process. This is no history: it is
-- rewritten and deleted. A process whose term has run out is dead, and whoever
-- was connected to it is so no more.
CREATE TABLE process (
    id      text        NOT NULL PRIMARY KEY CHECK (id ~ '^[0-9a-f]{16}$'),
    place   text        NOT NULL CHECK (octet_length(place) <= 400), -- one that begins replaces those of the same place
    beat_at instant     NOT NULL,                                    -- its last sign of life, by its own clock
    until   timestamptz NOT NULL                                     -- the end of its term, by the database's
);
CREATE INDEX process_until ON process (until);

CREATE TABLE presence (
    outlet  identifier NOT NULL REFERENCES outlet (id),
    process text       NOT NULL REFERENCES process (id),
    PRIMARY KEY (outlet, process)
);
CREATE INDEX presence_process ON presence (process, outlet);

-- What the change table says of an outlet's presence over all processes.
CREATE TABLE contact (
    outlet    identifier NOT NULL PRIMARY KEY REFERENCES outlet (id),
    connected boolean    NOT NULL,
    seen_at   instant    NOT NULL -- when a presence last began or ended
) WITH (fillfactor = 70);

-- From when on less than a quarter of an active key's lifetime is left.
ALTER TABLE sealed_key ADD COLUMN soon_at instant;
UPDATE sealed_key l SET soon_at = l.ends_at - (k.expires_at - k.negotiated_at) / 4
    FROM seckey k WHERE l.state = 2 AND k.outlet = l.outlet AND k.seckeyid = l.seckeyid;
CREATE INDEX sealed_key_soon ON sealed_key (soon_at) WHERE state = 2;

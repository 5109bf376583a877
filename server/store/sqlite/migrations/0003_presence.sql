-- +goose Up

-- Who is connected now, and to which server process. This is no history: it is
-- rewritten and deleted. A process whose term has run out is dead, and whoever
-- was connected to it is so no more.
CREATE TABLE process (
    id      TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 16 AND id NOT GLOB '*[^0-9a-f]*'),
    place   TEXT    NOT NULL CHECK (octet_length(place) <= 400),               -- one that begins replaces those of the same place
    beat_at INTEGER NOT NULL CHECK (beat_at BETWEEN 0 AND 9007199254740991),   -- its last sign of life, by its own clock
    until   INTEGER NOT NULL                                                   -- the end of its term, by the machine's
) STRICT, WITHOUT ROWID;

CREATE TABLE presence (
    outlet  TEXT NOT NULL REFERENCES outlet (id),
    process TEXT NOT NULL REFERENCES process (id),
    PRIMARY KEY (outlet, process)
) STRICT, WITHOUT ROWID;
CREATE INDEX presence_process ON presence (process);

-- What the change table says of an outlet's presence over all processes.
CREATE TABLE contact (
    outlet    TEXT    NOT NULL PRIMARY KEY REFERENCES outlet (id),
    connected INTEGER NOT NULL CHECK (connected IN (0, 1)),
    seen_at   INTEGER NOT NULL CHECK (seen_at BETWEEN 0 AND 9007199254740991) -- when a presence last began or ended
) STRICT, WITHOUT ROWID;

-- From when on less than a quarter of an active key's lifetime is left.
ALTER TABLE sealed_key ADD COLUMN soon_at INTEGER CHECK (soon_at BETWEEN 0 AND 9007199254740991);
UPDATE sealed_key SET soon_at = ends_at - (SELECT (k.expires_at - k.negotiated_at) / 4 FROM seckey k
    WHERE k.outlet = sealed_key.outlet AND k.seckeyid = sealed_key.seckeyid) WHERE state = 2;
CREATE INDEX sealed_key_soon ON sealed_key (soon_at) WHERE state = 2;

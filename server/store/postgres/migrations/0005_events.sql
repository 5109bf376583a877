-- +goose Up

-- The console asks for the last lines of some kinds, for how many of each kind
-- an hour had, and for the notes of one key.
CREATE INDEX change_kind_n ON change (kind, n);
CREATE INDEX change_at_kind ON change (at, kind);
DROP INDEX change_at;
CREATE INDEX change_noted ON change (outlet, seckeyid) WHERE note <> '' AND seckeyid > 0;

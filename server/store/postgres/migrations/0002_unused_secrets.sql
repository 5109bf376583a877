-- +goose Up

-- Secrets that nobody has opened with yet are erased after a while.
CREATE INDEX sealed_secret_unused ON sealed_secret (created_at, outlet) WHERE first_used_at IS NULL;

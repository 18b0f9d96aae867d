-- API keys, of which the hash of the secret is kept.

CREATE TABLE api_keys (
  id          TEXT PRIMARY KEY,
  secret_hash TEXT NOT NULL UNIQUE,
  person_id   TEXT NOT NULL,
  document    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_of_person ON api_keys (person_id);

-- Invitations, of which the same is kept.

CREATE TABLE invites (
  id          TEXT PRIMARY KEY,
  secret_hash TEXT NOT NULL UNIQUE,
  expires_at  INTEGER NOT NULL,
  document    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

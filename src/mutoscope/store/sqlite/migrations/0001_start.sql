-- A struct is one JSON document. The columns beside it are what is queried or compared; where a column repeats a field
-- that changes by itself (fence, lease, counters), the column is the truth and is laid over the document when read.

CREATE TABLE generations (
  id           TEXT PRIMARY KEY,
  owner_id     TEXT NOT NULL,
  state        TEXT NOT NULL,
  provider     TEXT NOT NULL,
  model        TEXT NOT NULL,
  fence        INTEGER NOT NULL,
  worker       TEXT NOT NULL,
  due_at       INTEGER NOT NULL,
  lease_until  INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  submitted_at INTEGER,
  finished_at  INTEGER,
  document     TEXT NOT NULL,
  live         INTEGER GENERATED ALWAYS AS (state NOT IN ('succeeded', 'failed', 'canceled')) VIRTUAL,
  ready_at     INTEGER GENERATED ALWAYS AS (max(due_at, lease_until)) VIRTUAL
) STRICT;

CREATE INDEX generations_due      ON generations (state, due_at, lease_until) WHERE live;
CREATE INDEX generations_ready    ON generations (state, ready_at) WHERE live;
CREATE INDEX generations_there    ON generations (state, provider, owner_id) WHERE live;
CREATE INDEX generations_leased   ON generations (state, lease_until, provider, owner_id) WHERE state = 'queued';
CREATE INDEX generations_queue    ON generations (state, created_at, id, owner_id, provider, due_at, lease_until) WHERE state = 'queued';
CREATE INDEX generations_queue_of ON generations (state, owner_id, created_at, id, provider, due_at, lease_until) WHERE state = 'queued';
CREATE INDEX generations_queue_at ON generations (state, provider) WHERE state = 'queued';
CREATE INDEX generations_newest   ON generations (created_at, id);
CREATE INDEX generations_of_owner ON generations (owner_id, created_at, id);
CREATE INDEX generations_in_state ON generations (state, created_at, id);
CREATE INDEX generations_timing   ON generations (model, finished_at, submitted_at) WHERE state = 'succeeded';

CREATE TABLE idempotency_keys (
  owner_id      TEXT NOT NULL,
  key           TEXT NOT NULL,
  body_hash     TEXT NOT NULL,
  generation_id TEXT NOT NULL REFERENCES generations (id),
  created_at    INTEGER NOT NULL,
  PRIMARY KEY (owner_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE entries (
  id        INTEGER PRIMARY KEY,
  kind      TEXT NOT NULL,
  reference TEXT NOT NULL,
  debit     TEXT NOT NULL,
  credit    TEXT NOT NULL,
  amount    INTEGER NOT NULL CHECK (amount > 0),
  memo      TEXT NOT NULL,
  at        INTEGER NOT NULL,
  UNIQUE (kind, reference),
  CHECK (debit <> credit)
) STRICT;

CREATE TRIGGER entries_are_not_updated BEFORE UPDATE ON entries BEGIN
  SELECT RAISE (ABORT, 'entries are append-only');
END;

CREATE TRIGGER entries_are_not_deleted BEFORE DELETE ON entries BEGIN
  SELECT RAISE (ABORT, 'entries are append-only');
END;

-- What a person's statement shows: each entry that touches them, with what was available after it.
CREATE TABLE statement_lines (
  person_id       TEXT NOT NULL,
  entry_id        INTEGER NOT NULL REFERENCES entries (id),
  available_after INTEGER NOT NULL,
  PRIMARY KEY (person_id, entry_id)
) STRICT, WITHOUT ROWID;

-- `version` counts the changes of the row, for events.
CREATE TABLE balances (
  person_id TEXT PRIMARY KEY,
  available INTEGER NOT NULL DEFAULT 0 CHECK (available >= 0),
  held      INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
  version   INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

CREATE TABLE holds (
  reference TEXT PRIMARY KEY REFERENCES generations (id),
  person_id TEXT NOT NULL,
  amount    INTEGER NOT NULL CHECK (amount >= 0),
  captured  INTEGER CHECK (captured BETWEEN 0 AND amount)
) STRICT, WITHOUT ROWID;

-- `seq` is the order of publication, and the rowid in `search`.
CREATE TABLE media (
  seq                  INTEGER PRIMARY KEY AUTOINCREMENT,
  id                   TEXT NOT NULL UNIQUE,
  owner_id             TEXT NOT NULL,
  generation_id        TEXT REFERENCES generations (id),
  created_at           INTEGER NOT NULL,
  duration_s           REAL,
  views                INTEGER NOT NULL,
  unlocks              INTEGER NOT NULL,
  stored_bytes         INTEGER NOT NULL,
  version              INTEGER NOT NULL,
  fence                INTEGER NOT NULL,
  previews             TEXT NOT NULL,
  previews_due_at      INTEGER NOT NULL,
  previews_lease_until INTEGER NOT NULL DEFAULT 0,
  document             TEXT NOT NULL,
  length_s             REAL GENERATED ALWAYS AS (coalesce(duration_s, 0)) VIRTUAL
) STRICT;

CREATE INDEX media_of_generation ON media (generation_id, seq);
CREATE INDEX media_of_owner      ON media (owner_id);
CREATE INDEX media_by_length     ON media (length_s, seq);
CREATE INDEX media_by_views      ON media (views, seq);
CREATE INDEX media_previews      ON media (previews_due_at, previews_lease_until) WHERE previews = 'pending';

-- Terms are written in hexadecimal, so that the tokenizer neither splits nor folds one (see search.py). A beginning of
-- two to four letters fits many terms: so many hexadecimal digits have an index of their own.
CREATE VIRTUAL TABLE search USING fts5 (
  open, withheld, tokenize = 'ascii', detail = column, columnsize = 0, prefix = '4 6 8'
);

CREATE TABLE people (
  id         TEXT PRIMARY KEY,
  name_key   TEXT NOT NULL UNIQUE,
  role       TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  document   TEXT NOT NULL
) STRICT;

CREATE INDEX people_by_role ON people (role, created_at, id);

CREATE TABLE sessions (
  secret_hash TEXT PRIMARY KEY,
  person_id   TEXT NOT NULL,
  expires_at  INTEGER NOT NULL,
  document    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_person ON sessions (person_id);
CREATE INDEX sessions_by_end    ON sessions (expires_at);

CREATE TABLE links (
  secret_hash TEXT PRIMARY KEY,
  purpose     TEXT NOT NULL,
  expires_at  INTEGER NOT NULL,
  document    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `mark` tells an event from another that had its id before a backup was restored.
CREATE TABLE events (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  mark     INTEGER NOT NULL DEFAULT (random()),
  kind     TEXT NOT NULL,
  thing    TEXT NOT NULL,
  version  INTEGER NOT NULL,
  audience TEXT NOT NULL,
  public   INTEGER NOT NULL,
  at       INTEGER NOT NULL
) STRICT;

CREATE INDEX events_by_age ON events (at);

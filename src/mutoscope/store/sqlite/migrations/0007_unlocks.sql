-- Purchases that open an item to a buyer, and locked items that wait for their blurred files.

CREATE TABLE unlocks (
  id          TEXT PRIMARY KEY,
  media_id    TEXT NOT NULL REFERENCES media (id),
  buyer_id    TEXT NOT NULL,
  key         TEXT,
  at          INTEGER NOT NULL,
  refunded_at INTEGER,
  document    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX unlocks_standing ON unlocks (buyer_id, media_id) WHERE refunded_at IS NULL;
CREATE UNIQUE INDEX unlocks_by_key   ON unlocks (buyer_id, key) WHERE key IS NOT NULL;
CREATE INDEX        unlocks_newest   ON unlocks (at, id);
CREATE INDEX        unlocks_of_media ON unlocks (media_id, at, id);

CREATE TABLE blurs (
  media_id    TEXT PRIMARY KEY,
  due_at      INTEGER NOT NULL,
  lease_until INTEGER NOT NULL DEFAULT 0,
  fence       INTEGER NOT NULL DEFAULT 1,
  attempts    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX blurs_due ON blurs (due_at, media_id);

-- Items that were locked before.
INSERT INTO blurs (media_id, due_at)
  SELECT id, created_at FROM media
  WHERE document ->> 'unlock_price' > 0 OR document ->> 'is_blurred';

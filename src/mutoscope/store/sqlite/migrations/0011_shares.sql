-- Share links, of which the hash of the secret is kept.

CREATE TABLE share_links (
  id          TEXT PRIMARY KEY,
  secret_hash TEXT NOT NULL UNIQUE,
  target      TEXT NOT NULL,
  owner_id    TEXT NOT NULL,
  document    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX share_links_of_target ON share_links (target, id);
CREATE INDEX share_links_of_owner  ON share_links (owner_id, id);

-- Collections. `items` is the list of their items' ids, in order: one that is in `media` no more is passed over.

CREATE TABLE collections (
  id       TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  version  INTEGER NOT NULL,
  items    TEXT NOT NULL,
  document TEXT NOT NULL
) STRICT;

CREATE INDEX collections_of_owner ON collections (owner_id, id);

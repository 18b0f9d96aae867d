-- Collections. `items` is the list of their items' ids, in order: one that is in `media` no more is passed over. It is the last
-- column, as it may be long: whoever reads the others does not read through it.

CREATE TABLE collections (
  id       TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  version  INTEGER NOT NULL,
  document TEXT NOT NULL,
  items    TEXT NOT NULL
) STRICT;

CREATE INDEX collections_of_owner ON collections (owner_id, id);

-- Collections, and the items in them: `position` is their order, and may have gaps.

CREATE TABLE collections (
  id       TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  version  INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX collections_of_owner ON collections (owner_id, id);

CREATE TABLE collected (
  collection_id TEXT NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  media_id      TEXT NOT NULL REFERENCES media (id) ON DELETE CASCADE,
  position      INTEGER NOT NULL,
  PRIMARY KEY (collection_id, media_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX collected_of_media ON collected (media_id);

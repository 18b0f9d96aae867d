-- Who looked at what, by hashes that mean nothing once the day's secret is gone; kept for a day or two.

CREATE TABLE view_days (
  day    INTEGER PRIMARY KEY,
  secret TEXT NOT NULL,
  seen   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE viewers (
  day      INTEGER NOT NULL,
  media_id TEXT NOT NULL,
  viewer   TEXT NOT NULL,
  PRIMARY KEY (day, media_id, viewer)
) STRICT, WITHOUT ROWID;

-- What people like, and how many like an item.

CREATE TABLE likes (
  person_id TEXT NOT NULL,
  media_id  TEXT NOT NULL REFERENCES media (id),
  at        INTEGER NOT NULL,
  PRIMARY KEY (person_id, media_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX likes_of_person ON likes (person_id, at, media_id);
CREATE INDEX likes_of_media  ON likes (media_id);

ALTER TABLE media ADD COLUMN likes INTEGER NOT NULL DEFAULT 0;

CREATE INDEX media_by_likes ON media (likes, seq);

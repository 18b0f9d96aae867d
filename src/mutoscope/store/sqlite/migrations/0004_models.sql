-- Models of which their provider said that they are gone.

CREATE TABLE retired_models (
  model    TEXT NOT NULL,
  upstream TEXT NOT NULL,
  why      TEXT NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (model, upstream)
) STRICT, WITHOUT ROWID;

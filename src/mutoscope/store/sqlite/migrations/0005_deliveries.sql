-- Calls of providers that were taken; `job` is the one that a call named, as a document.

CREATE TABLE deliveries (
  provider  TEXT NOT NULL,
  delivery  TEXT NOT NULL,
  reference TEXT NOT NULL,
  job       TEXT,
  at        INTEGER NOT NULL,
  PRIMARY KEY (provider, delivery)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_by_age ON deliveries (at);
CREATE INDEX deliveries_of_job ON deliveries (reference, at) WHERE job IS NOT NULL;

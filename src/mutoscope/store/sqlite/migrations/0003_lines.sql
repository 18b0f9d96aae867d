-- A line of a statement has a number of its own, so that statements of another database can be taken over as they are.

CREATE TABLE numbered_lines (
  person_id       TEXT NOT NULL,
  number          INTEGER NOT NULL,
  entry_id        INTEGER NOT NULL REFERENCES entries (id),
  available_after INTEGER NOT NULL,
  PRIMARY KEY (person_id, number)
) STRICT, WITHOUT ROWID;

INSERT INTO numbered_lines SELECT person_id, entry_id, entry_id, available_after FROM statement_lines;
DROP TABLE statement_lines;
ALTER TABLE numbered_lines RENAME TO statement_lines;

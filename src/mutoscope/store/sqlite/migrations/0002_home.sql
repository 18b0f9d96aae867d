-- The place that worked on a job last.

ALTER TABLE generations ADD COLUMN home TEXT NOT NULL DEFAULT '';

-- Addresses that links for a new password are mailed to, as they are compared. Several people may have the same.

ALTER TABLE people ADD COLUMN email_key TEXT;

CREATE INDEX people_email ON people (email_key, created_at, id) WHERE email_key IS NOT NULL;

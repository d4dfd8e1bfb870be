-- What requests have taken from a balance, corrections and gifts apart: with what is left it makes what was granted.

ALTER TABLE users ADD COLUMN settled_quota BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tokens ADD COLUMN settled_quota BIGINT NOT NULL DEFAULT 0;

-- What is found out about channels and their keys, and what describes models for people.

ALTER TABLE channels ADD COLUMN tested_at {double} NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN response_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN balance {double} NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN balance_at {double} NOT NULL DEFAULT 0;
ALTER TABLE channels ADD COLUMN key_states {text};
ALTER TABLE channels ADD COLUMN legacy {text};

CREATE TABLE catalog (
    id {id},
    kind VARCHAR(16) NOT NULL,
    name VARCHAR(191) NOT NULL,
    value {text} NOT NULL,
    created_at {double} NOT NULL,
    updated_at {double} NOT NULL
){options};
CREATE UNIQUE INDEX catalog_kind_name ON catalog (kind, name);

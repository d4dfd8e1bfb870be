-- Users who sign in, codes that add to their quota, what they were given for calling by, and options by name.

ALTER TABLE users ADD COLUMN password_hash VARCHAR(255) NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN display_name VARCHAR(191) NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN email VARCHAR(191) NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN access_token_hash VARCHAR(64);
ALTER TABLE users ADD COLUMN session_epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN aff_code VARCHAR(32);
ALTER TABLE users ADD COLUMN aff_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN aff_quota BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN aff_history BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN invited_by BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN remark VARCHAR(1000) NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN setting {text};
ALTER TABLE users ADD COLUMN last_login_at {double} NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN deleted_at {double} NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX users_access_token ON users (access_token_hash);
CREATE UNIQUE INDEX users_aff_code ON users (aff_code);
CREATE INDEX users_email ON users (email);

CREATE TABLE redemptions (
    id {id},
    name VARCHAR(191) NOT NULL,
    key_hash VARCHAR(64) NOT NULL UNIQUE,
    key_cipher {blob},
    key_hint VARCHAR(8) NOT NULL DEFAULT '',
    quota BIGINT NOT NULL,
    state VARCHAR(16) NOT NULL DEFAULT 'enabled',
    created_by BIGINT NOT NULL DEFAULT 0,
    created_at {double} NOT NULL,
    expires_at {double} NOT NULL DEFAULT 0,
    used_by BIGINT NOT NULL DEFAULT 0,
    used_at {double} NOT NULL DEFAULT 0
){options};

CREATE TABLE checkins (
    id {id},
    user_id BIGINT NOT NULL,
    day VARCHAR(10) NOT NULL,
    quota BIGINT NOT NULL,
    created_at {double} NOT NULL
){options};
CREATE UNIQUE INDEX checkins_user_day ON checkins (user_id, day);

CREATE TABLE "options" (
    name VARCHAR(191) NOT NULL PRIMARY KEY,
    value {text} NOT NULL
){options};

CREATE TABLE schema_version (version INTEGER NOT NULL){options};

-- One row. `epoch` grows with every change that a running server has to see, `generation` with every apply.
CREATE TABLE clock (
    id INTEGER NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    generation BIGINT NOT NULL
){options};

CREATE TABLE users (
    id {id},
    name VARCHAR(191) NOT NULL UNIQUE,
    role VARCHAR(16) NOT NULL DEFAULT 'user',
    "group" VARCHAR(191) NOT NULL DEFAULT 'default',
    quota BIGINT NOT NULL DEFAULT 0,
    used_quota BIGINT NOT NULL DEFAULT 0,
    requests BIGINT NOT NULL DEFAULT 0,
    unlimited {bool} NOT NULL,
    state VARCHAR(16) NOT NULL DEFAULT 'enabled',
    created_at {double} NOT NULL
){options};

CREATE TABLE tokens (
    id {id},
    name VARCHAR(191) NOT NULL,
    user_id BIGINT NOT NULL,
    key_hash VARCHAR(64) NOT NULL UNIQUE,
    key_cipher {blob},
    key_hint VARCHAR(8) NOT NULL DEFAULT '',
    "group" VARCHAR(191) NOT NULL DEFAULT '',
    spec {text} NOT NULL,
    remaining_quota BIGINT NOT NULL DEFAULT 0,
    used_quota BIGINT NOT NULL DEFAULT 0,
    unlimited {bool} NOT NULL,
    expires_at {double} NOT NULL DEFAULT 0,
    state VARCHAR(16) NOT NULL DEFAULT 'enabled',
    managed VARCHAR(16) NOT NULL DEFAULT '',
    created_at {double} NOT NULL,
    accessed_at {double} NOT NULL DEFAULT 0
){options};
CREATE INDEX tokens_name ON tokens (name);
CREATE INDEX tokens_user ON tokens (user_id);

CREATE TABLE channels (
    id {id},
    name VARCHAR(191) NOT NULL UNIQUE,
    spec {text} NOT NULL,
    state VARCHAR(16) NOT NULL DEFAULT 'enabled',
    state_reason VARCHAR(1000) NOT NULL DEFAULT '',
    used_quota BIGINT NOT NULL DEFAULT 0,
    managed VARCHAR(16) NOT NULL DEFAULT '',
    created_at {double} NOT NULL,
    updated_at {double} NOT NULL
){options};

CREATE TABLE "groups" (
    name VARCHAR(191) NOT NULL PRIMARY KEY,
    spec {text} NOT NULL,
    managed VARCHAR(16) NOT NULL DEFAULT ''
){options};

CREATE TABLE models (
    name VARCHAR(191) NOT NULL PRIMARY KEY,
    spec {text} NOT NULL,
    managed VARCHAR(16) NOT NULL DEFAULT ''
){options};

CREATE TABLE settings (
    section VARCHAR(64) NOT NULL PRIMARY KEY,
    value {text} NOT NULL
){options};

CREATE TABLE secrets (
    name VARCHAR(191) NOT NULL PRIMARY KEY,
    cipher {blob} NOT NULL
){options};

CREATE TABLE generations (
    id BIGINT NOT NULL PRIMARY KEY,
    created_at {double} NOT NULL,
    who VARCHAR(191) NOT NULL,
    source VARCHAR(1000) NOT NULL DEFAULT '',
    document {text} NOT NULL,
    diff {text} NOT NULL
){options};

CREATE TABLE records (
    id {id},
    request_id VARCHAR(191) NOT NULL DEFAULT '',
    created_at {double} NOT NULL,
    kind VARCHAR(16) NOT NULL,
    user_id BIGINT NOT NULL DEFAULT 0,
    user_name VARCHAR(191) NOT NULL DEFAULT '',
    token_id BIGINT NOT NULL DEFAULT 0,
    token_name VARCHAR(191) NOT NULL DEFAULT '',
    channel_id BIGINT NOT NULL DEFAULT 0,
    channel_name VARCHAR(191) NOT NULL DEFAULT '',
    "group" VARCHAR(191) NOT NULL DEFAULT '',
    model VARCHAR(255) NOT NULL DEFAULT '',
    upstream_model VARCHAR(255) NOT NULL DEFAULT '',
    entry_format VARCHAR(64) NOT NULL DEFAULT '',
    upstream_format VARCHAR(64) NOT NULL DEFAULT '',
    endpoint VARCHAR(64) NOT NULL DEFAULT '',
    stream {bool} NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    quota BIGINT NOT NULL DEFAULT 0,
    prompt_tokens BIGINT NOT NULL DEFAULT 0,
    completion_tokens BIGINT NOT NULL DEFAULT 0,
    "usage" {text} NOT NULL,
    bill {text} NOT NULL,
    tries {text} NOT NULL,
    first_token_ms BIGINT NOT NULL DEFAULT 0,
    duration_ms BIGINT NOT NULL DEFAULT 0,
    end_reason VARCHAR(64) NOT NULL DEFAULT '',
    ip VARCHAR(64) NOT NULL DEFAULT '',
    error {text} NOT NULL,
    losses {text} NOT NULL
){options};
CREATE INDEX records_request ON records (request_id);
CREATE INDEX records_created ON records (created_at);
CREATE INDEX records_token ON records (token_id, id);
CREATE INDEX records_user ON records (user_id, id);

CREATE TABLE audit (
    id {id},
    created_at {double} NOT NULL,
    who VARCHAR(191) NOT NULL,
    action VARCHAR(64) NOT NULL,
    target VARCHAR(255) NOT NULL DEFAULT '',
    source VARCHAR(1000) NOT NULL DEFAULT '',
    detail {text} NOT NULL
){options};
CREATE INDEX audit_created ON audit (created_at);

-- The log summed up by the hour and by the day. Lines are added some time after they are written: `summed` is the last one.

CREATE TABLE rollups (
    id {id},
    step INTEGER NOT NULL,
    at BIGINT NOT NULL,
    kind VARCHAR(16) NOT NULL,
    user_id BIGINT NOT NULL,
    user_name VARCHAR(191) NOT NULL,
    token_id BIGINT NOT NULL,
    token_name VARCHAR(191) NOT NULL,
    channel_id BIGINT NOT NULL,
    channel_name VARCHAR(191) NOT NULL,
    "group" VARCHAR(191) NOT NULL,
    model VARCHAR(255) NOT NULL,
    number BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    quota BIGINT NOT NULL
){options};
CREATE INDEX rollups_at ON rollups (step, at, model);
ALTER TABLE clock ADD COLUMN summed BIGINT NOT NULL DEFAULT 0;

-- Which keys of channels rest, for which model and until when: read at the start of a process.

CREATE TABLE rests (
    id {id},
    channel_id BIGINT NOT NULL,
    key_print VARCHAR(16) NOT NULL,
    model VARCHAR(191) NOT NULL,
    kind VARCHAR(16) NOT NULL,
    since {double} NOT NULL,
    until {double} NOT NULL,
    reason VARCHAR(500) NOT NULL
){options};
CREATE UNIQUE INDEX rests_place ON rests (channel_id, key_print, model);

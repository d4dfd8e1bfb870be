-- What the live stream remembers: numbers by the second, minute and hour.

CREATE TABLE series (
    kind VARCHAR(16) NOT NULL,
    at BIGINT NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY (kind, at)
){options};

-- Which process does what only one may do: until when, by the clock of the database.

CREATE TABLE leases (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    holder VARCHAR(64) NOT NULL,
    held_until {double} NOT NULL
){options};

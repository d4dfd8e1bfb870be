-- Until when a channel is disabled, where it was disabled for a while; 0 is until somebody enables it.

ALTER TABLE channels ADD COLUMN disabled_until {double} NOT NULL DEFAULT 0;

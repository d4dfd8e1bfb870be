"""The dashboard in a terminal: `newapi tui`."""

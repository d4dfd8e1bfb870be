"""Who is told when something needs a look: `[notices.*]` of the configuration."""

"""What was used, and what it cost: `newapi usage` alone is `newapi usage show`."""

"""What every layer may use: errors, HTTP values, units, secrets. Imports nothing of newapi."""

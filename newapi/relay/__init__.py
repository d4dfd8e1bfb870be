"""The path of a request: admit, route, attempt, pump, settle. `pipeline.relay` is the one function to read first."""

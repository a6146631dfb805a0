"""What an edge shows of itself, with the extra `telemetry`."""

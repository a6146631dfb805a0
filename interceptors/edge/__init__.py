"""One process at the edge: its guard, its feed and its mandates, put together."""

"""What every use case stands on: typed state, places, who may act where, bounds, records."""

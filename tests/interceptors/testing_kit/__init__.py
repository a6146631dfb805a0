"""The testing kit, used as a service team uses it."""

"""The one way to a mandate, and what becomes of mandates that are shown again."""

"""Other issuers: their keys, and what their tokens say."""

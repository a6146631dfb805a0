"""The only room of the HTTP client: what the authority asks and tells the outside."""

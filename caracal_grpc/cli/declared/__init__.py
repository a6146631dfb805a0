"""`plan`, `apply`, `diff`, `export` and `schema`: zones as files."""

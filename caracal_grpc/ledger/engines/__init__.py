"""Where the tables are: SQLite or PostgreSQL, made and upgraded by alembic."""

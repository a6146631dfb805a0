"""The tables of the ledger: what every engine keeps, and the columns that searches use."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

FORMAT: Final = 1
"""The version of the tables; a file of another version is refused."""

METADATA: Final = MetaData()

FORMATS: Final = Table(
    "ledger_format", METADATA, Column("version", Integer, primary_key=True, autoincrement=False)
)

TREES: Final = Table(
    "trees",
    METADATA,
    Column("zone", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("checkpoint", Text, nullable=False),
)

SEARCHED: Final = (
    "jti",
    "request_id",
    "session",
    "application",
    "subject",
    "resource",
    "reason",
    "type",
    "decision",
)
"""The columns that a filter compares, the most selective first; each is indexed."""

ENTRIES: Final = Table(
    "entries",
    METADATA,
    Column("zone", Text, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("event", LargeBinary, nullable=False),
    Column("checkpoint", Text),
    Column("time_ms", BigInteger, nullable=False),
    *(Column(name, Text) for name in SEARCHED),
    Index("entries_by_id", "zone", "id", unique=True),
    Index("entries_by_time", "zone", "time_ms", "idx"),
)

for _name in SEARCHED:
    _column = ENTRIES.c[_name]
    Index(
        f"entries_by_{_name}",
        ENTRIES.c.zone,
        _column,
        ENTRIES.c.idx,
        sqlite_where=_column.is_not(None),
        postgresql_where=_column.is_not(None),
    )

"""The tables of the ledger: what every engine keeps, and the columns that searches use."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    cast,
)

METADATA: Final = MetaData()

TREES: Final = Table(
    "trees",
    METADATA,
    Column("zone", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("checkpoint", Text, nullable=False),
    # Below this index rows may be missing: they were pruned, and the tiles have their hashes.
    Column("pruned", BigInteger, nullable=False, server_default="0"),
)

TILES: Final = Table(
    "tiles",
    METADATA,
    Column("zone", Text, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    # 256 hashes of 32 bytes: leaves on level 0, above it the roots of the tiles one level below.
    Column("hashes", LargeBinary, nullable=False),
)
"""The complete tiles of the trees (C2SP tlog-tiles), which stay when entries are pruned.

The leaves behind the last complete tile are only in their rows, which are therefore never pruned.
"""

COSIGNED: Final = Table(
    "cosigned",
    METADATA,
    Column("zone", Text, primary_key=True),
    Column("witness", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)
"""The newest checkpoint that each witness, named by its verifier key, has cosigned."""

HOLDS: Final = Table(
    "holds",
    METADATA,
    Column("zone", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("subject", Text),
    Column("application", Text),
    Column("session", Text),
    Column("since_ms", BigInteger),
    Column("until_ms", BigInteger),
    Column("created_ms", BigInteger, nullable=False),
)
"""Legal holds: what matches all that is set is neither pruned nor erased."""

SEARCHED: Final = (
    "jti",
    "request_id",
    "about",
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
    # What is personal of the event, with its salt; the event has its hash. Null when there is none.
    Column("personal", LargeBinary),
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

EVENT: Final = cast(ENTRIES.c.event, LargeBinary).label("event")
LEAF: Final = cast(ENTRIES.c.leaf, LargeBinary).label("leaf")
# Cast, because a row that was edited by hand in SQLite may hold text where bytes belong.

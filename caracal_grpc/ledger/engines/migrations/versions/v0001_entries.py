"""Trees and entries, as the first release made them."""

from __future__ import annotations

from typing import Final

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    text,
)

revision = "0001"
down_revision = None

_TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""In the order of its bytes everywhere."""

_SEARCHED: Final = (
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


def upgrade() -> None:
    """Makes the tables. On PostgreSQL the entries are parted by their time, so the key has it."""
    is_server = op.get_context().dialect.name == "postgresql"
    op.create_table("ledger_format", Column("version", Integer, primary_key=True))
    op.execute("INSERT INTO ledger_format (version) VALUES (1)")
    op.create_table(
        "trees",
        Column("zone", _TEXT, primary_key=True),
        Column("size", BigInteger, nullable=False),
        Column("frontier", LargeBinary, nullable=False),
        Column("checkpoint", Text, nullable=False),
    )
    op.create_table(
        "entries",
        Column("zone", _TEXT, nullable=False),
        Column("idx", BigInteger, nullable=False),
        Column("id", _TEXT, nullable=False),
        Column("leaf", LargeBinary, nullable=False),
        Column("event", LargeBinary, nullable=False),
        Column("checkpoint", Text),
        Column("time_ms", BigInteger, nullable=False),
        *(Column(name, _TEXT) for name in _SEARCHED),
        PrimaryKeyConstraint("zone", "idx", *(("time_ms",) if is_server else ())),
        postgresql_partition_by="RANGE (time_ms)",
    )
    # A server has no unique index that leaves out the time; ids are looked up before a commit.
    by_id = ["id", "zone"] if is_server else ["zone", "id"]
    op.create_index("entries_by_id", "entries", by_id, unique=not is_server)
    op.create_index("entries_by_time", "entries", ["zone", "time_ms", "idx"])
    for name in _SEARCHED:
        there = text(f"{name} IS NOT NULL")
        op.create_index(
            f"entries_by_{name}",
            "entries",
            ["zone", name, "idx"],
            sqlite_where=there,
            postgresql_where=there,
        )
    if is_server:
        op.execute("CREATE TABLE entries_default PARTITION OF entries DEFAULT")

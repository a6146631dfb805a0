"""Tiles, cosigned checkpoints, legal holds, personal data, and what a change was made to."""

from __future__ import annotations

import json
from typing import Any, Final

from alembic import op
from sqlalchemy import BigInteger, Column, Connection, Integer, LargeBinary, Text, text

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.tree import Frontier
from caracal_grpc.ledger.trees.tiling import write_tiles

revision = "0002"
down_revision = "0001"

CHUNK: Final = 2_560
"""Rows at once, ten tiles of them."""

_TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
_LEAVES: Final = text(
    "SELECT idx, CAST(leaf AS BLOB) FROM entries WHERE zone = :zone AND idx >= :start"
    " ORDER BY idx LIMIT :count"
)
_CHANGES: Final = text(
    "SELECT idx, CAST(event AS BLOB) FROM entries WHERE zone = :zone AND idx > :after"
    " AND type NOT IN ('exchange', 'edge.decision') ORDER BY idx LIMIT :count"
)
_TELL: Final = text("UPDATE entries SET about = :about WHERE zone = :zone AND idx = :idx")


def upgrade() -> None:
    """Makes the tables and columns, and fills them from what an older ledger holds."""
    op.add_column("trees", Column("pruned", BigInteger, nullable=False, server_default="0"))
    op.add_column("entries", Column("personal", LargeBinary))
    op.add_column("entries", Column("about", _TEXT))
    there = text("about IS NOT NULL")
    op.create_index(
        "entries_by_about",
        "entries",
        ["zone", "about", "idx"],
        sqlite_where=there,
        postgresql_where=there,
    )
    op.create_table(
        "tiles",
        Column("zone", _TEXT, primary_key=True),
        Column("level", Integer, primary_key=True, autoincrement=False),
        Column("idx", BigInteger, primary_key=True, autoincrement=False),
        Column("hashes", LargeBinary, nullable=False),
    )
    op.create_table(
        "cosigned",
        Column("zone", _TEXT, primary_key=True),
        Column("witness", _TEXT, primary_key=True),
        Column("size", BigInteger, nullable=False),
        Column("note", Text, nullable=False),
    )
    op.create_table(
        "holds",
        Column("zone", _TEXT, primary_key=True),
        Column("id", _TEXT, primary_key=True),
        Column("reason", Text, nullable=False),
        Column("subject", _TEXT),
        Column("application", _TEXT),
        Column("session", _TEXT),
        Column("since_ms", BigInteger),
        Column("until_ms", BigInteger),
        Column("created_ms", BigInteger, nullable=False),
    )
    op.execute("UPDATE ledger_format SET version = 2")
    connection = op.get_bind()
    # Only files are older than this: there was no server before it.
    if connection.dialect.name == "sqlite":
        for (zone,) in connection.execute(text("SELECT zone FROM trees")).all():
            _build_tiles(connection, zone)
            _tell_changes(connection, zone)


def _build_tiles(connection: Connection, zone: str) -> None:
    """From the first entry on; up to a hole, which is found when the tree is read."""
    tree = Frontier()
    while True:
        place = {"zone": zone, "start": tree.size, "count": CHUNK}
        rows = connection.execute(_LEAVES, place).all()
        leaves = [bytes(leaf) for _, leaf in rows]
        expected = list(range(tree.size, tree.size + len(rows)))
        if not rows or [index for index, _ in rows] != expected:
            return
        write_tiles(connection, zone, tree, leaves)
        tree = tree.extend(leaves)


def _tell_changes(connection: Connection, zone: str) -> None:
    after = -1
    while rows := connection.execute(
        _CHANGES, {"zone": zone, "after": after, "count": CHUNK}
    ).all():
        after = rows[-1][0]
        told: list[dict[str, Any]] = [
            {"zone": zone, "idx": index, "about": about}
            for index, event in rows
            if (about := _about(event))
        ]
        if told:
            connection.execute(_TELL, told)


def _about(event: bytes) -> str:
    try:
        return Entry.from_event(json.loads(event)).about
    except (CaracalError, ValueError, AttributeError):
        return ""  # no event any more: the tree shows that

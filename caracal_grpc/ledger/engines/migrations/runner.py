"""Bringing the tables of a ledger to those of this release, in one transaction.

Whoever opens a ledger does it, one process at a time: on PostgreSQL under an advisory lock, on
SQLite under the lock of the file. What fails or is killed leaves the tables as they were.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Final

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from caracal_grpc.ledger.engines.partitions import LOCK
from caracal_grpc.ledger.port import unavailable

HEAD: Final = "0002"
"""The newest step; the number in `ledger_format`, which older releases look at, is the same."""

_TABLE: Final = "ledger_revision"
_PATIENCE: Final = "60s"
"""How long a step may take, and another process may take before it."""

_one_at_a_time = threading.Lock()
# alembic keeps in a global which database its operations are for.


def migrate(engine: Engine) -> None:
    """Makes the tables, or changes those of an older release; blocks.

    Raises `AUDIT_UNAVAILABLE` for tables of a newer release, and what the engine raises.
    """
    with _one_at_a_time, engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            for limit in ("lock_timeout", "statement_timeout"):
                connection.exec_driver_sql(f"SET LOCAL {limit} = '{_PATIENCE}'")
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context = MigrationContext.configure(connection, opts={"version_table": _TABLE})
        present = _present(connection, context)
        if present != HEAD:
            _upgrade(context, present)


def _present(connection: Connection, context: MigrationContext) -> str | None:
    """The step at which the tables are, `None` when there are none."""
    tables = inspect(connection).get_table_names()
    if "ledger_format" not in tables:
        return None
    versions = connection.scalars(text("SELECT version FROM ledger_format")).all()
    # Before there were steps, the number alone said it.
    step = context.get_current_revision() if _TABLE in tables else "0001"
    if step is None or step > HEAD or list(versions) != [int(step)]:
        raise unavailable("the ledger is of another release; use that release")
    return step


def _upgrade(context: MigrationContext, present: str | None) -> None:
    steps = list(_scripts().iterate_revisions(HEAD, present or "base"))
    with Operations.context(context):
        for step in reversed(steps):
            step.module.upgrade()
    context.stamp(_scripts(), HEAD)


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent))

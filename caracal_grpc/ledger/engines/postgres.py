"""The PostgreSQL engine: several authority processes, durable at each commit, bounded in time.

What the server itself bounds (statements, locks, idle transactions) it cannot bound when it is
frozen or the network is gone. So a connection that answers nobody is broken from this side.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from caracal_grpc.ledger.engines.location import server_parameters
from caracal_grpc.ledger.engines.migrations.runner import migrate
from caracal_grpc.ledger.engines.partitions import keep_partitions
from caracal_grpc.ledger.port import unavailable

READERS: Final = 4
CONNECT_SECONDS: Final = 3
"""For each host, the handshake included."""
HUNG_SECONDS: Final = 8.0
"""After which a connection that is at work is broken; more than any read or lock may take."""
OPENING_SECONDS: Final = 90.0
OLDEST: Final = 140_000
"""PostgreSQL 14."""

_OURS: Final = {
    "application_name": "caracal-grpc",
    "client_encoding": "utf8",
    # Neither the environment nor a service file leads elsewhere than to the hosts of the setting.
    "hostaddr": "",
    "connect_timeout": CONNECT_SECONDS,
    "gssencmode": "disable",
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8_000,
    "target_session_attrs": "read-write",
}
_LIMITS: Final = {
    "lock_timeout": "3s",
    # An authority that froze in the middle lets go of the trees that it had locked.
    "idle_in_transaction_session_timeout": "5s",
    # Whose client has left, stops.
    "client_connection_check_interval": "2s",
    # Plans are kept, and the first are made while the tables are empty.
    "enable_seqscan": "off",
}
_READS: Final = {**_LIMITS, "statement_timeout": "5s"}
"""A commit has no such limit: one that waits for a standby, and is cancelled, is acknowledged."""
_SCRUB: Final = "6s"
_LOG: Final = logging.getLogger(__name__)
_MUST_BE_ON: Final = ("fsync", "full_page_writes")
_DURABLE: Final = frozenset({"on", "remote_apply"})
_READ_ONLY: Final = frozenset({"25006", "57P01", "57P02", "57P03"})
"""SQLSTATEs of a server that was demoted or is going: the next connection finds its successor."""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """An opened ledger on a server."""

    writer: Engine
    reader: Engine
    busy: Busy
    parameters: dict[str, Any] = field(repr=False)

    @property
    def readers(self) -> int:
        """How many connections read."""
        return READERS

    def free_bytes(self) -> int | None:
        """A server does not tell what its disk has left."""
        return None

    def cut_hung(self) -> None:
        """Breaks the connections that have been at work for too long."""
        self.busy.cut(HUNG_SECONDS)

    def keep_up(self) -> None:
        """Makes the partitions of the months to come."""
        with self.writer.begin() as connection:
            keep_partitions(connection)

    @property
    def shared(self) -> bool:
        """Any number of processes write."""
        return True

    def scrub(self) -> None:
        """Clears away rows as they were, so that their room is used anew. What takes too long is
        left to the server, which does the same in time.
        """
        import psycopg

        try:
            with psycopg.connect(**self.parameters, autocommit=True) as connection:
                connection.execute("SELECT set_config('statement_timeout', %s, false)", (_SCRUB,))
                self.busy.begin(connection)
                try:
                    connection.execute("VACUUM entries")
                finally:
                    self.busy.end(connection)
        except psycopg.Error as exc:
            _LOG.warning("what was erased is cleared away by autovacuum: %s", type(exc).__name__)

    def close(self) -> None:
        """Closes every connection."""
        self.reader.dispose()
        self.writer.dispose()


@dataclass(slots=True)
class Busy:
    """The connections that are at work, each with the time of `monotonic` at which that began."""

    since: dict[Any, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def begin(self, connection: Any) -> None:
        """`connection` is at work."""
        with self._lock:
            self.since[connection] = time.monotonic()

    def end(self, connection: Any) -> None:
        """`connection` rests, or is closed right after this."""
        with self._lock:
            self.since.pop(connection, None)

    def cut(self, seconds: float) -> None:
        """Ends the waiting on each connection that has been at work for longer than `seconds`.

        libpq sees the end of the stream, and whoever waits gets an error.
        """
        now = time.monotonic()
        with self._lock:
            for connection, began in self.since.items():
                if now - began > seconds:
                    _shut(connection)


def open_server(location: str, password: str | None) -> PostgresServer:
    """Opens the ledger on a server, and makes its tables; raises `FIELD_INVALID` naming `ledger`
    for an unsafe URL, `AUDIT_UNAVAILABLE` when the server does not take us or is unsafe itself.
    """
    busy = Busy()
    parameters: dict[str, Any] = {**server_parameters(location), **_OURS}
    if password is not None:
        parameters["password"] = password
    writer = _engine(parameters, busy, _LIMITS, pool_size=1, isolation_level="READ COMMITTED")
    reader = _engine(
        parameters,
        busy,
        _READS,
        pool_size=READERS,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
    )
    server = PostgresServer(writer, reader, busy, parameters)
    # Nobody else looks after the connections yet.
    watch = threading.Timer(OPENING_SECONDS, busy.cut, (HUNG_SECONDS,))
    watch.start()
    try:
        migrate(writer)
        server.keep_up()
    except SQLAlchemyError as exc:
        server.close()
        raise unavailable(f"the ledger's PostgreSQL cannot be used: {_first_line(exc)}") from exc
    except BaseException:
        server.close()
        raise
    finally:
        watch.cancel()
        watch.join()
    return server


def _engine(
    parameters: dict[str, Any], busy: Busy, limits: dict[str, str], **options: Any
) -> Engine:
    import psycopg

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(**parameters),
        poolclass=QueuePool,
        max_overflow=0,
        hide_parameters=True,
        use_native_hstore=False,
        **options,
    )

    def connected(connection: Any, _record: object) -> None:
        busy.begin(connection)
        try:
            _prepare(connection, limits)
        except BaseException:
            connection.close()  # the pool forgets what it could not prepare, and closes it not
            raise
        finally:
            busy.end(connection)

    def checked_out(connection: Any, _record: object, _proxy: object) -> None:
        if _has_ended(connection):
            raise DisconnectionError("the server has closed the connection")
        busy.begin(connection)

    def left(connection: Any, _record: object, *_: object) -> None:
        busy.end(connection)

    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", checked_out)
    for name in ("checkin", "close", "invalidate"):
        event.listen(engine, name, left)
    event.listen(engine, "handle_error", _judge)
    return engine


def _prepare(connection: Any, limits: dict[str, str]) -> None:
    """Bounds a new session, and refuses a server that may lose what it acknowledged."""
    if connection.info.server_version < OLDEST:
        raise unavailable("the ledger's PostgreSQL is older than 14; use a newer one")
    autocommit, connection.autocommit = connection.autocommit, True
    names = [*_MUST_BE_ON, "synchronous_commit"]
    query = "SELECT " + ",".join(f"current_setting('{name}')" for name in names)
    kept = dict(zip(names, connection.execute(query).fetchone(), strict=True))
    for name in _MUST_BE_ON:
        if kept[name] != "on":
            raise unavailable(
                f"the ledger's PostgreSQL runs with {name}={kept[name]}, so that a crash may "
                f"destroy what was recorded; set {name} = on and restart it"
            )
    durable = {} if kept["synchronous_commit"] in _DURABLE else {"synchronous_commit": "on"}
    for name, value in {**limits, **durable}.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.autocommit = autocommit


def _judge(context: ExceptionContext) -> None:
    state = getattr(context.original_exception, "sqlstate", None)
    if state in _READ_ONLY:
        context.is_disconnect = True


def _has_ended(connection: Any) -> bool:
    """Whether something came on a connection that nobody asked: its end, which is not read yet."""
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _shut(connection: Any) -> None:
    import psycopg

    with contextlib.suppress(OSError, psycopg.Error):
        copy = socket.socket(fileno=os.dup(connection.fileno()))
        try:
            copy.shutdown(socket.SHUT_RDWR)
        finally:
            copy.close()


def _first_line(exc: SQLAlchemyError) -> str:
    """What libpq or the server says, which names hosts and users and no secret."""
    cause = getattr(exc, "orig", None) or exc
    return " ".join(str(cause).split())[:400]

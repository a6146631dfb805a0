"""Where a ledger is kept, as settings name it, and which of such names are safe."""

from __future__ import annotations

import ipaddress
from typing import Final

from caracal_grpc.core.errors import field_invalid

_SCHEMES: Final = ("postgresql://", "postgres://")
_ALLOWED: Final = frozenset(
    {
        "user",
        "host",
        "port",
        "dbname",
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "sslnegotiation",
        "channel_binding",
        "require_auth",
        "krbsrvname",
    }
)
"""What a URL may say; the rest is ours to set, or comes from where nobody sees it in a setting."""


def is_server(location: str) -> bool:
    """Whether it names a PostgreSQL server, and not a file."""
    return location.startswith(_SCHEMES)


def server_parameters(location: str) -> dict[str, str]:
    """What a URL says of a PostgreSQL server, as libpq itself reads it.

    Raises `FIELD_INVALID` naming `ledger`: without psycopg, for what is no such URL, for a password
    in it, and for a host that is neither this machine nor proven by TLS.
    """
    parameters = _parsed(location)
    if "password" in parameters:
        text = "must not hold a password; put it into a file and name that ledger_password_file"
        raise field_invalid("ledger", text)
    if strange := parameters.keys() - _ALLOWED:
        raise field_invalid("ledger", f"may not set {min(strange)}")
    if not parameters.get("dbname"):
        raise field_invalid("ledger", "must name a database, such as postgresql://host/caracal")
    hosts = parameters.get("host", "").split(",")
    if not all(hosts):
        text = "must name each host, or the folder of its socket: ?host=/run/postgresql"
        raise field_invalid("ledger", text)
    safe = parameters.get("sslmode") == "verify-full"
    if not safe and not all(map(_is_here, hosts)):
        raise field_invalid("ledger", "needs sslmode=verify-full, since it is not on loopback")
    return parameters


def _parsed(location: str) -> dict[str, str]:
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as exc:
        text = "needs psycopg for PostgreSQL; run: pip install 'caracal-grpc[postgres]'"
        raise field_invalid("ledger", text) from exc
    try:
        parsed = conninfo_to_dict(location)
    except ProgrammingError:
        # Without its cause, which shows the URL, and any password in it.
        raise field_invalid("ledger", "is no URL that libpq can read") from None
    return {name: str(value) for name, value in parsed.items() if value is not None}


def _is_here(host: str) -> bool:
    """Whether it is a socket's folder, an abstract socket, or an address of loopback."""
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

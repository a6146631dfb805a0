"""Sessions as people read them: a row of a table, or facts one a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

COLUMNS: Final = ("session", "kind", "state", "application", "subject", "parent", "labels", "ends")


def row(session: Mapping[str, Any]) -> list[Any]:
    """One session as a row under `COLUMNS`."""
    names = ("id", "kind", "state", "application_name", "subject", "parent_id", "labels")
    return [*(session[name] for name in names), _ends(session)]


def facts(session: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Every field of a session."""
    return [
        (name.replace("_", " "), _PARTS[name](value) if value and name in _PARTS else value)
        for name, value in session.items()
    ]


def lease_text(lease: Mapping[str, Any]) -> str:
    """A lease in one line."""
    length = f"{lease['duration']:g}"
    return f"generation {lease['generation']}, {length} s, until {lease['expire_time']}"


def print_change(change: Mapping[str, Any], as_json: bool) -> None:
    """The answer of an rpc that changed a session."""
    from caracal_grpc.cli.terminal.output import print_facts, print_json

    if as_json:
        print_json(change)
    else:
        told = [("revision", change["revision"]), ("recorded as", change["audit_id"])]
        print_facts([*facts(change["session"]), *told])


def _ends(session: Mapping[str, Any]) -> str:
    """When it ends unless something is done, by its life or by its lease."""
    ends = [session["expire_time"], (session["lease"] or {}).get("expire_time")]
    return "standing" if session["standing"] else min(filter(None, ends), default="")


_PARTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "ceiling": lambda parts: [f"{each['resource']}={','.join(each['scopes'])}" for each in parts],
    "lease": lease_text,
    "user": lambda user: f"{user['name']} ({user['subject']} of {user['issuer']})",
}

"""The calls behind `zone`, `application`, `credential` and `resource`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, AUTHORITY_ZONE

if TYPE_CHECKING:
    from caracal_grpc.cli.connection import Overrides

_WRITES: Final = ("Create", "Update", "Delete")
_ZONES_WRITE: Final = "caracal:zones:write"


def ask_object(target: Target, kind: str, method: str, **fields: Any) -> Any:
    """The answer of the service of a kind, `application` for one, to a method of it."""
    from caracal_grpc.cli.connection import ask

    stub, request = _parts(kind, method, fields)
    return ask(target, stub, method, request, _rules(target, kind))


def list_objects(target: Target, kind: str, limit: int, **fields: Any) -> list[dict[str, Any]]:
    """At most `limit` of a kind, page by page."""
    from caracal_grpc.cli.connection import connected, run
    from caracal_grpc.cli.terminal.pages import read_pages

    stub, request = _parts(kind, "List", fields)

    async def work() -> list[dict[str, Any]]:
        async with connected(target) as channel:
            return await read_pages(stub(channel).List, request, f"{kind}s", limit)

    return run(target, work())


def _parts(kind: str, method: str, fields: dict[str, Any]) -> tuple[Any, Any]:
    """The stub's type, and the request."""
    service = f"{kind.capitalize()}Service"
    messages = importlib.import_module(f"caracal_grpc.v1.{kind}_service_pb2")
    stubs = importlib.import_module(f"caracal_grpc.v1.{kind}_service_pb2_grpc")
    request = getattr(messages, f"{service}{method}Request")
    return getattr(stubs, f"{service}Stub"), request(**fields)


def _rules(target: Target, kind: str) -> Overrides:
    """Who changes something in the authority's own zone asks for what makes operators, too."""
    if kind == "zone" or target.zone != AUTHORITY_ZONE:
        return {}
    scopes = [f"caracal:{kind}s:write", _ZONES_WRITE]
    service = f"/caracal.v1.{kind.capitalize()}Service"
    return {
        f"{service}/{method}": {"resource": AUTHORITY_RESOURCE, "scopes": scopes}
        for method in _WRITES
        if (kind, method) != ("credential", "Update")
    }


def issuer_of(target: Target) -> str:
    """The issuer of the zone that is acted on, which the authority names after its zones."""
    if target.zone == target.profile.zone:
        return target.profile.issuer
    return f"{target.profile.issuer.rpartition('/')[0]}/{target.zone}"

"""What is sent to begin, keep and end sessions and delegations: arguments in, messages out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.v1 import (
    application_pb2,
    delegation_service_pb2,
    session_pb2,
    session_service_pb2,
)

Ceiling = Mapping[str, Iterable[str] | str]
"""Resources, each with its scopes: a list of them, or one text with spaces between."""

_NONE: Final[dict[str, Any]] = {}


def start_request(
    zone: str,
    parent: str,
    *,
    labels: Iterable[str] = (),
    ceiling: Ceiling | None = None,
    ttl: int | None = None,
    id_token: str | None = None,
) -> session_service_pb2.SessionServiceStartRequest:
    """The start of a task below `parent`, or the standing session when that is empty."""
    request = session_service_pb2.SessionServiceStartRequest(
        zone=zone,
        parent_id=parent,
        labels=tuple(labels),
        ceiling=ceilings(ceiling),
        kind=session_pb2.SESSION_KIND_TASK,
        id_token=id_token or "",
    )
    if ttl is not None:
        request.ttl.FromSeconds(ttl)
    return request


def service_request(
    zone: str, parent: str, lease: int | None, **more: Any
) -> session_service_pb2.SessionServiceStartRequest:
    """The start of a service with that `lease`, in seconds; `more` is as with `start_request`."""
    request = start_request(zone, parent, **more)
    request.kind = session_pb2.SESSION_KIND_SERVICE
    if lease is not None:
        request.lease.FromSeconds(lease)
    return request


def take_over_request(
    zone: str, session: str, **more: Any
) -> session_service_pb2.SessionServiceTakeOverRequest:
    """The takeover of `session`, which stays what it is: raises `FIELD_INVALID` for `more`."""
    for name, value in more.items():
        if value:
            raise field_invalid(name, "is that of the session that is taken over; leave it out")
    return session_service_pb2.SessionServiceTakeOverRequest(zone=zone, id=session)


def delegate_request(
    zone: str, session: str, receiver: str, ceiling: Ceiling, ttl: int, max_hops: int | None
) -> delegation_service_pb2.DelegateRequest:
    """The delegation of `ceiling` out of `session`, or the standing one when that is empty."""
    request = delegation_service_pb2.DelegateRequest(
        zone=zone,
        session_id=session,
        receiver=receiver,
        ceiling=ceilings(ceiling),
        max_hops=max_hops,
    )
    request.ttl.FromSeconds(ttl)
    return request


def ceilings(ceiling: Ceiling | None) -> list[application_pb2.Ceiling]:
    """The messages of `ceiling`."""
    return [
        application_pb2.Ceiling(
            resource=resource,
            scopes=sorted(scopes.split() if isinstance(scopes, str) else scopes),
        )
        for resource, scopes in (ceiling or _NONE).items()
    ]

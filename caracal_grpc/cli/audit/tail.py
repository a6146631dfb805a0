"""`audit tail`: the newest entries of the ledger, and those to come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.audit.filters import (
    AboutOption,
    ApplicationOption,
    DecisionOption,
    JtiOption,
    ReasonOption,
    RequestIdOption,
    ResourceOption,
    SessionOption,
    SubjectOption,
    TypeOption,
    search_request,
)
from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve

if TYPE_CHECKING:
    from caracal_grpc.v1.audit_service_pb2 import SearchRequest

_PAGE: Final = 500
_MOST: Final = 10_000
"""Entries of the past, which are held to be turned round."""

Show = Callable[[Any], None]


def tail(
    number: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=_MOST, help="So many of the newest.")
    ] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    decision: DecisionOption = None,
    kind: TypeOption = "",
    reason: ReasonOption = "",
    application: ApplicationOption = "",
    subject: SubjectOption = "",
    resource: ResourceOption = "",
    session: SessionOption = "",
    jti: JtiOption = "",
    request_id: RequestIdOption = "",
    about: AboutOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show the newest entries, one a line, the newest last. Filters must all match."""
    from caracal_grpc.cli.audit.entries import print_entry
    from caracal_grpc.cli.connection import run

    target = resolve(profile, zone)
    request = search_request(
        target.zone,
        decision=decision,
        kind=kind,
        reason=reason,
        application=application,
        subject=subject,
        resource=resource,
        session=session,
        jti=jti,
        request_id=request_id,
        about=about,
    )

    def show(entry: Any) -> None:
        print_entry(entry, as_json=json)

    run(target, _tail(target, request, number, show, follow=follow))


async def _tail(
    target: Target, request: SearchRequest, number: int, show: Show, *, follow: bool
) -> None:
    from caracal_grpc.cli.audit.following import following
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    async with connected(target) as channel:
        stub: Any = AuditServiceStub(channel)
        size = await _size(stub, target.zone) if follow else 0
        newest = await _newest(stub, request, number)
    for entry in newest:
        show(entry)
    if follow:
        start = max(size, newest[-1].index + 1 if newest else 0)
        async with aclosing(following(target, request, start)) as entries:
            async for entry in entries:
                show(entry)


async def _size(stub: Any, zone: str) -> int:
    """How many entries there are: what comes behind is what is followed."""
    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.v1.audit_service_pb2 import GetCheckpointRequest

    answer = await stub.GetCheckpoint(GetCheckpointRequest(zone=zone), timeout=CALL_TIMEOUT)
    return int(answer.checkpoint.size)


async def _newest(stub: Any, request: SearchRequest, number: int) -> list[Any]:
    """The newest that match, oldest first."""
    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.v1.audit_service_pb2 import SearchRequest

    asked = SearchRequest()
    asked.CopyFrom(request)
    asked.newest_first = True
    found: list[Any] = []
    while len(found) < number:
        asked.page_size = min(_PAGE, number - len(found))
        page = await stub.Search(asked, timeout=CALL_TIMEOUT)
        found += page.entries
        asked.page_token = page.next_page_token
        if not asked.page_token:
            break
    return found[::-1]

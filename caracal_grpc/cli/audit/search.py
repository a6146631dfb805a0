"""`audit search`: entries of the ledger that match every filter."""

from __future__ import annotations

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
from caracal_grpc.cli.terminal.options import moment

if TYPE_CHECKING:
    from caracal_grpc.cli.audit.entries import JsonList, Table
    from caracal_grpc.v1.audit_service_pb2 import SearchRequest

_PAGE: Final = 500


def search(
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
    audit_id: Annotated[str, typer.Option(help="The entry itself, aud_….")] = "",
    since: Annotated[str, typer.Option(help="Not before: ISO 8601, or as long ago as 15m.")] = "",
    until: Annotated[str, typer.Option(help="Before: ISO 8601, or as long ago as 15m.")] = "",
    newest: Annotated[bool, typer.Option("--newest", help="Newest first.")] = False,
    order_by: Annotated[
        str,
        typer.Option(
            metavar="FIELD", help="Order, such as time or 'reason desc'; the index by default."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=0, help="Most entries; 0 for all.")] = 100,
    page_token: Annotated[str, typer.Option(help="Where the search before ended.")] = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Find entries. Filters that are given must all match."""
    from caracal_grpc.cli.audit.entries import JsonList, Table
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
        audit_id=audit_id,
        order_by=order_by,
        page_token=page_token,
    )
    request.newest_first = newest
    for name, text in (("since", since), ("until", until)):
        if text:
            getattr(request, name).FromDatetime(moment(f"--{name}", text))
    run(target, _search(target, request, limit, JsonList() if json else Table()))


async def _search(
    target: Target, request: SearchRequest, limit: int, shown: JsonList | Table
) -> None:
    """Shows page after page, of which it holds one; `limit` 0 is no limit."""
    from caracal_grpc.cli.connection import CALL_TIMEOUT, connected
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    left = limit
    async with connected(target) as channel:
        stub: Any = AuditServiceStub(channel)
        while True:
            request.page_size = min(_PAGE, left) if limit else _PAGE
            page = await stub.Search(request, timeout=CALL_TIMEOUT)
            shown.add(page.entries)
            left -= len(page.entries)
            request.page_token = page.next_page_token
            if not request.page_token or (limit and left <= 0):
                break
    shown.end(request.page_token)

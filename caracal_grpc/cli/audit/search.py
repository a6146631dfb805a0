"""`audit search`: entries of the ledger that match every filter."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.terminal.options import moment

if TYPE_CHECKING:
    from caracal_grpc.v1.audit_service_pb2 import SearchRequest

_PAGE: Final = 500
_COLUMNS: Final = ("time", "entry", "type", "decision", "application", "resource", "scopes")


class Decision(StrEnum):
    """How a recorded matter ended."""

    ALLOW = "allow"
    DENY = "deny"
    DONE = "done"


def search(
    decision: Annotated[Decision | None, typer.Option(help="How it ended.")] = None,
    kind: Annotated[
        str, typer.Option("--type", help="Kind of matter, such as exchange or revocation.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Reason of a refusal, such as POLICY_DENIED.")] = "",
    application: Annotated[str, typer.Option(help="Acting application, app_….")] = "",
    subject: Annotated[str, typer.Option(help="On whose behalf.")] = "",
    resource: Annotated[str, typer.Option(help="Resource, resource://….")] = "",
    session: Annotated[str, typer.Option(help="Session, ses_….")] = "",
    jti: Annotated[str, typer.Option(help="Mandate, mnd_….")] = "",
    request_id: Annotated[str, typer.Option(help="The caller's id of the request.")] = "",
    since: Annotated[str, typer.Option(help="Not before: ISO 8601, or as long ago as 15m.")] = "",
    until: Annotated[str, typer.Option(help="Before: ISO 8601, or as long ago as 15m.")] = "",
    newest: Annotated[bool, typer.Option("--newest", help="Newest first.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Most entries.")] = 100,
    page_token: Annotated[str, typer.Option(help="Where the search before ended.")] = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Find entries. Filters that are given must all match."""
    from caracal_grpc.cli.connection import run
    from caracal_grpc.v1 import audit_service_pb2

    target = resolve(profile, zone)
    request = audit_service_pb2.SearchRequest(
        zone=target.zone,
        decision=f"AUDIT_DECISION_{decision.name if decision else 'UNSPECIFIED'}",
        type=kind,
        reason=reason,
        application_id=application,
        subject=subject,
        resource=resource,
        session_id=session,
        jti=jti,
        request_id=request_id,
        newest_first=newest,
        page_token=page_token,
    )
    for name, text in (("since", since), ("until", until)):
        if text:
            getattr(request, name).FromDatetime(moment(f"--{name}", text))
    found, token = run(target, _search(target, request, limit))
    _print(found, token, json)


async def _search(target: Target, request: SearchRequest, limit: int) -> tuple[list[Any], str]:
    from caracal_grpc.cli.connection import CALL_TIMEOUT, connected
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    found: list[Any] = []
    async with connected(target) as channel:
        stub: Any = AuditServiceStub(channel)
        while len(found) < limit:
            request.page_size = min(_PAGE, limit - len(found))
            page = await stub.Search(request, timeout=CALL_TIMEOUT)
            found.extend(page.entries)
            request.page_token = page.next_page_token
            if not request.page_token:
                break
    return found, request.page_token


def _print(found: list[Any], token: str, as_json: bool) -> None:
    from caracal_grpc.cli.audit.entries import entry_view
    from caracal_grpc.cli.terminal.output import note, print_json, print_table

    entries = [entry_view(each) for each in found]
    if as_json:
        print_json({"entries": entries, "next_page_token": token})
        return
    print_table(_COLUMNS, map(_row, entries), "nothing was found")
    if token:
        note(f"there are more; go on with --page-token {token}")


def _row(entry: dict[str, Any]) -> list[Any]:
    ended = f"{entry['decision']} {entry['reason']}".strip()
    who = entry["application_name"] or entry["application_id"]
    scopes = entry["granted_scopes"] or entry["requested_scopes"]
    return [entry["time"], entry["id"], entry["type"], ended, who, entry["resource"], scopes]

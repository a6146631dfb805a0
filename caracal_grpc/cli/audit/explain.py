"""`audit explain`: how one decision came about, as a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.core.ids import AUDIT, MANDATE, prefix_of

if TYPE_CHECKING:
    from rich.tree import Tree

_TARGETS: Final = {AUDIT: "audit_id", MANDATE: "jti"}


def explain(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="An entry aud_…, a mandate mnd_…, or a request id.")
    ],
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Tell how a decision came about, and whether what it granted is alive."""
    from caracal_grpc.cli.audit.entries import entry_view
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.terminal.output import console, print_json
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1.audit_service_pb2 import ExplainRequest
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    target = resolve(profile, zone)
    request = ExplainRequest(zone=target.zone)
    setattr(request, _TARGETS.get(prefix_of(identifier) or "", "request_id"), identifier)
    response = ask(target, AuditServiceStub, "Explain", request)
    explained = {**view(response), "entry": entry_view(response.entry)}
    if json:
        print_json(explained)
    else:
        console().print(_tree(explained))


def _tree(explained: dict[str, Any]) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    from caracal_grpc.cli.terminal.output import plain

    entry = explained["entry"]
    outcome = f"{entry['decision']} {entry['reason']}".strip()
    tree = Tree(Text(plain(f"{entry['id']}  {entry['time']}  {outcome}"), style="bold"))
    for step in explained["steps"]:
        branch = tree.add(Text(plain(f"{step['by']}: {step['text']}")))
        if step["kept"]:
            branch.add(Text(plain(" ".join(step["kept"]))))
    if explained["mandate"]:
        branch = tree.add(Text(plain(f"mandate {explained['mandate']['jti']}: {_life(explained)}")))
        for line in _story(explained["mandate"]):
            branch.add(Text(plain(line)))
    return tree


def _story(mandate: dict[str, Any]) -> list[str]:
    """How it came about: who passed it on to whom, and what released it."""
    lines = []
    for hop in mandate["chain"]:
        how = f"by {hop['delegation_edge_id']}" if hop["delegation_edge_id"] else "on behalf"
        lines.append(f"passed on to {hop['application_id']} in {hop['agent_session_id']}, {how}")
    if mandate["approval_id"]:
        lines.append(f"released by {mandate['approval_id']}")
    return lines


def _life(explained: dict[str, Any]) -> str:
    until = explained["mandate"]["expire_time"]
    if explained["alive"]:
        return f"alive until {until}"
    return "expired" if explained["dead_by"] == "expired" else f"killed by {explained['dead_by']}"

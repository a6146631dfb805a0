"""`audit explain`: how one decision came about, and what became of it, as a tree."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.errors import usage
from caracal_grpc.cli.token_file import read_token
from caracal_grpc.core.ids import AUDIT, MANDATE, prefix_of
from caracal_grpc.crypto import base64url

if TYPE_CHECKING:
    from rich.tree import Tree

_TARGETS: Final = {AUDIT: "audit_id", MANDATE: "jti"}


def explain(
    identifier: Annotated[
        str,
        typer.Argument(metavar="[ID]", help="An entry aud_…, a mandate mnd_…, or a request id."),
    ] = "",
    mandate_file: Annotated[
        Path | None,
        typer.Option(help="In its place a file with the mandate itself; - reads stdin."),
    ] = None,
    reevaluate: Annotated[
        bool, typer.Option("--reevaluate", help="Ask the recorded version of the policy again.")
    ] = False,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Say what would make it allowed.")
    ] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Tell how a decision came about, what became of it, and whether it is alive.

    Exit code 1 when it was asked again and does not hold.
    """
    from caracal_grpc.cli.audit.entries import entry_view
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.cli.terminal.output import console, print_json
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1.audit_service_pb2 import ExplainRequest
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    wanted = _identifier(identifier, mandate_file)
    target = resolve(profile, zone)
    request = ExplainRequest(zone=target.zone, reevaluate=reevaluate, suggest=suggest)
    setattr(request, _TARGETS.get(prefix_of(wanted) or "", "request_id"), wanted)
    response = ask(target, AuditServiceStub, "Explain", request)
    explained = {**view(response), "entry": entry_view(response.entry)}
    if json:
        print_json(explained)
    else:
        console().print(_tree(explained))
    if reevaluate and not response.reevaluation.holds:
        raise typer.Exit(1)


def _identifier(identifier: str, mandate_file: Path | None) -> str:
    """What is to be explained; of a mandate no more is read than its id, and none of it is sent."""
    if bool(identifier) == (mandate_file is not None):
        raise usage("name an entry, a mandate or a request id, or give --mandate-file")
    if mandate_file is None:
        return identifier
    try:
        token = read_token("--mandate-file", mandate_file, "a mandate")
        claims = json_module.loads(base64url.decode(token.split(".")[1]))
        return str(claims["jti"])
    except (ValueError, LookupError, TypeError) as error:
        raise usage(f"{mandate_file} holds no mandate") from error


def _tree(explained: dict[str, Any]) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    from caracal_grpc.cli.terminal.output import plain

    entry = explained["entry"]
    outcome = f"{entry['decision']} {entry['reason']}".strip()
    tree = Tree(Text(plain(f"{entry['id']}  {entry['time']}  {outcome}"), style="bold"))
    for title, lines in _branches(explained):
        branch = tree.add(Text(plain(title)))
        for line in lines:
            branch.add(Text(plain(line)))
    return tree


def _branches(explained: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """What the tree shows: each branch with its leaves."""
    branches = [
        (f"{step['by']}: {step['text']}", [" ".join(step["kept"])] * bool(step["kept"]))
        for step in explained["steps"]
    ]
    if mandate := explained["mandate"]:
        branches.append((f"mandate {mandate['jti']}: {_life(explained)}", _lineage(mandate)))
    story = [f"{each['time']}  {each['kind']}: {each['text']}" for each in explained["story"]]
    more = ["and more; see caracal-grpc audit search"] * explained["story_cut"]
    branches.append(("story", story + more))
    if again := explained["reevaluation"]:
        branches.append(_again(again))
    if remedies := explained["remedies"]:
        branches.append(("what would make it allowed", [_remedy(each) for each in remedies]))
    return branches


def _again(again: dict[str, Any]) -> tuple[str, list[str]]:
    """What policy said when it was asked again."""
    title = "asked again: it holds" if again["holds"] else "asked again: it does not hold"
    return title, [*again["differences"], *again["decided_by"]]


def _remedy(remedy: dict[str, Any]) -> str:
    tried = ", which policy allows" if remedy["tried"] else ""
    return f"{remedy['who']}: {remedy['text']}{tried}"


def _lineage(mandate: dict[str, Any]) -> list[str]:
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

"""`revoke`: kill what names an anchor, fits a filter, or was issued before a moment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode, usage

if TYPE_CHECKING:
    from caracal_grpc.v1.revocation_service_pb2 import RevocationServiceRevokeRequest

_TIME = "2026-01-31T12:00:00Z, or as long ago as 15m; now is 0s"


def revoke(
    anchor: Annotated[
        str,
        typer.Argument(help="What to kill: mnd_…, ses_…, del_…, app_…, usr_… or key_…."),
    ] = "",
    application: Annotated[
        str, typer.Option(help="All sessions that this application holds, app_….")
    ] = "",
    subject: Annotated[
        str, typer.Option(help="All sessions that speak for this one, app_… or usr_….")
    ] = "",
    label: Annotated[str, typer.Option(help="All sessions with this label.")] = "",
    below: Annotated[
        str, typer.Option(help="All sessions below this one, ses_… or del_…, and it itself.")
    ] = "",
    created_before: Annotated[
        str, typer.Option(metavar="TIME", help=f"All sessions begun before: {_TIME}.")
    ] = "",
    issued_before: Annotated[
        str,
        typer.Option(metavar="TIME", help="All mandates of the zone issued before; no session."),
    ] = "",
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would fall, and revoke nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until every connected guard has applied it.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds to wait at most, with --wait.")
    ] = 60.0,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Kill at every edge: a mandate, a session with all below it, an application, a user, a key.

    Options that say which sessions must all hold; standing sessions are only meant with --below.
    """
    from caracal_grpc.cli.revocation import calls
    from caracal_grpc.cli.terminal.output import print_json
    from caracal_grpc.cli.terminal.progress import connected_edges, wait_applied

    if wait and dry_run:
        raise usage("--wait has nothing to wait for with --dry-run; leave one of them out")
    target = resolve(profile, zone)
    aim = calls.Aim(anchor, application, subject, label, below, created_before, issued_before)
    request = aim.request(target.zone, reason)
    if aim.is_broad and not (dry_run or yes) and sys.stdin.isatty():
        _confirm(target, request)
    edges = connected_edges(target) if wait and aim.cuts_feeds else 0
    answer = calls.send(target, request, dry_run=dry_run)
    if json and not wait:
        print_json(calls.to_facts(request, answer, dry_run=dry_run))
    elif dry_run:
        calls.print_fallen(answer)
    elif not json:
        calls.print_revoked(request, answer)
    if wait:
        facts = calls.to_facts(request, answer, dry_run=False) if json else None
        wait_applied(target, answer.revision, timeout, facts, edges)


def _confirm(target: Target, request: RevocationServiceRevokeRequest) -> None:
    """Returns when whoever sits at the terminal agrees; raises `CliError`."""
    from caracal_grpc.cli.revocation import calls
    from caracal_grpc.cli.terminal.questions import typed

    question = calls.question(request, calls.send(target, request, dry_run=True))
    if (typed(f"{question} [y/N]: ") or "").lower() not in {"y", "yes"}:
        raise CliError(ExitCode.REFUSED, "nothing is revoked")

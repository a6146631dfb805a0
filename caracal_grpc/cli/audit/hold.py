"""`audit hold`: keep entries from being pruned and erased."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli.audit.retaining import call, require_yes
from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.terminal.bare import show_help
from caracal_grpc.cli.terminal.options import moment

holds = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Keep entries from being pruned and erased, as long as a case is open.",
)

_COLUMNS: Final = ("hold", "since", "until", "subject", "application", "session", "reason")
_FIELDS: Final = ("id", "since", "until", "subject", "application_id", "session_id", "reason")
_TIME: Final = "ISO 8601, or as long ago as 15m."


@holds.command("create")
def create_hold(
    reason: Annotated[
        str, typer.Option(help="Why, such as the number of a case; nothing personal.")
    ],
    subject: Annotated[str, typer.Option(help="Entries that name this one, usr_….")] = "",
    application: Annotated[str, typer.Option(help="Entries of this application, app_….")] = "",
    session: Annotated[str, typer.Option(help="Entries of this session, ses_….")] = "",
    since: Annotated[str, typer.Option(metavar="TIME", help=f"Not before: {_TIME}")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help=f"Before: {_TIME}")] = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Hold all entries that match everything that is given; all of the zone without any."""
    from caracal_grpc.cli.terminal.output import print_json, print_line
    from caracal_grpc.v1.retention_service_pb2 import LegalHold

    target = resolve(profile, zone)
    hold = LegalHold(reason=reason, subject=subject, application_id=application, session_id=session)
    for name, text in (("since", since), ("until", until)):
        if text:
            getattr(hold, name).FromDatetime(moment(f"--{name}", text))
    made = call(target, "CreateLegalHold", hold=hold)
    if json:
        print_json(made)
    else:
        print_line(f"{made['hold']['id']} holds; recorded as {made['audit_id']}")


@holds.command("list")
def list_holds(
    profile: ProfileOption = None, zone: ZoneOption = None, json: JsonOption = False
) -> None:
    """List what is on hold, oldest first."""
    from caracal_grpc.cli.terminal.output import print_json, print_table

    target = resolve(profile, zone)
    found = call(target, "ListLegalHolds")["holds"]
    if json:
        print_json({"holds": found})
    else:
        print_table(_COLUMNS, map(_row, found), f"nothing of zone {target.zone} is on hold")


@holds.command("delete")
def delete_hold(
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="The hold, hld_….")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """End a hold; what it held may be pruned and erased from then on."""
    from caracal_grpc.cli.terminal.output import print_json, print_line

    target = resolve(profile, zone)
    if not yes:
        require_yes(f"What {hold} holds in zone {target.zone} may go from then on. End it?")
    ended = call(target, "DeleteLegalHold", id=hold)
    if json:
        print_json(ended)
    else:
        print_line(f"{hold} has ended; recorded as {ended['audit_id']}")


def _row(hold: dict[str, Any]) -> list[Any]:
    return [hold[name] or "" for name in _FIELDS]

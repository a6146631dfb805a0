"""`sessions`: the running units that are granted, narrowed and revoked."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli import session_calls
from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.errors import usage
from caracal_grpc.cli.options import MAX_LIFE

sessions = typer.Typer(help="List, start, read and end sessions. Alone it lists them.")

AllOption = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Sessions of others too; needs caracal:sessions:admin. Implied for another zone.",
    ),
]
SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="The session, ses_….")]

_COLUMNS: Final = ("session", "state", "application", "subject", "parent", "labels", "ends")


@sessions.callback(invoke_without_command=True)
def plain_sessions(
    context: typer.Context,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List the sessions, when no command follows."""
    if context.invoked_subcommand is None:
        list_sessions(None, 100, everyone, profile, zone, json)
    elif everyone or profile or zone is not None or json:
        raise usage(f"options of sessions {context.invoked_subcommand} go after its name")


@sessions.command("list")
def list_sessions(
    application: Annotated[
        str | None, typer.Option(help="Only those of this application, app_….")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most sessions to list.")] = 100,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List sessions, in the order of their ids: oldest first."""
    from caracal_grpc.cli.output import print_json, print_table

    target = resolve(profile, zone)
    found = session_calls.list_sessions(target, application or "", limit, everyone)
    if json:
        print_json({"sessions": found})
    else:
        print_table(_COLUMNS, map(_row, found), "no sessions that you may see; see --all")


@sessions.command("start")
def start_session(
    parent: Annotated[
        str | None, typer.Option(help="The session above it. Default: your standing one.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="A label for policy; repeat for more.")
    ] = None,
    ceiling: Annotated[
        list[str] | None,
        typer.Option(help="RESOURCE=SCOPE,SCOPE that it can reach at most; repeat for more."),
    ] = None,
    ttl: Annotated[
        int | None, typer.Option(min=1, max=MAX_LIFE, help="Life in seconds. Default: 3600.")
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Start a session below one of yours, never wider and never longer than that one."""
    target = resolve(profile, zone)
    wanted = session_calls.Wanted(parent or "", label or [], ceiling or [], ttl)
    _print_change(session_calls.start_session(target, wanted), json)


@sessions.command("get")
def get_session(
    session: SessionArgument,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show one session."""
    from caracal_grpc.cli.output import print_facts, print_json

    found = session_calls.get_session(resolve(profile, zone), session, everyone)
    if json:
        print_json({"session": found})
    else:
        print_facts(_facts(found))


@sessions.command("terminate")
def terminate_session(
    session: SessionArgument,
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """End a session and everything below it, at every edge."""
    target = resolve(profile, zone)
    _print_change(session_calls.terminate_session(target, session, reason, everyone), json)


def _print_change(change: dict[str, Any], as_json: bool) -> None:
    from caracal_grpc.cli.output import print_facts, print_json

    if as_json:
        print_json(change)
    else:
        facts = _facts(change["session"])
        print_facts([*facts, ("revision", change["revision"]), ("recorded as", change["audit_id"])])


def _row(session: dict[str, Any]) -> list[Any]:
    ends = "standing" if session["standing"] else session["expire_time"]
    names = ("id", "state", "application_name", "subject", "parent_id", "labels")
    return [*(session[name] for name in names), ends]


def _facts(session: dict[str, Any]) -> list[tuple[str, Any]]:
    reach = [f"{part['resource']}={','.join(part['scopes'])}" for part in session["ceiling"]]
    plain = [(name.replace("_", " "), value) for name, value in session.items()]
    return [("ceiling", reach) if name == "ceiling" else (name, value) for name, value in plain]

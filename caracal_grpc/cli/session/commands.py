"""`session`: the running units that are granted, narrowed and revoked."""

from __future__ import annotations

from typing import Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.errors import usage
from caracal_grpc.cli.session import calls
from caracal_grpc.cli.session.start import start_session
from caracal_grpc.cli.session.view import COLUMNS, facts, lease_text, print_change, row

sessions = typer.Typer(help="Start sessions, keep, suspend and end them. Alone it lists them.")

AllOption = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Sessions of others too; needs caracal:sessions:admin. Implied for another zone.",
    ),
]
SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="The session, ses_….")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the ledger.")]


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
        raise usage(f"options of session {context.invoked_subcommand} go after its name")


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
    from caracal_grpc.cli.terminal.output import print_json, print_table

    target = resolve(profile, zone)
    found = calls.list_sessions(target, application or "", limit, everyone)
    if json:
        print_json({"sessions": found})
    else:
        print_table(COLUMNS, map(row, found), "no sessions that you may see; see --all")


sessions.command("start")(start_session)


@sessions.command("get")
def get_session(
    session: SessionArgument,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show one session."""
    from caracal_grpc.cli.terminal.output import print_facts, print_json

    found = calls.get_session(resolve(profile, zone), session, everyone)
    if json:
        print_json({"session": found})
    else:
        print_facts(facts(found))


@sessions.command("terminate")
def terminate_session(
    session: SessionArgument,
    reason: ReasonOption = "",
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """End a session and everything below it, at every edge."""
    target = resolve(profile, zone)
    print_change(calls.terminate_session(target, session, reason, everyone), json)


@sessions.command("suspend")
def suspend_session(
    session: SessionArgument,
    reason: ReasonOption = "",
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Stop a session and everything below it, at every edge, until it is resumed."""
    target = resolve(profile, zone)
    print_change(calls.suspend_session(target, session, reason, everyone), json)


@sessions.command("resume")
def resume_session(
    session: SessionArgument,
    reason: ReasonOption = "",
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Let a suspended session go on, with what was issued in it and has not ended."""
    target = resolve(profile, zone)
    print_change(calls.resume_session(target, session, reason, everyone), json)


@sessions.command("heartbeat")
def heartbeat(
    session: SessionArgument,
    generation: Annotated[int, typer.Option(min=1, help="The generation of your lease.")],
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Renew the lease of a service session once."""
    from caracal_grpc.cli.terminal.output import print_json, print_line

    answer = calls.heartbeat(resolve(profile, zone), session, generation)
    if json:
        print_json(answer)
    else:
        print_line(lease_text(answer["lease"]))


@sessions.command("take-over")
def take_over(
    session: SessionArgument,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Take a service session over from its holder, who is kept out from then on."""
    print_change(calls.take_over(resolve(profile, zone), session), json)

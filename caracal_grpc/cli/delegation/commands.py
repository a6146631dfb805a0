"""`delegation`: authority passed on to other applications."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.delegation import calls
from caracal_grpc.cli.errors import usage
from caracal_grpc.cli.terminal.options import MAX_LIFE

delegations = typer.Typer(
    help="Pass authority on, see and revoke what was passed on. Alone it lists that."
)

AllOption = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Those of others too; needs caracal:sessions:admin. Implied for another zone.",
    ),
]
DelegationArgument = Annotated[
    str, typer.Argument(metavar="DELEGATION", help="The delegation, del_….")
]

_COLUMNS: Final = ("delegation", "state", "from", "to", "session", "ceiling", "hops", "ends")
_FALLEN: Final = ("session", "delegation", "application", "state", "below")


@delegations.callback(invoke_without_command=True)
def plain_delegations(
    context: typer.Context,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List the delegations, when no command follows."""
    if context.invoked_subcommand is None:
        list_delegations(None, 100, everyone, profile, zone, json)
    elif everyone or profile or zone is not None or json:
        raise usage(f"options of delegation {context.invoked_subcommand} go after its name")


@delegations.command("create")
def create_delegation(
    receiver: Annotated[str, typer.Argument(help="Who receives it: its name, or app_….")],
    ceiling: Annotated[
        list[str],
        typer.Option(help="RESOURCE=SCOPE,SCOPE that is passed on; repeat for more."),
    ],
    ttl: Annotated[int, typer.Option(min=1, max=MAX_LIFE, help="Life in seconds.")],
    session: Annotated[
        str | None, typer.Option(help="The session that it comes from. Default: your standing one.")
    ] = None,
    max_hops: Annotated[
        int | None,
        typer.Option(min=0, max=10, help="How often it may be passed on. Default: as may be."),
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Pass part of what a session reaches on to another application, in a session of its own."""
    target = resolve(profile, zone)
    wanted = calls.Wanted(receiver, ceiling, ttl, session or "", max_hops)
    _print_change(calls.delegate(target, wanted), json)


@delegations.command("list")
def list_delegations(
    application: Annotated[
        str | None, typer.Option(help="Only those that this application gave or got, app_….")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most delegations to list.")] = 100,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List delegations, in the order of their ids: oldest first."""
    from caracal_grpc.cli.terminal.output import print_json, print_table

    target = resolve(profile, zone)
    found = calls.list_delegations(target, application or "", limit, everyone)
    if json:
        print_json({"delegations": found})
    else:
        print_table(_COLUMNS, map(_row, found), "no delegations that you may see; see --all")


@delegations.command("get")
def get_delegation(
    delegation: DelegationArgument,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show one delegation."""
    from caracal_grpc.cli.terminal.output import print_facts, print_json

    found = calls.get_delegation(resolve(profile, zone), delegation, everyone)
    if json:
        print_json({"delegation": found})
    else:
        print_facts(_facts(found))


@delegations.command("revoke")
def revoke_delegation(
    delegation: DelegationArgument,
    reason: Annotated[str, typer.Option(help="Why, for the ledger.")] = "",
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Kill a delegation and everything below it, at every edge, and nothing beside it."""
    target = resolve(profile, zone)
    _print_change(calls.revoke_delegation(target, delegation, reason, everyone), json)


@delegations.command("impact")
def show_impact(
    name: Annotated[str, typer.Argument(metavar="ID", help="A delegation or session.")],
    limit: Annotated[int, typer.Option(min=1, help="Most of the fallen to list.")] = 1000,
    everyone: AllOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show what would fall if it were revoked, and change nothing."""
    from caracal_grpc.cli.terminal.output import print_json, print_table

    found = calls.impact(resolve(profile, zone), name, limit, everyone)
    if json:
        print_json({"fallen": found})
    else:
        print_table(_FALLEN, map(_fallen_row, found), "nothing would fall: it is over")


def reach(ceiling: list[dict[str, Any]]) -> list[str]:
    """A ceiling as `RESOURCE=SCOPE,SCOPE`."""
    return [f"{part['resource']}={','.join(part['scopes'])}" for part in ceiling]


def _print_change(change: dict[str, Any], as_json: bool) -> None:
    from caracal_grpc.cli.terminal.output import print_facts, print_json

    if as_json:
        print_json(change)
    else:
        facts = _facts(change["delegation"])
        print_facts([*facts, ("revision", change["revision"]), ("recorded as", change["audit_id"])])


def _row(found: dict[str, Any]) -> list[Any]:
    sides = (found["application_name"], found["receiver_name"], found["receiver_session_id"])
    bounds = (reach(found["ceiling"]), found["max_hops"], found["expire_time"])
    return [found["id"], found["state"], *sides, *bounds]


def _fallen_row(found: dict[str, Any]) -> list[Any]:
    names = ("session_id", "delegation_id", "application_name", "state", "parent_id")
    return [found[name] for name in names]


def _facts(found: dict[str, Any]) -> list[tuple[str, Any]]:
    plain = {**found, "ceiling": reach(found["ceiling"])}
    return [(name.replace("_", " "), value) for name, value in plain.items()]

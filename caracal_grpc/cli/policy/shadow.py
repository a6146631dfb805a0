"""`policy shadow`: a version that is asked beside the active one, and never acted upon."""

from __future__ import annotations

from typing import Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.policy.calls import ask_policies
from caracal_grpc.cli.terminal.bare import show_help

shadow = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Ask a version beside the active one, about every decision, and act upon it never.",
)


@shadow.command("set")
def set_shadow(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="The version, sha256:….")],
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Let a version be asked from now on."""
    _set(profile, zone, json, version, f"{version} is asked beside the active version")


@shadow.command("end")
def end_shadow(
    profile: ProfileOption = None, zone: ZoneOption = None, json: JsonOption = False
) -> None:
    """Ask none any more."""
    _set(profile, zone, json, "", "no version is asked beside the active one any more")


@shadow.command("show")
def show_shadow(
    profile: ProfileOption = None, zone: ZoneOption = None, json: JsonOption = False
) -> None:
    """Show what it makes otherwise, as the one replica counts that answers."""
    from caracal_grpc.cli.policy.view import DIFFERENCES, difference_row
    from caracal_grpc.cli.terminal.output import print_facts, print_json, print_table

    shown = ask_policies(resolve(profile, zone), "GetShadow")
    if json:
        print_json(shown)
        return
    names = ("version", "since_time", "compared", "changed", "dropped", "replica")
    print_facts((name.removesuffix("_time"), shown[name]) for name in names)
    empty = "nothing differs so far" if shown["version"] else "no version is the shadow"
    print_table(DIFFERENCES, map(difference_row, shown["differences"]), empty)


def _set(profile: ProfileOption, zone: ZoneOption, as_json: bool, version: str, done: str) -> None:
    from caracal_grpc.cli.terminal.output import print_json, print_line

    answer = ask_policies(resolve(profile, zone), "SetShadow", version=version)
    if as_json:
        print_json(answer)
    elif answer["audit_id"]:
        print_line(f"{done}, recorded as {answer['audit_id']}")
    else:
        print_line(f"{done} already")

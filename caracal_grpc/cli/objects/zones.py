"""`zone`: tenants, each with keys, policy and ledger of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, resolve
from caracal_grpc.cli.objects.calls import ask_object, list_objects
from caracal_grpc.cli.objects.options import (
    EtagOption,
    FilterOption,
    LimitOption,
    print_done,
    print_list,
)
from caracal_grpc.cli.terminal.bare import show_help

zones = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="List zones, make, freeze and delete them. apply says what is in one.",
)

_COLUMNS = {"zone": "name", "issuer": "issuer", "frozen": "frozen", "etag": "etag"}

NameArgument = Annotated[str, typer.Argument(metavar="ZONE", help="The zone.")]
ReasonOption = Annotated[str, typer.Option(help="Why, for the ledger.")]


@zones.command("list")
def list_zones(
    fitting: FilterOption = "",
    limit: LimitOption = 100,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """List the zones that you may see: as an operator all, else your own."""
    found = list_objects(resolve(profile, None), "zone", limit, filter=fitting)
    shown = ("name", "issuer", "settings", "frozen", "etag")
    kept = [{name: each[name] for name in shown} for each in found]
    print_list("zone", kept, _COLUMNS, json)


@zones.command("create")
def create_zone(
    name: NameArgument, profile: ProfileOption = None, json: JsonOption = False
) -> None:
    """Make a zone with keys and a ledger. It grants nothing before it has a policy."""
    from caracal_grpc.v1.zone_pb2 import Zone

    made = ask_object(resolve(profile, name), "zone", "Create", zone=Zone(name=name))
    print_done(made, json, f"made zone {name}", zone=name, issuer=made.zone.issuer)


@zones.command("delete")
def delete_zone(
    name: NameArgument,
    etag: EtagOption = "",
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a zone that has no applications; all that it issued is dead, its ledger stays."""
    done = ask_object(resolve(profile, name), "zone", "Delete", zone=name, etag=etag)
    print_done(done, json, f"deleted zone {name}", zone=name)


@zones.command("freeze")
def freeze_zone(
    name: NameArgument,
    reason: ReasonOption = "",
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Grant nothing in a zone any more; what was granted lives on to its end."""
    done = ask_object(resolve(profile, name), "zone", "Freeze", zone=name, reason=reason)
    print_done(done, json, f"froze zone {name}", zone=name)


@zones.command("unfreeze")
def unfreeze_zone(
    name: NameArgument,
    reason: ReasonOption = "",
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Let a zone grant again."""
    done = ask_object(resolve(profile, name), "zone", "Unfreeze", zone=name, reason=reason)
    print_done(done, json, f"unfroze zone {name}", zone=name)

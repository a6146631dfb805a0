"""`resource`: what is protected, with its scopes."""

from __future__ import annotations

from typing import Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.objects.calls import ask_object, list_objects
from caracal_grpc.cli.objects.options import (
    EtagOption,
    FilterOption,
    LimitOption,
    print_done,
    print_list,
    print_one,
)
from caracal_grpc.cli.terminal.bare import show_help

resources = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Make resources, change and delete them, one by one.",
)

_COLUMNS = {"resource": "name", "scopes": "scopes", "longest life": "max_ttl_seconds"}

NameArgument = Annotated[
    str, typer.Argument(metavar="RESOURCE", help="The resource, such as resource://payments.")
]
TtlOption = Annotated[
    int | None, typer.Option("--max-ttl", min=30, max=900, help="Longest life of a mandate, s.")
]


@resources.command("list")
def list_resources(
    fitting: FilterOption = "",
    limit: LimitOption = 100,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List resources, in the order of their names."""
    target = resolve(profile, zone)
    found = list_objects(target, "resource", limit, zone=target.zone, filter=fitting)
    print_list("resource", found, _COLUMNS, json)


@resources.command("get")
def get_resource(
    name: NameArgument,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show one resource."""
    from caracal_grpc.cli.terminal.view import view

    target = resolve(profile, zone)
    found = ask_object(target, "resource", "Get", zone=target.zone, resource=name)
    print_one("resource", view(found.resource), json)


@resources.command("create")
def create_resource(
    name: NameArgument,
    scopes: Annotated[list[str], typer.Option("--scope", help="A scope on it; again for more.")],
    max_ttl: TtlOption = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Make a resource."""
    from caracal_grpc.v1.resource_pb2 import Resource

    target = resolve(profile, zone)
    wanted = Resource(name=name, scopes=scopes, max_ttl_seconds=max_ttl or 0)
    done = ask_object(target, "resource", "Create", zone=target.zone, resource=wanted)
    print_done(done, json, f"made {name}", resource=name)


@resources.command("update")
def update_resource(
    name: NameArgument,
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="All its scopes from now on.")
    ] = None,
    max_ttl: TtlOption = None,
    etag: EtagOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Change its scopes, its longest life, or both."""
    from caracal_grpc.cli.errors import usage
    from caracal_grpc.v1.resource_pb2 import Resource

    if not scopes and max_ttl is None:
        raise usage("give what is to change: --scope, --max-ttl or both")
    target = resolve(profile, zone)
    wanted = Resource(name=name, scopes=scopes or [], max_ttl_seconds=max_ttl or 0, etag=etag)
    done = ask_object(target, "resource", "Update", zone=target.zone, resource=wanted)
    print_done(done, json, f"changed {name}", resource=name)


@resources.command("delete")
def delete_resource(
    name: NameArgument,
    etag: EtagOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Delete a resource that nothing refers to."""
    target = resolve(profile, zone)
    done = ask_object(target, "resource", "Delete", zone=target.zone, resource=name, etag=etag)
    print_done(done, json, f"deleted {name}", resource=name)

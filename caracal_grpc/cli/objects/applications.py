"""`application`: workloads that can authenticate."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.objects.calls import ask_object, issuer_of, list_objects
from caracal_grpc.cli.objects.options import (
    EtagOption,
    FilterOption,
    FolderOption,
    LimitOption,
    print_done,
    print_list,
    print_one,
)
from caracal_grpc.cli.terminal.bare import show_help
from caracal_grpc.cli.terminal.options import ceiling_part

applications = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Make applications, change and delete them, one by one.",
)

_COLUMNS = {"application": "name", "id": "id", "labels": "labels", "disabled": "disabled"}

NameArgument = Annotated[
    str, typer.Argument(metavar="APPLICATION", help="The application, by name or app_….")
]
LabelOption = Annotated[
    list[str] | None, typer.Option("--label", help="Label of its standing session; again for more.")
]
CeilingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--ceiling",
        metavar="RESOURCE=SCOPE,SCOPE",
        help="What it can ever reach; again for more resources. None: no bound but policy.",
    ),
]


@applications.command("list")
def list_applications(
    fitting: FilterOption = "",
    limit: LimitOption = 100,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List applications, in the order of their names."""
    target = resolve(profile, zone)
    found = list_objects(target, "application", limit, zone=target.zone, filter=fitting)
    print_list("application", found, _COLUMNS, json)


@applications.command("get")
def get_application(
    name: NameArgument,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show one application."""
    from caracal_grpc.cli.terminal.view import view

    target = resolve(profile, zone)
    found = ask_object(target, "application", "Get", zone=target.zone, application=name)
    print_one("application", view(found.application), json)


@applications.command("create")
def create_application(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A new name, a slug.")],
    labels: LabelOption = None,
    ceiling: CeilingOption = None,
    credentials: FolderOption = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Make an application; its profile is written to a file of mode 0600, ZONE-NAME.json."""
    from caracal_grpc.cli.profile.folder import Folder
    from caracal_grpc.cli.terminal.output import print_line

    target = resolve(profile, zone)
    folder = Folder((credentials or target.path.parent).absolute(), target.zone)
    folder.prepare([name])
    wanted = _application(name, labels or [], ceiling or [])
    made = ask_object(target, "application", "Create", zone=target.zone, application=wanted)
    file = folder.write(target, issuer_of(target), made.credential)
    shown = {"application": made.application.name, "id": made.application.id}
    print_done(made, json, f"made {made.application.id}", **shown, profile=str(file))
    if not json:
        print_line(f"profile of {name}: {file}")


@applications.command("update")
def update_application(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application's name.")],
    labels: LabelOption = None,
    ceiling: CeilingOption = None,
    etag: EtagOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Change its labels, its ceiling, or both; what is given takes the place of what it had."""
    from google.protobuf.field_mask_pb2 import FieldMask

    from caracal_grpc.cli.errors import usage

    target = resolve(profile, zone)
    paths = [path for path, given in (("labels", labels), ("ceiling", ceiling)) if given]
    if not paths:
        raise usage("give what is to change: --label, --ceiling or both")
    wanted = _application(name, labels or [], ceiling or [], etag)
    done = ask_object(
        target,
        "application",
        "Update",
        zone=target.zone,
        application=wanted,
        update_mask=FieldMask(paths=paths),
    )
    print_done(done, json, f"changed {name}", application=name)


@applications.command("delete")
def delete_application(
    name: NameArgument,
    etag: EtagOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Delete an application; everything that it holds is revoked at every edge."""
    target = resolve(profile, zone)
    done = ask_object(
        target, "application", "Delete", zone=target.zone, application=name, etag=etag
    )
    print_done(done, json, f"deleted {name}", application=name)


def _application(name: str, labels: list[str], ceiling: list[str], etag: str = "") -> Any:
    from caracal_grpc.v1.application_pb2 import Application, Ceiling

    parts = [Ceiling(resource=r, scopes=scopes) for r, scopes in map(ceiling_part, ceiling)]
    return Application(name=name, labels=labels, ceiling=parts, etag=etag)

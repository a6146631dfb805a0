"""`application`: workloads that can authenticate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.objects.calls import ask_object, issuer_of, list_objects
from caracal_grpc.cli.objects.identities import (
    AssertionOption,
    CertificateKeyOption,
    CertificateOption,
    ClientKeyOption,
    DnsOption,
    KeysOption,
    KubernetesOption,
    SpiffeOption,
    ThumbprintOption,
    files_of_proof,
    proven_by,
)
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


class Emptied(StrEnum):
    """What an application can be without."""

    LABELS = "labels"
    CEILING = "ceiling"
    IDENTITIES = "identities"
    JWKS = "jwks"


ClearOption = Annotated[
    list[Emptied] | None, typer.Option("--clear", help="What to take away whole; again for more.")
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
    spiffe_id: SpiffeOption = None,
    dns_name: DnsOption = None,
    thumbprint: ThumbprintOption = None,
    kubernetes: KubernetesOption = None,
    jwks: KeysOption = None,
    credentials: FolderOption = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Make an application; its profile is written to a file of mode 0600, ZONE-NAME.json.

    One that authenticates by what it is has no secret, and so no profile is written.
    """
    from caracal_grpc.cli.profile.folder import Folder
    from caracal_grpc.cli.terminal.output import print_line

    target = resolve(profile, zone)
    folder = Folder((credentials or target.path.parent).absolute(), target.zone)
    proven = proven_by(spiffe_id, dns_name, thumbprint, kubernetes, jwks)
    folder.prepare([] if proven else [name])
    wanted = _application(name, labels or [], ceiling or [], **proven)
    made = ask_object(target, "application", "Create", zone=target.zone, application=wanted)
    shown = {"application": made.application.name, "id": made.application.id}
    if made.HasField("credential"):
        shown["profile"] = str(folder.write(target, issuer_of(target), made.credential))
    print_done(made, json, f"made {made.application.id}", **shown)
    if "profile" in shown and not json:
        print_line(f"profile of {name}: {shown['profile']}")


@applications.command("update")
def update_application(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application's name.")],
    labels: LabelOption = None,
    ceiling: CeilingOption = None,
    spiffe_id: SpiffeOption = None,
    dns_name: DnsOption = None,
    thumbprint: ThumbprintOption = None,
    kubernetes: KubernetesOption = None,
    jwks: KeysOption = None,
    clear: ClearOption = None,
    etag: EtagOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Change its labels, its ceiling, or what it authenticates by.

    What is given takes the place of what it had, and so do all identities together.
    """
    from google.protobuf.field_mask_pb2 import FieldMask

    target = resolve(profile, zone)
    proven = proven_by(spiffe_id, dns_name, thumbprint, kubernetes, jwks)
    paths = _paths({"labels": labels, "ceiling": ceiling, **proven}, clear or [])
    wanted = _application(name, labels or [], ceiling or [], etag=etag, **proven)
    done = ask_object(
        target,
        "application",
        "Update",
        zone=target.zone,
        application=wanted,
        update_mask=FieldMask(paths=paths),
    )
    print_done(done, json, f"changed {name}", application=name)


@applications.command("profile")
def write_profile(
    name: NameArgument,
    assertion_file: AssertionOption = None,
    client_key_file: ClientKeyOption = None,
    cert_file: CertificateOption = None,
    key_file: CertificateKeyOption = None,
    folder: FolderOption = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Write the profile of an application that has no secret, ZONE-NAME.json.

    Its files are named as the application will find them; a path that is not absolute begins at the
    profile.
    """
    from caracal_grpc.cli.profile.folder import Folder
    from caracal_grpc.cli.terminal.output import print_json, print_line

    target = resolve(profile, zone)
    where = Folder((folder or target.path.parent).absolute(), target.zone)
    given = files_of_proof(assertion_file, client_key_file, cert_file, key_file)
    found = ask_object(target, "application", "Get", zone=target.zone, application=name)
    file = where.describe(target, issuer_of(target), found.application, **given)
    if json:
        print_json({"application": found.application.name, "profile": str(file)})
    else:
        print_line(f"profile of {found.application.name}: {file}")


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


def _paths(given: Mapping[str, Any], cleared: Sequence[str]) -> list[str]:
    """The fields that change: those that are given, and those that are taken away."""
    from caracal_grpc.cli.errors import usage

    paths = [path for path, value in given.items() if value]
    both = next((path for path in cleared if path in paths), None)
    if both:
        raise usage(f"--clear {both} cannot go with what takes its place; leave one out")
    if not paths and not cleared:
        text = "--label, --ceiling, what it authenticates by, or --clear"
        raise usage(f"give what is to change: {text}")
    return [*paths, *map(str, dict.fromkeys(cleared))]


def _application(name: str, labels: list[str], ceiling: list[str], **more: Any) -> Any:
    from caracal_grpc.v1.application_pb2 import Application, Ceiling

    parts = [Ceiling(resource=r, scopes=scopes) for r, scopes in map(ceiling_part, ceiling)]
    return Application(name=name, labels=labels, ceiling=parts, **more)

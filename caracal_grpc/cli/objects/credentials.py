"""`credential`: the secrets that applications authenticate with; none of them is ever printed."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.objects.calls import ask_object, issuer_of, list_objects
from caracal_grpc.cli.objects.options import FolderOption, LimitOption, print_done, print_list
from caracal_grpc.cli.terminal.bare import show_help

credentials = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Make secrets of applications, and end them; what they obtained lives on.",
)

_COLUMNS = {
    "credential": "id",
    "application": "application_id",
    "made": "create_time",
    "ends": "expire_time",
}


@credentials.command("list")
def list_credentials(
    application: Annotated[
        str, typer.Option(help="Only those of this application, by name or app_….")
    ] = "",
    limit: LimitOption = 100,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List what is known of secrets, oldest first."""
    target = resolve(profile, zone)
    found = list_objects(target, "credential", limit, zone=target.zone, application=application)
    print_list("credential", found, _COLUMNS, json)


@credentials.command("create")
def create_credential(
    application: Annotated[str, typer.Option(help="The application, by its name.")],
    ttl: Annotated[
        str, typer.Option(metavar="LIFE", help="How long it lives, such as 90d. Default: for good.")
    ] = "",
    expire_others: Annotated[
        str,
        typer.Option(metavar="LIFE", help="How long its other secrets still live, such as 1h."),
    ] = "",
    folder: FolderOption = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Make a secret and put it into the application's profile, ZONE-APPLICATION.json.

    The file is replaced in one step: who reads it has the secret from before, or this one. Both
    work until the other one ends.
    """
    from caracal_grpc.cli.profile.folder import Folder
    from caracal_grpc.core.ids import require_slug

    target = resolve(profile, zone)
    where = Folder((folder or target.path.parent).absolute(), target.zone)
    issuer = issuer_of(target)
    where.require_own(require_slug("application", application), issuer)
    lives = {"ttl": ttl, "expire_others": expire_others}
    asked = {name: _life(name, text) for name, text in lives.items() if text}
    made = ask_object(
        target, "credential", "Create", zone=target.zone, application=application, **asked
    )
    file = where.replace(target, issuer, made.credential)
    said = f"made {made.info.id}, in {file},"
    print_done(made, json, said, credential=made.info.id, profile=str(file))


@credentials.command("delete")
def delete_credential(
    credential: Annotated[str, typer.Argument(metavar="CREDENTIAL", help="The secret, crd_….")],
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """End a secret: no mandate is obtained with it any more."""
    target = resolve(profile, zone)
    done = ask_object(target, "credential", "Delete", zone=target.zone, id=credential)
    print_done(done, json, f"deleted {credential}", credential=credential)


def _life(option: str, text: str) -> Any:
    from google.protobuf.duration_pb2 import Duration

    from caracal_grpc.cli.terminal.options import life

    return Duration(seconds=life(f"--{option.replace('_', '-')}", text))

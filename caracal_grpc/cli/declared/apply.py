"""`apply`: brings zones to the state that manifests declare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.declared.plan import plan
from caracal_grpc.cli.declared.zones import FileOption, PruneOption, compared, each_zone, manifests
from caracal_grpc.cli.errors import ExitCode

if TYPE_CHECKING:
    from caracal_grpc.cli.manifest import Manifest
    from caracal_grpc.cli.profile.folder import Folder


def apply(
    file: FileOption,
    prune: PruneOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as plan.")] = False,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="Folder for profiles of new applications. Default: that of the profile in use."
        ),
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> int:
    """Show what would change, then change it. What is not declared stays, unless --prune is given.

    It changes exactly what it has shown: nothing when the zone was changed by others meanwhile.
    Several zones are changed one after the other; one that fails keeps no other from its turn.
    A new application's profile is written to a file of mode 0600, ZONE-APPLICATION.json.
    """
    from caracal_grpc.cli.connection import run
    from caracal_grpc.cli.profile.folder import Folder

    if dry_run:
        return plan(file, prune=prune, profile=profile, zone=zone, json=json)

    def work(manifest: Manifest) -> ExitCode:
        target = resolve(profile, manifest.zone)
        folder = Folder((credentials or target.path.parent).absolute(), target.zone)
        run(target, _apply(target, manifest, folder, prune=prune, as_json=json))
        return ExitCode.OK

    return each_zone(manifests(file, zone), "applied", work)


async def _apply(
    target: Target, manifest: Manifest, folder: Folder, *, prune: bool, as_json: bool
) -> None:
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.cli.declared.changes import print_answer, show
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1.zone_service_pb2_grpc import ZoneServiceStub

    async with connected(target) as channel:
        stub: Any = ZoneServiceStub(channel)
        planned = await compared(stub, manifest, prune=prune)
        if not as_json:
            show(target.zone, view(planned))
        done, written = planned, []
        if planned.changes:
            folder.prepare(_made(view(planned)["changes"]))
            done = await compared(
                stub, manifest, prune=prune, dry_run=False, expected=planned.revision
            )
            written = [
                (each.application_name, folder.write(target, done.issuer, each))
                for each in done.credentials
            ]
    applied = bool(done.audit_id)
    if as_json:
        print_answer(target.zone, view(done), written, applied=applied)
    elif applied:
        _print_done(done, written)


def _made(changes: list[dict[str, Any]]) -> list[str]:
    """The names of the applications that the changes make."""
    return [
        each["name"]
        for each in changes
        if each["kind"] == "application" and each["action"] == "create"
    ]


def _print_done(done: Any, written: list[tuple[str, Path]]) -> None:
    from caracal_grpc.cli.terminal.output import print_line

    print_line(f"applied at revision {done.revision}, recorded as {done.audit_id}")
    for name, file in written:
        print_line(f"profile of {name}: {file}")

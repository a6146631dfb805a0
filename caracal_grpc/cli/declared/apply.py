"""`apply`: brings zones to the state that manifests declare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, resolve
from caracal_grpc.cli.declared.plan import plan
from caracal_grpc.cli.declared.zones import (
    FileOption,
    OnlyOption,
    PruneOption,
    each_zone,
    manifests,
)
from caracal_grpc.cli.errors import ExitCode

if TYPE_CHECKING:
    from caracal_grpc.cli.manifest import Manifest


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
    zone: OnlyOption = None,
    json: JsonOption = False,
) -> int:
    """Show what would change, then change it. What is not declared stays, unless --prune is given.

    It changes exactly what it has shown: nothing when the zone was changed by others meanwhile.
    Several zones are changed one after the other; one that fails keeps no other from its turn.
    A new application's profile is written to a file of mode 0600, ZONE-APPLICATION.json; not that
    of one that authenticates by what it is, since it has no secret.
    """
    from caracal_grpc.cli.declared.applied import apply_zone
    from caracal_grpc.cli.declared.changes import print_answer, show
    from caracal_grpc.cli.profile.folder import Folder
    from caracal_grpc.cli.terminal.view import view

    if dry_run:
        return plan(file, prune=prune, profile=profile, zone=zone, json=json)

    def work(manifest: Manifest) -> ExitCode:
        target = resolve(profile, manifest.zone)
        folder = Folder((credentials or target.path.parent).absolute(), target.zone)

        def shown(planned: Any) -> None:
            if not json:
                show(target.zone, view(planned))

        done = apply_zone(target, manifest, folder, prune=prune, show=shown)
        written = folder.write_all(target, done.issuer, done.credentials)
        if json:
            print_answer(target.zone, view(done), written, applied=bool(done.audit_id))
        elif done.audit_id:
            _print_done(done, written)
        return ExitCode.OK

    return each_zone(manifests(file, zone), "applied", work)


def _print_done(done: Any, written: list[tuple[str, Path]]) -> None:
    from caracal_grpc.cli.declared.applied import made
    from caracal_grpc.cli.terminal.output import print_line

    print_line(f"applied at revision {done.revision}, recorded as {done.audit_id}")
    for name, file in written:
        print_line(f"profile of {name}: {file}")
    for name in sorted(made(done).difference(name for name, _ in written)):
        print_line(f"{name} has no secret; application profile {name} writes its profile")

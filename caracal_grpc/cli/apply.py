"""`apply`: brings a zone to the state that a manifest declares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.core.reason import Reason

if TYPE_CHECKING:
    from caracal_grpc.cli.credentials import Folder
    from caracal_grpc.cli.manifest import Manifest

_SIGNS: Final = {"create": "+", "update": "~", "delete": "-"}


def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="The manifest, zone.yaml.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show, and change nothing.")] = False,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="Folder for profiles of new applications. Default: that of the profile in use."
        ),
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show what would change, then change it. What the manifest does not name is removed.

    It changes exactly what it has shown: nothing when the zone was changed by others meanwhile.
    A new application's profile is written to a file of mode 0600, ZONE-APPLICATION.json.
    """
    from caracal_grpc.cli.connection import run
    from caracal_grpc.cli.credentials import Folder
    from caracal_grpc.cli.manifest import Manifest

    manifest = Manifest.read(file)
    _require_zone(manifest, zone)
    target = resolve(profile, manifest.shape.zone)
    folder = Folder((credentials or target.path.parent).absolute(), target.zone)
    run(target, _apply(target, manifest, folder, dry_run, json))


async def _apply(
    target: Target, manifest: Manifest, folder: Folder, dry_run: bool, as_json: bool
) -> None:
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.cli.view import view
    from caracal_grpc.v1.zone_service_pb2_grpc import ZoneServiceStub

    async with connected(target) as channel:
        stub: Any = ZoneServiceStub(channel)
        planned = await _call(stub, manifest, dry_run=True)
        changes = view(planned)["changes"]
        if not as_json:
            _show(target.zone, changes)
        done, written = planned, []
        if changes and not dry_run:
            folder.prepare(_made(changes))
            done = await _call(stub, manifest, dry_run=False, expected=planned.revision)
            written = [
                (each.application_name, folder.write(target, done.issuer, each))
                for each in done.credentials
            ]
    applied = bool(done.audit_id)
    if as_json:
        _print_json(target.zone, done, written, applied)
    elif applied:
        _print_done(done, written)


async def _call(stub: Any, manifest: Manifest, *, dry_run: bool, expected: int = 0) -> Any:
    """The answer to an apply of a zone that is still as it was at the revision `expected`."""
    import grpc

    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.cli.violations import located
    from caracal_grpc.interceptors.status import from_rpc_error
    from caracal_grpc.v1.zone_service_pb2 import ZoneServiceApplyRequest

    request = ZoneServiceApplyRequest(
        zone=manifest.message(), dry_run=dry_run, expected_revision=expected
    )
    try:
        return await stub.Apply(request, timeout=CALL_TIMEOUT)
    except grpc.RpcError as error:
        refusal = from_rpc_error(error)
        if refusal is not None and refusal.reason is Reason.CONFLICT:
            text = f"zone {manifest.shape.zone} was changed meanwhile; run it again"
            raise CliError(ExitCode.STATE, f"{text} ({refusal.reason})") from error
        if refusal is None or not refusal.violations:
            raise
        raise located(manifest, refusal) from error


def _require_zone(manifest: Manifest, zone: str | None) -> None:
    from caracal_grpc.cli.yaml_lines import Problem

    declared = manifest.shape.zone
    if zone is not None and zone != declared:
        text = f"the manifest is of zone {declared}, and --zone says {zone}"
        raise manifest.document.refused([Problem(("zone",), text)])


def _made(changes: list[dict[str, Any]]) -> list[str]:
    """The names of the applications that the changes make."""
    return [
        each["name"]
        for each in changes
        if each["kind"] == "application" and each["action"] == "create"
    ]


def _show(zone: str, changes: list[dict[str, Any]]) -> None:
    from caracal_grpc.cli.output import print_line, print_table

    if not changes:
        print_line(f"nothing to change in zone {zone}")
        return
    rows = (
        (_SIGNS[each["action"]], each["action"], each["kind"], each["name"], each["fields"])
        for each in changes
    )
    print_table(("", "change", "kind", "name", "fields"), rows, "")


def _print_done(done: Any, written: list[tuple[str, Path]]) -> None:
    from caracal_grpc.cli.output import print_line

    print_line(f"applied at revision {done.revision}, recorded as {done.audit_id}")
    for name, file in written:
        print_line(f"profile of {name}: {file}")


def _print_json(zone: str, done: Any, written: list[tuple[str, Path]], applied: bool) -> None:
    from caracal_grpc.cli.output import print_json
    from caracal_grpc.cli.view import view

    facts = {name: value for name, value in view(done).items() if name != "credentials"}
    profiles = [{"application": name, "profile": str(file)} for name, file in written]
    print_json({"zone": zone, "applied": applied, **facts, "credentials": profiles})

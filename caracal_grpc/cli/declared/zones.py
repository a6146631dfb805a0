"""What `plan`, `apply` and `diff` share: manifests, zone after zone, and the call that compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.errors import CliError, ExitCode, of_refusal, usage
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

if TYPE_CHECKING:
    from caracal_grpc.cli.manifest import Manifest

FileOption = Annotated[
    Path,
    typer.Option(
        "--file",
        "-f",
        help="A manifest, or a folder of them: every .yaml and .yml below it; - reads stdin.",
    ),
]
PruneOption = Annotated[
    bool, typer.Option("--prune", help="Remove what the zone has and the manifest does not name.")
]
OnlyOption = Annotated[
    str | None,
    typer.Option(
        "--zone", help="Only this one. Default: all that are declared.", show_default=False
    ),
]
ExitCodeOption = Annotated[
    bool, typer.Option("--exit-code", help="End with 6 when there is something to change.")
]

_NOBODY_SEES: Final = frozenset({ExitCode.OUTPUT, ExitCode.BROKEN_PIPE})


def manifests(path: Path, zone: str | None) -> list[Manifest]:
    """The zones that are declared at `path`, or the one named; raises `CliError`."""
    from caracal_grpc.cli.manifest import Manifest
    from caracal_grpc.cli.manifest.yaml_lines import Problem

    found = Manifest.read_all(path)
    named = [each for each in found if zone in (None, each.zone)]
    if named:
        return named
    if len(found) == 1:
        text = f"the manifest is of zone {found[0].zone}, and --zone says {zone}"
        raise found[0].refused([Problem(("zone",), text)])
    raise usage(f"no manifest in {path} is of zone {zone}")


def each_zone(
    declared: Sequence[Manifest], done: str, work: Callable[[Manifest], ExitCode]
) -> ExitCode:
    """The worst that `work` answers, zone after zone; one that fails keeps no other from its turn.

    What failed is raised in the end, with which zones are `done`. Once stdout cannot be written
    none has its turn any more, for nobody would see what is changed.
    """
    if len(declared) == 1:
        return work(declared[0])
    codes: dict[str, ExitCode] = {}
    failed: dict[str, CliError] = {}
    for manifest in declared:
        try:
            codes[manifest.zone] = work(manifest)
        except CliError as error:
            if error.code in _NOBODY_SEES:
                raise
            failed[manifest.zone] = error
        except CaracalError as error:
            failed[manifest.zone] = of_refusal(error)
    if failed:
        raise _partly(done, list(codes), failed)
    return max(codes.values())


def _partly(done: str, zones: Sequence[str], failed: dict[str, CliError]) -> CliError:
    lines = [f"zone {zone}: {line}" for zone, error in failed.items() for line in error.lines]
    summary = f"{done}: {', '.join(zones) or 'none'}; failed: {', '.join(failed)}"
    return CliError(next(iter(failed.values())).code, *lines, summary)


async def compared(
    stub: Any, manifest: Manifest, *, prune: bool, dry_run: bool = True, expected: int = 0
) -> Any:
    """The answer to an apply of a zone that is still as it was at the revision `expected`."""
    import grpc

    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.cli.violations import located
    from caracal_grpc.interceptors.status import from_rpc_error
    from caracal_grpc.v1.zone_service_pb2 import ZoneServiceApplyRequest

    request = ZoneServiceApplyRequest(
        zone=manifest.message(), dry_run=dry_run, expected_revision=expected, prune=prune
    )
    try:
        return await stub.Apply(request, timeout=CALL_TIMEOUT)
    except grpc.RpcError as error:
        refusal = from_rpc_error(error)
        if refusal is not None and refusal.reason is Reason.CONFLICT:
            text = f"zone {manifest.zone} was changed meanwhile; run it again"
            raise CliError(ExitCode.STATE, f"{text} ({refusal.reason})") from error
        if refusal is None or not refusal.violations:
            raise
        raise located(manifest, refusal) from error

"""`diff`: what an apply would change, as text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, resolve
from caracal_grpc.cli.declared.zones import (
    FileOption,
    OnlyOption,
    PruneOption,
    compared,
    each_zone,
    manifests,
)
from caracal_grpc.cli.errors import ExitCode

if TYPE_CHECKING:
    from caracal_grpc.cli.manifest import Manifest

_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


def diff(
    file: FileOption,
    prune: PruneOption = False,
    profile: ProfileOption = None,
    zone: OnlyOption = None,
    json: JsonOption = False,
) -> int:
    """Show what apply would change as a unified diff; end with 6 when there is any."""
    from caracal_grpc.cli.connection import run
    from caracal_grpc.cli.terminal.output import print_json

    def work(manifest: Manifest) -> ExitCode:
        target = resolve(profile, manifest.zone)
        lines = run(target, _differing(target, manifest, prune=prune))
        if json:
            print_json({"zone": target.zone, "diff": lines})
        else:
            _show(lines)
        return ExitCode.FOUND if lines else ExitCode.OK

    return each_zone(manifests(file, zone), "compared", work)


async def _differing(target: Target, manifest: Manifest, *, prune: bool) -> list[str]:
    from caracal_grpc.cli.connection import CALL_TIMEOUT, connected
    from caracal_grpc.cli.manifest.layout import files_of_zone
    from caracal_grpc.cli.manifest.outcome import outcome
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.v1 import zone_pb2
    from caracal_grpc.v1.zone_service_pb2 import ZoneServiceGetRequest
    from caracal_grpc.v1.zone_service_pb2_grpc import ZoneServiceStub

    async with connected(target) as channel:
        stub: Any = ZoneServiceStub(channel)
        planned = view(await compared(stub, manifest, prune=prune))
        present = zone_pb2.Zone()
        if not _is_new(planned["changes"]):
            request = ZoneServiceGetRequest(zone=target.zone)
            present = (await stub.Get(request, timeout=CALL_TIMEOUT)).zone
    after = outcome(present, manifest.message(), prune=prune)
    before = files_of_zone(present) if present.name else {}
    return list(_unified(target.zone, before, files_of_zone(after)))


def _is_new(changes: list[dict[str, Any]]) -> bool:
    return any((each["kind"], each["action"]) == ("zone", "create") for each in changes)


def _unified(zone: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """The lines of a unified diff, file by file."""
    from difflib import unified_diff

    for name in sorted({*before, *after}):
        texts = (before.get(name), after.get(name))
        there, wanted = (f"{zone}/{name}" if text is not None else "/dev/null" for text in texts)
        old, new = ((text or "").splitlines() for text in texts)
        yield from unified_diff(old, new, there, wanted, "present", "declared", lineterm="")


def _show(lines: list[str]) -> None:
    """In colour on a terminal; as it is, tabs and all, for who reads a pipe."""
    from rich.text import Text

    from caracal_grpc.cli.terminal.output import console, plain

    if not sys.stdout.isatty():
        for line in lines:
            print("\t".join(map(plain, line.split("\t"))), flush=True)
        return
    place = console()
    for line in lines:
        style = "bold" if line.startswith(("+++ ", "--- ")) else _COLOURS.get(line[:1], "")
        place.print(Text(plain(line.expandtabs(8)), style=style), soft_wrap=True)

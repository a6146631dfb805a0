"""`plan`: shows what an apply would change, and what is not declared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, resolve
from caracal_grpc.cli.declared.zones import (
    ExitCodeOption,
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


def plan(
    file: FileOption,
    prune: PruneOption = False,
    exit_code: ExitCodeOption = False,
    profile: ProfileOption = None,
    zone: OnlyOption = None,
    json: JsonOption = False,
) -> int:
    """Show what apply would change, and what is not declared. Writes nothing."""
    from caracal_grpc.cli.connection import run

    def work(manifest: Manifest) -> ExitCode:
        target = resolve(profile, manifest.zone)
        answer = run(target, planned(target, manifest, prune=prune))
        show_plan(target, answer, as_json=json)
        return ExitCode.FOUND if exit_code and answer.changes else ExitCode.OK

    return each_zone(manifests(file, zone), "planned", work)


async def planned(target: Target, manifest: Manifest, *, prune: bool) -> Any:
    """What an apply would answer."""
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.v1.zone_service_pb2_grpc import ZoneServiceStub

    async with connected(target) as channel:
        return await compared(ZoneServiceStub(channel), manifest, prune=prune)


def show_plan(target: Target, answer: Any, *, as_json: bool) -> None:
    """Shows it for people or for programs."""
    from caracal_grpc.cli.declared.changes import print_answer, show
    from caracal_grpc.cli.terminal.view import view

    if as_json:
        print_answer(target.zone, view(answer), [], applied=False)
    else:
        show(target.zone, view(answer))

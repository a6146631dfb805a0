"""An apply as `apply` and `init` do it: compared, shown, and changed exactly so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from caracal_grpc.cli.connection import connected, run
from caracal_grpc.cli.context import Target
from caracal_grpc.cli.declared.zones import compared
from caracal_grpc.cli.manifest import Manifest
from caracal_grpc.cli.profile.folder import Folder
from caracal_grpc.v1 import zone_pb2
from caracal_grpc.v1.zone_service_pb2 import ZoneServiceApplyResponse as Answer


def apply_zone(
    target: Target,
    manifest: Manifest,
    folder: Folder,
    *,
    prune: bool = False,
    show: Callable[[Answer], None] = lambda _: None,
) -> Answer:
    """Changes exactly what `show` has shown; raises `CliError`, when others changed it, too.

    The secrets in the answer are nowhere else: they are to be written to `folder`, which was found
    to take them. Without changes it is the answer to the plan, whose `audit_id` is empty.
    """
    return run(target, _apply(target, manifest, folder, prune, show))


async def _apply(
    target: Target, manifest: Manifest, folder: Folder, prune: bool, show: Callable[[Answer], None]
) -> Answer:
    from caracal_grpc.v1.zone_service_pb2_grpc import ZoneServiceStub

    async with connected(target) as channel:
        stub: Any = ZoneServiceStub(channel)
        planned: Answer = await compared(stub, manifest, prune=prune)
        show(planned)
        if not planned.changes:
            return planned
        folder.prepare(made(planned) - _workloads(manifest))
        expected = planned.revision
        done: Answer = await compared(stub, manifest, prune=prune, dry_run=False, expected=expected)
        return done


def made(answer: Answer) -> set[str]:
    """The names of the applications that the changes make."""
    new = ("application", zone_pb2.CHANGE_ACTION_CREATE)
    return {each.name for each in answer.changes if (each.kind, each.action) == new}


def _workloads(manifest: Manifest) -> set[str]:
    """The names of the applications that are made without a secret."""
    declared = manifest.shape.applications
    return {each.name for each in declared if each.identities or each.jwks}

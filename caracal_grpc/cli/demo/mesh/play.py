"""What is shown of the mesh: the flows of the demo, of which three are another story there."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

from caracal_grpc.cli.demo.allowed import success
from caracal_grpc.cli.demo.delegated import delegated
from caracal_grpc.cli.demo.denied import denied
from caracal_grpc.cli.demo.flow import Answer, Flow
from caracal_grpc.cli.demo.mesh.gateway import gateway, through
from caracal_grpc.cli.demo.mesh.revoked import revoked
from caracal_grpc.cli.demo.mesh.services import CRM, meshed
from caracal_grpc.cli.demo.rotated import rotated
from caracal_grpc.cli.demo.stage import Stage, staged
from caracal_grpc.cli.demo.step_up import Matter, released


def staged_mesh(folder: Path) -> AbstractAsyncContextManager[Stage]:
    """The stage, with its services behind Envoys."""
    return staged(folder, "mesh", meshed)


async def step_up(stage: Stage, flow: Flow) -> None:
    """The clerk may delete a contact of the CRM once the manager has approved it."""

    async def delete(mandate: str) -> Answer:
        return (await through(stage, "DELETE", mandate)).answer()

    await released(stage, flow, Matter("deletion", CRM, "crm:delete", delete))


FLOWS: Final = (success, denied, gateway, step_up, delegated, revoked, rotated)

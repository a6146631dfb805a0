"""What becomes of a question that was accepted when the mesh process is told to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationStub

from tests.interceptors.support import Echo, FakeAuthority, profile, serving
from tests.mesh.desk import allowed
from tests.mesh.swapping import CHARGE, OURS, THEIRS, outgoing
from tests.support.authority import eventually
from tests.support.gated import Gate
from tests.support.mesh import MeshProcess, mesh_process, write_mesh

OUTBOUND: dict[str, Any] = {
    "serves": [OURS],
    "methods": {CHARGE: {"resource": THEIRS, "scopes": ["payments:charge"]}},
    "upstreams": {
        "payments": {"hosts": ["payments.test"], "resources": [THEIRS], "on_behalf": "never"}
    },
}


@dataclass
class Deliberating(FakeAuthority):
    """Answers for mandates for payments when the test says so."""

    gate: Gate = field(default_factory=Gate)

    async def Exchange(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the rpc
        """Waits at the gate."""
        if request.resource == THEIRS:
            await self.gate.passed()
        return await super().Exchange(request, context)


@dataclass
class Asked:
    """A mesh process that was asked, and waits for its authority."""

    mesh: MeshProcess
    authority: Deliberating
    question: Any

    async def told_to_end(self) -> asyncio.Task[int]:
        """Its exit code to come, once it has heard that it is to end."""
        ending = asyncio.create_task(self.mesh.end())
        socket = Path(self.mesh.address.removeprefix("unix:"))

        async def deaf() -> bool:
            return not socket.exists()

        await eventually(deaf)
        return ending


@asynccontextmanager
async def asked(folder: Path, drain_seconds: int) -> AsyncIterator[Asked]:
    """A question in flight."""
    authority = Deliberating(now=int(time.time()))
    authority.gate.shut()
    async with serving(authority, Echo()) as address:
        settings = {"outbound": OUTBOUND, "drain_seconds": drain_seconds}
        file = write_mesh(folder / "mesh", profile(address), **settings)
        async with (
            mesh_process(file) as mesh,
            grpc.aio.insecure_channel(mesh.address) as channel,
        ):
            await mesh.judges()
            question = AuthorizationStub(channel).Check(outgoing(), timeout=60)
            await authority.gate.reached(1)
            yield Asked(mesh, authority, question)
            authority.gate.open()


async def test_what_was_accepted_is_answered(tmp_path: Path) -> None:
    """SIGTERM ends it only once the question in flight has its answer."""
    async with asked(tmp_path, drain_seconds=60) as made:
        ending = await made.told_to_end()
        assert not ending.done()
        made.authority.gate.open()
        assert allowed(await made.question)
        assert await ending == 0


async def test_nobody_is_waited_for_any_longer(tmp_path: Path) -> None:
    """Than `drain_seconds`; what has no answer by then fails, and lets nothing through."""
    async with asked(tmp_path, drain_seconds=0) as made:
        assert await made.mesh.end() == 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await made.question
        assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        assert "Traceback" not in made.mesh.log

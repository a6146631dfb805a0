"""What changes while an assertion is being judged: what was good before proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.authority.workloads.mesh import DOMAIN, WEB, Mesh, keys
from tests.support.foreign import ForeignSigner

Change = Callable[[Mesh], Awaitable[object]]


class Paused:
    """A part whose call `name` ends only when it may, and then with the answer of before."""

    def __init__(self, part: Any, name: str) -> None:
        self._part, self._name = part, name
        self.came, self.go = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._pausing(found) if name == self._name else found

    def _pausing(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def paused(*asked: Any, **more: Any) -> Any:
            answer = await call(*asked, **more)
            self.came.set()
            await self.go.wait()
            return answer

        return paused


async def with_changes(mesh: Mesh, name: str, **changes: Any) -> None:
    """Declares the zone with one application changed."""
    zone = mesh.zone()
    zone["applications"] = [
        {"name": name, **changes} if each["name"] == name else each for each in zone["applications"]
    ]
    await mesh.rig.apply(zone)


async def other_key(mesh: Mesh) -> None:
    """Takes the application's key away."""
    await with_changes(mesh, "signer", jwks=keys(ForeignSigner.generate("ES256", "fresh")))


async def other_identity(mesh: Mesh) -> None:
    """Makes the application somebody else."""
    await with_changes(mesh, "web", identities=[{"spiffe_id": f"{WEB}-2"}])


async def other_issuer(mesh: Mesh) -> None:
    """Puts another trust domain in the place of the one of that name, under other keys."""
    zone, eve = mesh.zone(), ForeignSigner.generate("ES256", "svid")
    zone["workload_issuers"][0] = {"name": "mesh", "issuer": DOMAIN, "jwks": keys(eve)}
    await mesh.rig.apply(zone)


async def no_issuer(mesh: Mesh) -> None:
    """Trusts the domain no more."""
    zone = mesh.zone()
    del zone["workload_issuers"][0]
    await mesh.rig.apply(zone)


def revoked(name: str) -> Change:
    """Revokes the application."""

    async def revoke(mesh: Mesh) -> None:
        await mesh.rig.authority.revocations.revoke(
            mesh.rig.operator, "shop", mesh.application(name), "bad"
        )

    return revoke


async def judged(mesh: Mesh, paused: Paused, change: Change, name: str, assertion: str) -> str:
    """Why the assertion is refused when the change comes in the midst of it."""
    task = asyncio.create_task(mesh.cause(name, assertion=assertion))
    await paused.came.wait()
    await change(mesh)
    paused.go.set()
    return await task


@pytest.mark.parametrize("change", [other_key, revoked("signer")])
async def test_while_an_assertion_is_counted(mesh: Mesh, change: Change) -> None:
    """Whoever may no more is refused, though the assertion was good when it came."""
    once = mesh.rig.authority.clients._workloads._once
    paused = Paused(once._store, "create")
    once._store = paused  # type: ignore[assignment]
    assert await judged(mesh, paused, change, "signer", mesh.own_assertion()) == ""


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (other_issuer, "ISSUER_MISMATCH"),
        (no_issuer, "ISSUER_MISMATCH"),
        (other_identity, ""),
        (revoked("web"), ""),
    ],
)
async def test_while_an_issuer_is_asked(mesh: Mesh, change: Change, cause: str) -> None:
    """The keys were those of then; what they prove is held against what is declared now."""
    workloads = mesh.rig.authority.clients._workloads
    paused = Paused(workloads._issuers, "signed")
    workloads._issuers = paused  # type: ignore[assignment]
    assert await judged(mesh, paused, change, "web", mesh.svid()) == cause

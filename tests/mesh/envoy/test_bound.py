"""Mandates bound to certificates, from the caller by both ways of a workload to a guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import connect
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from tests.mesh.envoy.test_mutual import behind, bound, channel_to, showing
from tests.mesh.envoy.ways import CHARGE, Leaving, both_ways, leaving
from tests.support.authority import Starter, bearer, reason_of
from tests.support.etcd_tls import CertificateAuthority
from tests.support.mesh import PLACE, PlainService
from tests.support.mutual import Mutual, bound_to, claims, start_mutual, thumbprint
from tests.support.shop import PAYMENTS
from tests.support.tls import TlsFiles, write_tls


@dataclass
class Stage:
    """An agent, the workload `orders` that it calls, and the guarded payments that this calls."""

    at: Mutual
    agent: Profile
    orders: Profile
    leaving: Leaving
    payments: PlainService

    async def call(self, address: str, profile: Profile, token: str) -> bytes:
        """A call over mutual TLS, with the certificate of the profile."""
        async with channel_to(address, profile, self.at.roots) as channel:
            call = channel.unary_unary(PLACE)(b"tea", metadata=bearer(token), timeout=60)
            answer: bytes = await call
            return answer

    async def come_in(self, token: str) -> bytes:
        """A call of the agent to the workload."""
        return await self.call(self.leaving.envoy.address("inbound"), self.agent, token)


@asynccontextmanager
async def guarded_payments(at: Mutual) -> AsyncIterator[PlainService]:
    """A service with our guard, over mutual TLS."""
    service, rules = PlainService(), Rules.from_mapping({PLACE: CHARGE})
    async with connect(at.profile("payments", "payments"), rules=rules) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        server.add_generic_rpc_handlers((service.handlers(),))
        port = server.add_secure_port("127.0.0.1:0", at.server(mutual=True))
        service.address = f"127.0.0.1:{port}"
        await edge.ready()
        await server.start()
        try:
            yield service
        finally:
            await server.stop(None)


@pytest.fixture
async def stage(
    start_authority: Starter, etcd_ca: CertificateAuthority, tmp_path: Path
) -> AsyncIterator[Stage]:
    """Everything over mutual TLS, but for the way to and from the proxy of the workload itself."""
    async with AsyncExitStack() as closing:
        at = await start_mutual(start_authority, tmp_path, etcd_ca, closing)
        payments = await closing.enter_async_context(guarded_payments(at))
        orders = at.profile("orders", "orders")
        configuration = both_ways()
        behind(configuration, write_tls(tmp_path, etcd_ca, "envoy"))
        showing(configuration, "payments_grpc", _files_of(tmp_path, orders))
        out = leaving(tmp_path, orders, payments=payments.address, configuration=configuration)
        made = await closing.enter_async_context(out)
        yield Stage(at, at.profile("agent", "agent"), orders, made, payments)


def _files_of(folder: Path, profile: Profile) -> TlsFiles:
    assert profile.cert_file is not None
    assert profile.key_file is not None
    return TlsFiles(folder / "ca.pem", Path(profile.cert_file), Path(profile.key_file))


async def test_a_bound_mandate_is_swapped_for_one_of_the_workload(stage: Stage) -> None:
    """It goes on behalf of the agent, is bound to what the proxy of the workload shows, and the
    guard lets nobody else in with it.
    """
    token = await bound(stage.at, stage.agent)
    assert bound_to(token) == thumbprint(stage.agent)
    assert await stage.come_in(token) == b"tea"
    (handed_on,) = stage.leaving.service.seen[-1].all("authorization")
    assert handed_on == f"Bearer {token}"
    assert await stage.leaving.call(token) == b"tea"
    (said,) = stage.payments.seen[-1].all("authorization")
    swapped = str(said).removeprefix("Bearer ")
    assert bound_to(swapped) == thumbprint(stage.orders)
    assert claims(swapped)["sub"] == claims(token)["sub"]
    assert claims(swapped)["aud"] == [PAYMENTS]
    stolen = stage.call(stage.payments.address, stage.agent, swapped)
    assert await reason_of(stolen) is Reason.BINDING_MISMATCH


async def test_a_bound_mandate_that_did_not_come_in_goes_nowhere(stage: Stage) -> None:
    """Whoever has the token only has not shown the certificate to the proxy of the workload."""
    stolen = await bound(stage.at, stage.agent)
    assert await reason_of(stage.leaving.call(stolen)) is Reason.BINDING_MISMATCH
    assert stage.payments.seen == []

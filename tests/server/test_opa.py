"""An authority whose engine is a remote OPA server, from the setting to the mandate.

The server is one of recorded exchanges; `tests/policy/test_opa.py` says where a real one is asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from tests.policy.opa_server import SOURCE, Recorded
from tests.support.authority import Running, Starter, reason_of
from tests.support.shop import CARACAL, PAYMENTS, shop


@pytest.fixture
async def opa() -> AsyncIterator[Recorded]:
    """The server."""
    server = Recorded()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def remote(start_authority: Starter, opa: Recorded) -> Running:
    """An authority that asks it, with a policy of its own in the zone `shop`."""
    running = await start_authority(policy_engine="opa", opa_url=opa.url, policy_timeout_ms=2_000)
    modules = [{"name": "said.rego", "source": SOURCE}]
    applied = await running.apply(shop(policy={"modules": modules}))
    opa.revision = applied.policy_version
    return running


async def asked(remote: Running, say: str) -> Any:
    """What the policy says to that."""
    return await remote.exchange("agent", PAYMENTS, "payments:charge", context={"say": say})


async def test_server_decides(remote: Running, opa: Recorded) -> None:
    """What it allows becomes a mandate, and what it denies does not."""
    assert (await asked(remote, "allow")).scopes == ["payments:charge"]
    assert await reason_of(asked(remote, "deny")) is Reason.POLICY_DENIED
    assert len(opa.requests) == 2


async def test_server_with_another_version_decides_nothing(remote: Running, opa: Recorded) -> None:
    """POLICY_FAILED until it has the bundle of the active version."""
    active, opa.revision = opa.revision, "sha256:0123456789abcdef"
    assert await reason_of(asked(remote, "allow")) is Reason.POLICY_FAILED
    opa.revision = active
    await asked(remote, "allow")


async def test_server_that_is_gone_is_a_no_and_shuts_nobody_out(
    remote: Running, opa: Recorded
) -> None:
    """POLICY_FAILED; the operator's zone decides by grants, here, and can put it right."""
    await opa.stop()
    assert await reason_of(asked(remote, "allow")) is Reason.POLICY_FAILED
    await remote.exchange("operator", CARACAL, zone="caracal")
    await remote.apply(shop())
    await remote.exchange("agent", "resource://orders")

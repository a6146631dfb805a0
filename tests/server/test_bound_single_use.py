"""A mandate that is bound and good once: a thief's call does not use it up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors import connect
from caracal_grpc.interceptors.rules.rules import Rules
from tests.server.test_bound_calls import SCOPES, _with, aio_service
from tests.support.authority import Starter
from tests.support.echo import path
from tests.support.echo_client import EchoClient
from tests.support.etcd_tls import CertificateAuthority
from tests.support.mutual import Mutual, start_mutual
from tests.support.refusals import refused
from tests.support.shop import ORDERS

ONCE = Rules([Rule(path("Unary"), ORDERS, SCOPES, bound=True, single_use=True)])


@pytest.fixture
async def mutual(
    start_authority: Starter, tmp_path: Path, etcd_ca: CertificateAuthority
) -> AsyncIterator[Mutual]:
    """The authority over mutual TLS."""
    async with AsyncExitStack() as stack:
        yield await start_mutual(start_authority, tmp_path, etcd_ca, stack)


async def test_binding_is_judged_before_the_use(mutual: Mutual) -> None:
    """The edge consumes with a bound mandate of its own, what was bound to its caller."""
    holder, thief = mutual.profile("agent", "agent"), mutual.profile("bounded", "thief")
    async with aio_service(mutual, ONCE) as service, connect(holder, rules=ONCE) as edge:
        client = EchoClient(edge.channel(service.mutual))
        for _ in range(2):
            assert await client.call("Unary")
        token = await edge.exchange(ORDERS, SCOPES)
        with refused(Reason.BINDING_MISMATCH):
            await _with(thief, service.mutual, token)
        assert await _with(holder, service.mutual, token)
        with refused(Reason.MANDATE_REPLAYED):
            await _with(holder, service.mutual, token)
        with refused(Reason.BINDING_MISMATCH):
            await _with(thief, service.mutual, token)
    assert service.journal.ran == ["Unary"] * 3

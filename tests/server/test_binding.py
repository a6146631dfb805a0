"""Binding at the authority: asked for over the wire, and kept by its own guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import connect, from_rpc_error
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import (
    audit_service_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
)
from tests.support.authority import Running, Starter, Stubs, bearer, reason_of
from tests.support.etcd_tls import CertificateAuthority
from tests.support.mutual import Mutual, bound_to, start_mutual, thumbprint
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, PAYMENTS


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    """What ends with the test."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def mutual(
    start_authority: Starter,
    tmp_path: Path,
    etcd_ca: CertificateAuthority,
    closing: AsyncExitStack,
) -> Mutual:
    """The authority over mutual TLS."""
    return await start_mutual(start_authority, tmp_path, etcd_ca, closing)


async def test_mandate_is_bound_to_the_certificate_of_the_connection(mutual: Mutual) -> None:
    """Claim, answer, entry and explanation name it."""
    operator = mutual.operator
    response = await operator.exchange("agent", ORDERS, bind=True)
    expected = thumbprint(operator.profile)
    request = audit_service_pb2.ExplainRequest(zone="shop", jti=response.jti)
    explained = await operator.stubs.audit.Explain(request, metadata=await operator.operator())
    assert bound_to(response.mandate) == expected
    assert response.certificate_thumbprint == expected
    assert explained.mandate.certificate_thumbprint == expected
    assert f'"bound_to":"{expected}"'.encode() in explained.entry.canonical


async def test_mandate_is_unbound_unless_asked_for(mutual: Mutual) -> None:
    """A certificate on the connection alone binds nothing."""
    response = await mutual.operator.exchange("agent", ORDERS)
    assert (bound_to(response.mandate), response.certificate_thumbprint) == (None, "")


async def test_binding_over_plaintext_is_refused(authority: Running) -> None:
    """FIELD_INVALID tells what is missing; unbound goes on working."""
    with refused(Reason.FIELD_INVALID) as seen:
        await authority.exchange("agent", ORDERS, bind=True)
    assert seen.fields == ["bind"]
    assert "tls_client_ca_file" in str(seen.error)
    assert (await authority.exchange("agent", ORDERS)).mandate


async def test_certificate_that_nobody_verified_binds_nothing(
    start_authority: Starter, tmp_path: Path, etcd_ca: CertificateAuthority, closing: AsyncExitStack
) -> None:
    """An authority without client roots does not even ask for it."""
    world = await start_mutual(start_authority, tmp_path, etcd_ca, closing, mutual=False)
    with refused(Reason.FIELD_INVALID) as seen:
        await world.operator.exchange("agent", ORDERS, bind=True)
    assert seen.fields == ["bind"]
    async with connect(world.profile("agent", "agent")) as edge:
        with pytest.raises(Exception, match="tls_client_ca_file"):
            await edge.exchange(ORDERS, ["orders:place"])
    async with connect(world.profile("agent", "agent"), bound=False) as edge:
        assert bound_to(await edge.exchange(ORDERS, ["orders:place"])) is None


async def _sessions(profile: Profile, token: str) -> Reason | None:
    async with aio_channel(profile) as channel:
        request = session_service_pb2.SessionServiceListRequest(zone="shop")
        return await reason_of(Stubs(channel).sessions.List(request, metadata=bearer(token)))


async def test_authority_itself_keeps_the_binding(mutual: Mutual) -> None:
    """A session mandate serves the connection that it was obtained on, and no other."""
    holder, thief = mutual.profile("agent", "holder"), mutual.profile("orders", "thief")
    async with connect(holder) as edge:
        token = await edge.exchange(CARACAL, ["caracal:sessions:read"])
    assert bound_to(token) == thumbprint(holder)
    assert await _sessions(holder, token) is None
    assert await _sessions(thief, token) is Reason.BINDING_MISMATCH


async def test_calls_of_an_edge_to_the_authority_are_bound(mutual: Mutual) -> None:
    """Without a word: its channel and its feed show the certificate that they were opened with."""
    async with connect(mutual.profile("agent", "agent")) as edge:
        await edge.guard()
        await edge.ready(10)
        stub = session_service_pb2_grpc.SessionServiceStub(edge.authority_channel())
        request = session_service_pb2.SessionServiceListRequest(zone="shop")
        assert (await stub.List(request)).sessions


async def test_bound_caller_is_acted_for_with_the_service_own_binding(mutual: Mutual) -> None:
    """Over the wire: bound in, bound out, each to its own; and never out unbound."""
    async with (
        connect(mutual.profile("agent", "agent")) as caller,
        connect(mutual.profile("orders", "orders")) as service,
    ):
        subject = await caller.exchange(ORDERS, ["orders:place"])
        passed = await service.exchange(PAYMENTS, ["payments:charge"], subject_token=subject)
        assert bound_to(passed) == thumbprint(service.profile)
        with pytest.raises(Exception, match="subject token") as caught:
            await service.exchange(
                PAYMENTS, ["payments:charge"], subject_token=subject, bound=False
            )
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.SUBJECT_TOKEN_INVALID
    assert refusal.metadata["cause"] == "BINDING_MISMATCH"


async def test_new_certificate_is_a_new_exchange(mutual: Mutual) -> None:
    """An edge keeps the certificate that it began with; the next one begins with the new one."""
    profile = mutual.profile("agent", "agent")
    before = thumbprint(profile)
    async with connect(profile) as old:
        first = await old.exchange(ORDERS, ["orders:place"])
        mutual.certificate("agent")
        assert await old.exchange(ORDERS, ["orders:cancel"]) != first
        async with connect(profile) as new:
            second = await new.exchange(ORDERS, ["orders:place"])
        assert bound_to(await old.exchange(ORDERS, ["orders:cancel"])) == before
    assert bound_to(first) == before
    assert bound_to(second) == thumbprint(profile) != before

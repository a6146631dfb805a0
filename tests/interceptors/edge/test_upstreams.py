"""Credentials of upstreams over the wire: how a gateway asks, and what of a no is the caller's."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import connect
from caracal_grpc.interceptors.edge.upstreams import ReleaseError
from caracal_grpc.v1 import upstream_service_pb2, upstream_service_pb2_grpc
from tests.interceptors.support import FakeAuthority, _refuse, profile

SECRET, SHOWN = "the real key of the upstream", "a.b.c"
USE = "caracal:upstreams:use"
ENTRY = {"audit_id": "aud_9"}


@dataclass
class Lending(FakeAuthority):
    """An authority that releases one credential, unless the test says otherwise."""

    asked: list[upstream_service_pb2.UpstreamServiceReleaseRequest] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    trouble: deque[CaracalError | grpc.StatusCode] = field(default_factory=deque)
    silent: bool = False

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves this, too."""
        super().add_to(server)
        upstream_service_pb2_grpc.add_UpstreamServiceServicer_to_server(_Service(self), server)


class _Service(upstream_service_pb2_grpc.UpstreamServiceServicer):
    def __init__(self, authority: Lending) -> None:
        self._authority = authority

    async def Release(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the rpc
        """One release."""
        authority = self._authority
        authority.asked.append(request)
        metadata = dict(context.invocation_metadata())
        authority.tokens.append(metadata["authorization"].removeprefix("Bearer "))
        while authority.silent:
            await asyncio.sleep(0.01)
        if authority.trouble:
            trouble = authority.trouble.popleft()
            if isinstance(trouble, CaracalError):
                await _refuse(context, trouble)
            await context.abort(trouble, "a proxy on the way said so")
        response = upstream_service_pb2.UpstreamServiceReleaseResponse(audit_id="aud_1")
        response.header.name, response.header.value = "X-Api-Key", SECRET
        response.expire_time.FromMilliseconds(1_790_000_060_500)
        return response


@pytest.fixture
def authority() -> Lending:
    """The authority that the test scripts."""
    return Lending()


async def test_it_is_asked_for_as_the_gateway(address: str, authority: Lending) -> None:
    """With a mandate of its own for that and nothing else, which serves again."""
    async with connect(profile(address)) as edge:
        released = [await edge.upstreams().release("crm", SHOWN, 5) for _ in range(2)]
    assert [(each.zone, each.upstream, each.mandate) for each in authority.asked] == [
        ("shop", "crm", SHOWN)
    ] * 2
    assert (released[0].name, released[0].value) == ("x-api-key", SECRET)
    assert (released[0].expires_at, released[0].audit_id) == (1_790_000_060.5, "aud_1")
    assert SECRET not in repr(released)
    (own,) = authority.requests
    assert (own.resource, list(own.scopes)) == ("resource://caracal", [USE])
    assert set(authority.tokens) == {authority.answered(own)}


@pytest.mark.parametrize(
    "refusal",
    [
        CaracalError(Reason.MANDATE_REVOKED, "the mandate is revoked", metadata=ENTRY),
        CaracalError(Reason.MANDATE_EXPIRED, "the mandate has expired", metadata=ENTRY),
        CaracalError(Reason.ZONE_FORBIDDEN, "the mandate is of another zone", metadata=ENTRY),
    ],
)
async def test_a_no_to_the_mandate_is_the_callers(
    address: str, authority: Lending, refusal: CaracalError
) -> None:
    """It has an entry in the ledger; another mandate may do, and our own is not suspected."""
    authority.trouble.append(refusal)
    async with connect(profile(address)) as edge:
        with pytest.raises(ReleaseError) as caught:
            await edge.upstreams().release("crm", SHOWN, 5)
    assert caught.value.about_the_mandate
    assert caught.value.refusal.reason is refusal.reason
    assert caught.value.refusal.metadata["audit_id"] == "aud_9"
    assert authority.count == 1


@pytest.mark.parametrize(
    "refusal",
    [
        CaracalError(Reason.ZONE_FROZEN, "the zone is frozen", metadata=ENTRY),
        CaracalError(Reason.RATE_LIMITED, "too many", retry_after=60.0),
    ],
)
async def test_a_no_to_everybody_is_told(
    address: str, authority: Lending, refusal: CaracalError
) -> None:
    """As it is, and not asked about with another mandate."""
    authority.trouble.append(refusal)
    async with connect(profile(address)) as edge:
        with pytest.raises(ReleaseError) as caught:
            await edge.upstreams().release("crm", SHOWN, 5)
    assert not caught.value.about_the_mandate
    assert caught.value.refusal.reason is refusal.reason
    assert caught.value.refusal.retry_after == refusal.retry_after


@pytest.mark.parametrize(
    "trouble",
    [
        CaracalError(Reason.SCOPE_INSUFFICIENT, "the mandate lacks caracal:upstreams:use"),
        CaracalError(Reason.ZONE_FORBIDDEN, "another zone"),
        CaracalError(Reason.OBJECT_NOT_FOUND, "there is no upstream crm", metadata=ENTRY),
        CaracalError(Reason.AUDIENCE_MISMATCH, "for another resource", metadata=ENTRY),
        CaracalError(Reason.KEY_STATE_CONFLICT, "nothing opens it", metadata=ENTRY),
        CaracalError(Reason.FIELD_INVALID, "no name"),
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    ],
)
async def test_trouble_of_the_gateway_is_nobody_elses(
    address: str,
    authority: Lending,
    trouble: CaracalError | grpc.StatusCode,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its caller could do nothing about it; the log names the upstream, and no token."""
    authority.trouble.extend([trouble] * 2)
    async with connect(profile(address)) as edge:
        with pytest.raises(ReleaseError) as caught:
            await edge.upstreams().release("crm", SHOWN, 5)
    assert not caught.value.about_the_mandate
    assert caught.value.refusal.reason is Reason.AUTHORITY_STALE
    assert "crm" in caplog.text
    assert SHOWN not in caplog.text


async def test_our_own_mandate_is_replaced_when_it_is_over(
    address: str, authority: Lending
) -> None:
    """A no without an entry is of the mandate that we came with."""
    authority.trouble.append(CaracalError(Reason.MANDATE_REVOKED, "the mandate is revoked"))
    async with connect(profile(address)) as edge:
        assert (await edge.upstreams().release("crm", SHOWN, 5)).value == SECRET
    assert authority.count == 2


async def test_a_lost_answer_is_asked_for_again(address: str, authority: Lending) -> None:
    """Up to three times in all."""
    authority.trouble.extend([grpc.StatusCode.UNAVAILABLE] * 2)
    async with connect(profile(address)) as edge:
        assert (await edge.upstreams().release("crm", SHOWN, 5)).value == SECRET
        assert len(authority.asked) == 3
        authority.trouble.extend([grpc.StatusCode.UNAVAILABLE] * 3)
        with pytest.raises(ReleaseError):
            await edge.upstreams().release("crm", SHOWN, 5)


async def test_without_a_mandate_of_its_own_a_gateway_has_nothing(
    address: str, authority: Lending
) -> None:
    """Its caller is told to come back."""
    authority.refusals.append(CaracalError(Reason.POLICY_DENIED, "no", metadata=ENTRY))
    async with connect(profile(address)) as edge:
        with pytest.raises(ReleaseError) as caught:
            await edge.upstreams().release("crm", SHOWN, 5)
    assert caught.value.refusal.reason is Reason.AUTHORITY_STALE
    assert authority.asked == []


async def test_a_silent_authority_is_not_waited_for(address: str, authority: Lending) -> None:
    """Longer than we have; nor by an edge that is closed."""
    authority.silent = True
    async with connect(profile(address)) as edge:
        upstreams = edge.upstreams()
        with pytest.raises(ReleaseError) as caught:
            await upstreams.release("crm", SHOWN, 0.2)
        assert caught.value.refusal.reason is Reason.AUTHORITY_STALE
        waiting = asyncio.create_task(upstreams.release("crm", SHOWN, 30))
        async with asyncio.timeout(5):
            while len(authority.asked) < 2:
                await asyncio.sleep(0.01)
    with pytest.raises(ReleaseError):
        await waiting
    authority.silent = False

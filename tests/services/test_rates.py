"""Limits as callers meet them: on the wire, with the wait in both of its forms."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from caracal_grpc.authority.exchange.rates import RECORDED_EACH
from caracal_grpc.core.limits import MAX_RECEIVED, MAX_REQUEST, MAX_SHORT_REQUEST
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.client.aio.tokens import AioExchanger, AioTokens
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.status import PUSHBACK_KEY, from_rpc_error, trailer_value
from caracal_grpc.services.costs import COSTS
from caracal_grpc.services.long_requests import LONG
from caracal_grpc.v1 import audit_service_pb2, policy_service_pb2
from tests.support.authority import Running, reason_of
from tests.support.contract import METHODS, PROTO, comments, reasons_in, rule_of
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, shop

SLOW = {"application_per_second": 1, "application_burst": 1}


async def refusal(call: Any) -> grpc.aio.AioRpcError:
    """The status of a call that is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_wait_is_told_in_both_forms(authority: Running) -> None:
    """RetryInfo for who reads details, and the trailer that gRPC's own retries obey."""
    await authority.apply(shop(settings={"limits": SLOW}))
    await authority.exchange("agent", ORDERS)
    error = await refusal(authority.exchange("agent", ORDERS))
    told = from_rpc_error(error)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert told is not None
    assert told.reason is Reason.RATE_LIMITED
    assert told.retry_after is not None
    assert 0 < told.retry_after <= 1
    assert trailer_value(error, PUSHBACK_KEY) == str(round(told.retry_after * 1000))
    await asyncio.sleep(told.retry_after)
    await authority.exchange("agent", ORDERS)


async def test_flood_leaves_a_line_in_the_ledger_not_a_flood(authority: Running) -> None:
    """One refusal a second of the application is in the ledger, however many there are."""
    await authority.apply(shop(settings={"limits": SLOW}))
    loop = asyncio.get_running_loop()
    began = loop.time()
    refused = await asyncio.gather(
        *(reason_of(authority.exchange("agent", ORDERS)) for _ in range(50))
    )
    lasted = loop.time() - began
    assert refused.count(Reason.RATE_LIMITED) >= 50 - 2 - lasted
    search = audit_service_pb2.SearchRequest(zone="shop", page_size=1000)
    found = await authority.stubs.audit.Search(search, metadata=await authority.operator())
    entries = [each for each in found.entries if each.reason == "RATE_LIMITED"]
    assert 1 <= len(entries) <= 1 + lasted / RECORDED_EACH


async def test_edge_asks_no_sooner_than_it_was_told(authority: Running) -> None:
    """Of many calls for many resources one exchange is sent, until the wait is over."""
    await authority.apply(shop(settings={"limits": {**SLOW, "application_burst": 2}}))
    client = authority.credentials["shop", "agent"]
    profile = Profile(
        authority=authority.address,
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id=client.application_id,
        client_secret=client.client_secret,
        plaintext=True,
    )
    await authority.exchange("agent", ORDERS)
    sent = 0
    exchanger = AioExchanger(authority.channel, profile)

    async def counted(ask: Ask) -> Any:
        nonlocal sent
        sent += 1
        return await exchanger(ask)

    tokens = AioTokens(counted, SystemClock())
    assert await tokens.get(Ask(ORDERS, frozenset({"orders:place"})))
    for number in range(20):
        asked = Ask(PAYMENTS if number % 2 else ORDERS, frozenset({f"orders:{number}"}))
        with pytest.raises(ExchangeError) as seen:
            await tokens.get(asked)
        assert seen.value.refusal is not None
        assert seen.value.refusal.reason is Reason.RATE_LIMITED
    assert sent == 2
    await tokens.close()


async def test_costly_calls_are_limited(authority: Running) -> None:
    """RATE_LIMITED with a wait, of that application's costly calls alone."""
    zone = shop()
    scopes = ["caracal:policies:read", "caracal:audit:read"]
    grant = {"application": "agent", "resource": CARACAL, "scopes": scopes}
    zone["policy"]["grants"].append(grant)
    await authority.apply(zone)

    async def replay(metadata: Any) -> Reason | None:
        request = policy_service_pb2.PolicyServiceReplayRequest()
        return await reason_of(_all(authority.stubs.policies.Replay(request, metadata=metadata)))

    metadata, seen = await authority.caller("agent"), []
    while Reason.RATE_LIMITED not in seen:
        assert len(seen) < 50
        seen.append(await replay(metadata))
    assert set(seen[:-1]) == {Reason.FIELD_INVALID}
    assert await replay(await authority.operator()) is Reason.FIELD_INVALID


async def _all(call: Any) -> None:
    async for _ in call:
        pass


@pytest.mark.parametrize("method", COSTS)
def test_every_costly_method_says_that_it_is_limited(method: str) -> None:
    """RATE_LIMITED is in its comment, where its callers look."""
    service, name = method.removeprefix("/caracal.v1.").split("/")
    stem = "".join(f"_{c.lower()}" if c.isupper() else c for c in service).removeprefix("_")
    assert (PROTO / f"{stem}.proto").exists()
    assert "RATE_LIMITED" in reasons_in(comments(f"{stem}.proto")[name])


async def sent(authority: Running, method: str, size: int) -> grpc.aio.AioRpcError:
    """How a request of so many bytes is refused."""
    options = [("grpc.max_send_message_length", 2 * MAX_REQUEST)]
    async with grpc.aio.insecure_channel(authority.address, options=options) as channel:
        call = channel.unary_unary(f"/caracal.v1.{method}")
        return await refusal(call(bytes(size), metadata=await authority.operator()))


@pytest.mark.parametrize(
    ("method", "most"),
    [
        ("TokenService/Exchange", MAX_SHORT_REQUEST),
        ("ZoneService/Get", MAX_SHORT_REQUEST),
        ("AuditService/Record", MAX_SHORT_REQUEST),
        ("PolicyService/Replay", MAX_REQUEST),
        ("ZoneService/Apply", MAX_REQUEST),
    ],
)
async def test_request_that_is_too_long_is_refused_unread(
    authority: Running, method: str, most: int
) -> None:
    """LIMIT_EXCEEDED, with the bound, and not to be repeated: no waiting makes it shorter."""
    error = await sent(authority, method, most + 1)
    told = from_rpc_error(error)
    assert told is not None
    assert told.reason is Reason.LIMIT_EXCEEDED
    assert told.metadata["limit"] == str(most)
    assert trailer_value(error, PUSHBACK_KEY) == "-1"
    told = from_rpc_error(await sent(authority, method, most))
    assert told is not None
    assert told.reason is Reason.FIELD_INVALID


@pytest.mark.parametrize("method", sorted(LONG))
async def test_long_request_of_who_may_not_call_is_refused_unread(
    authority: Running, method: str
) -> None:
    """By its mandate; that the bytes are broken is told to nobody but who may call."""
    await authority.apply(shop())
    broken = bytes(MAX_REQUEST)

    async def answer(metadata: Any) -> Reason | None:
        async with grpc.aio.insecure_channel(authority.address) as channel:
            if METHODS[method].server_streaming:
                stream = channel.unary_stream(method)(broken, metadata=metadata)
                return await reason_of(_all(stream))
            return await reason_of(channel.unary_unary(method)(broken, metadata=metadata))

    assert await answer(await authority.caller("agent")) is Reason.SCOPE_INSUFFICIENT
    assert await answer(await authority.operator()) is Reason.FIELD_INVALID


async def test_request_that_is_far_too_long_is_refused_by_grpc(authority: Running) -> None:
    """RESOURCE_EXHAUSTED, before anything of ours sees it; its text has both numbers."""
    error = await sent(authority, "ZoneService/Apply", MAX_RECEIVED + 1)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert from_rpc_error(error) is None
    assert str(MAX_RECEIVED) in (error.details() or "")


def test_long_requests_are_of_methods_that_there_are_and_none_is_public() -> None:
    """What strangers may send is short: it is read before anybody knows who they are."""
    assert set(METHODS) >= LONG
    assert not [path for path in LONG if rule_of(METHODS[path]).public]

"""The way out: what is asked of the authority for a request, and how often."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import mandates
from tests.interceptors.support import eventually
from tests.mesh.desk import Waiting, allowed, headers, refusal, told
from tests.mesh.swapping import (
    CHARGE,
    THEIRS,
    US,
    Kit,
    kit,
    outgoing,
)

STEP_UP = CaracalError(
    Reason.STEP_UP_REQUIRED,
    "policy asks for an approval first",
    metadata={"approval_id": "apr_01h455vb4pex5vsknk084sn02q", "audit_id": "aud_7"},
)
APPROVAL = "apr_01h455vb4pex5vsknk084sn02q"
THUMBPRINT = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"


async def test_the_same_is_exchanged_once() -> None:
    """A mandate serves as long as it lives; another caller gets another."""
    made = kit()
    first, second = made.inbound(), made.inbound()
    answers = [await made.out(token=token) for token in (first, first, second)]
    said = [headers(answer)["authorization"] for answer in answers]
    assert len(made.exchange.asks) == 2
    assert said[0] == said[1] != said[2]


async def test_a_proxy_that_asks_again_meanwhile_shares_the_exchange() -> None:
    """A slow authority is asked once, however often the proxy gives up and asks."""
    made = kit()
    made.exchange.held = asyncio.Event()
    token = made.inbound()
    asking = [asyncio.create_task(made.out(token=token)) for _ in range(3)]
    await eventually(lambda: bool(made.exchange.asks))
    asking[0].cancel()
    made.exchange.held.set()
    assert all(map(allowed, await asyncio.gather(*asking[1:])))
    assert len(made.exchange.asks) == 1


async def test_a_revoked_mandate_of_ours_is_replaced() -> None:
    """Once; when the fresh one is dead, too, the request is refused."""
    made = kit()
    token = made.inbound()
    await made.out(token=token)
    made.feed.revoke(_jti(made, 0))
    answer = await made.out(token=token)
    assert headers(answer)["authorization"] == f"Bearer {made.exchange.granted[1]}"
    made.feed.revoke(US)
    made.time.advance(2)
    assert refusal(await made.out(token=token)).reason is Reason.MANDATE_REVOKED
    assert len(made.exchange.asks) == 3


def _jti(made: Kit, number: int) -> str:
    return mandates.read(made.exchange.granted[number], made.feed.keys).jti


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"resource": "resource://stock"}, Reason.AUDIENCE_MISMATCH),
        ({"scopes": ["payments:refund"]}, Reason.SCOPE_INSUFFICIENT),
        ({"binding": THUMBPRINT}, Reason.BINDING_MISMATCH),
    ],
)
async def test_what_the_upstream_would_refuse_does_not_go_on(
    changes: dict[str, Any], reason: Reason
) -> None:
    """An authority that answers with something else gets nothing of it to an upstream."""
    made = kit()
    made.exchange.changes = changes
    assert refusal(await made.out(token=made.inbound())).reason is reason


async def test_bound_mandates_are_bound_to_our_certificate() -> None:
    """Asked for so, and verified so."""
    made = kit(binding=THUMBPRINT)
    assert allowed(await made.out(token=made.inbound()))
    assert made.exchange.asks[0].binding == THUMBPRINT


async def test_a_refused_exchange_is_told_as_the_authority_told_it() -> None:
    """Its reason, its metadata and its entry in the ledger; nothing is recorded twice."""
    made = kit()
    made.exchange.refusals.append(STEP_UP)
    answer = await made.out(token=made.inbound())
    told_refusal = refusal(answer)
    assert told_refusal.reason is Reason.STEP_UP_REQUIRED
    assert told_refusal.metadata["approval_id"] == APPROVAL
    assert told(answer)["decision_id"] == "aud_7"
    assert made.decisions == []


async def test_an_approval_goes_along_with_the_request_that_names_it() -> None:
    """The application repeats the request with it; the upstream never sees it."""
    made = kit()
    token = made.inbound()
    answer = await made.out(token=token, headers=[("x-caracal-approval", APPROVAL)])
    assert made.exchange.asks[0].approval == APPROVAL
    assert "x-caracal-approval" in answer.ok_response.headers_to_remove
    assert allowed(await made.out(token=token))
    assert len(made.exchange.asks) == 1, "what the approval gave serves without it"


@pytest.mark.parametrize("given", ["apr_1", "app_01h455vb4pex5vsknk084sn02q", "x" * 5000])
async def test_what_is_no_approval_is_refused(given: str) -> None:
    """Before anybody is asked."""
    made = kit()
    answer = await made.out(token=made.inbound(), headers=[("x-caracal-approval", given)])
    assert refusal(answer).reason is Reason.FIELD_INVALID
    assert made.exchange.asks == []


async def test_an_exchange_is_waited_for_in_time_to_refuse() -> None:
    """By that name, in the ledger; the exchange goes on, for the next one."""
    made = kit()
    made.exchange.held = asyncio.Event()
    token = made.inbound()
    answer = await made.servicer.Check(outgoing(token=token), Waiting(0.05))
    assert "no mandate could be had in time" in refusal(answer).message
    assert told(answer)["decision_id"] == made.decisions[0].id
    made.exchange.held.set()
    assert allowed(await made.out(token=token))
    assert len(made.exchange.asks) == 1


async def test_a_mandate_of_single_use_is_asked_for_anew() -> None:
    """For each request."""
    once = {CHARGE: {"resource": THEIRS, "scopes": ["payments:charge"], "single_use": True}}
    made = kit(once)
    token = made.inbound()
    said = {
        headers(await made.out(token=token, exchange=f"request-{number}"))["authorization"]
        for number in range(3)
    }
    assert len(said) == 3
    assert len({ask.request_id for ask in made.exchange.asks} - {None}) == 3


@pytest.mark.parametrize("single_use", [True, False])
async def test_a_proxy_that_asks_again_about_a_request_asks_for_the_same(single_use: bool) -> None:
    """By the name of the request, so that the authority grants no second mandate of single use;
    others are kept here, and cost it no write.
    """
    rule = {"resource": THEIRS, "scopes": ["payments:charge"], "single_use": single_use}
    made = kit({CHARGE: rule})
    token = made.inbound()
    for _ in range(2):
        assert allowed(await made.out(token=token))
    asked = [ask.request_id for ask in made.exchange.asks]
    assert asked == ([asked[0]] * 2 if single_use else [None])
    assert bool(asked[0]) == single_use


async def test_a_refused_mandate_of_single_use_is_not_asked_for_with_each_request() -> None:
    """Under whichever name; a no is one to the next request, too, for a moment."""
    once = {CHARGE: {"resource": THEIRS, "scopes": ["payments:charge"], "single_use": True}}
    made = kit(once)
    made.exchange.refusals.append(STEP_UP)
    token = made.inbound()
    for number in range(3):
        answer = await made.out(token=token, exchange=f"request-{number}")
        assert refusal(answer).reason is Reason.STEP_UP_REQUIRED
    assert len(made.exchange.asks) == 1

"""What a rule asks of lineage, asked of mandates as the authority really makes them."""

from __future__ import annotations

from typing import Any

from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.core.verdict import Call, judge
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK


def judged(rig: Rig, mandate: Mandate, **asked: Any) -> None:
    """Judges a call of a method that asks for this and the scopes of the mandate."""
    trust = rig.authority.view.trust(mandate.kid)
    assert trust is not None
    rule = Rule("/s/M", mandate.resource, mandate.scopes, **asked)
    call = Call("resource", mandate.resource, rule.scopes, rig.clock.now())
    judge(mandate, trust, call, frozenset(), rule)


async def test_one_exchange_for_another_is_a_delegation(rig: Rig) -> None:
    """It is one hop, and both have taken part: the origin, too, which is no hop."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = (await rig.exchange("orders", PAYMENTS, subject_token=first.token)).mandate
    both = frozenset({rig.application("agent"), rig.application("orders")})
    judged(rig, second, require_delegation=True, max_hops=1, chain_must_include=both)
    with refused(Reason.DELEGATION_REQUIRED):
        judged(rig, first.mandate, require_delegation=True)
    with refused(Reason.CHAIN_MISMATCH) as seen:
        judged(rig, first.mandate, chain_must_include=both)
    assert seen.metadata == {"missing": rig.application("orders")}


async def test_an_exchange_for_oneself_is_none(rig: Rig) -> None:
    """Who hands its own mandate in comes out one hop longer, and still acts for itself."""
    first = await rig.exchange("orders", PAYMENTS, "payments:charge")
    again = await rig.exchange("orders", PAYMENTS, "payments:charge", subject_token=first.token)
    assert again.mandate.hops == 1
    with refused(Reason.DELEGATION_REQUIRED):
        judged(rig, again.mandate, require_delegation=True)


async def test_hops_are_those_of_the_whole_way(rig: Rig) -> None:
    """Two exchanges are two, whoever made them."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    third = (await rig.exchange("payments", STOCK, subject_token=second.token)).mandate
    judged(rig, third, max_hops=2)
    with refused(Reason.HOPS_EXCEEDED):
        judged(rig, third, max_hops=1)

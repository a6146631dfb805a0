"""What of a question the ledger keeps: what callers say in it only when the zone wants it."""

from __future__ import annotations

import json

import pytest

from caracal_grpc.core.errors import CaracalError
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, shop

SAID = {"order": "o-7"}


async def test_a_question_without_context_is_kept(rig: Rig) -> None:
    """In the very text in which policy was asked, with its answer, allowed or denied."""
    await rig.exchange("agent", ORDERS, "orders:place")
    with pytest.raises(CaracalError):
        await rig.exchange("agent", PAYMENTS, "payments:charge")
    allowed, denied = (await rig.entries())[-2:]
    assert json.loads(allowed.question)["requested_scopes"] == ["orders:place"]
    assert json.loads(allowed.answer)["decision"] == "allow"
    assert json.loads(denied.answer)["decision"] == "deny"


async def test_what_callers_say_is_not_kept(rig: Rig) -> None:
    """It is theirs, and might be anything; the decision itself is recorded all the same."""
    await rig.exchange("agent", ORDERS, "orders:place", context=SAID)
    entry = await rig.last()
    assert (entry.question, entry.answer, entry.decision) == ("", "", "allow")


async def test_a_zone_may_want_it_kept(rig: Rig) -> None:
    """So that decisions by it can be replayed."""
    await rig.apply(shop(settings={"record_context": True}))
    await rig.exchange("agent", ORDERS, "orders:place", context=SAID)
    assert json.loads((await rig.last()).question)["context"] == SAID

"""Legal holds as they are kept."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_HOLDS
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.retention import Hold
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.aged import AGENT, ALICE, SESSION, hold
from tests.ledger.support import open_ledger

FULL = hold(3, subject=ALICE, application=AGENT, session=SESSION, since=1, until=1_800_000_000_000)


async def test_holds_are_listed_oldest_first(ledger: SqlLedger, location: str) -> None:
    """Of one zone, as they were made, also after a restart."""
    for each in (hold(2), FULL, hold(1)):
        await ledger.add_hold("shop", each)
    await ledger.add_hold("mall", hold(4))
    assert await ledger.list_holds("shop") == (hold(1), hold(2), FULL)
    await ledger.close()
    again = await open_ledger(location)
    assert await again.list_holds("shop") == (hold(1), hold(2), FULL)
    await again.close()


async def test_a_hold_that_ended_is_gone(ledger: SqlLedger) -> None:
    """Once; another zone's of that id stays."""
    for zone in ("shop", "mall"):
        await ledger.add_hold(zone, hold())
    assert await ledger.remove_hold("shop", "hld_1")
    assert not await ledger.remove_hold("shop", "hld_1")
    assert await ledger.list_holds("shop") == ()
    assert await ledger.list_holds("mall") == (hold(),)


async def test_a_zone_has_so_many_at_most(ledger: SqlLedger) -> None:
    """LIMIT_EXCEEDED, and another zone has its own."""
    for number in range(MAX_HOLDS):
        await ledger.add_hold("shop", hold(number))
    with pytest.raises(CaracalError) as refusal:
        await ledger.add_hold("shop", hold(MAX_HOLDS))
    assert refusal.value.reason is Reason.LIMIT_EXCEEDED
    await ledger.add_hold("mall", hold())
    assert len(await ledger.list_holds("shop")) == MAX_HOLDS


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("hold.reason", {"reason": ""}),
        ("hold.reason", {"reason": "x" * 257}),
        ("hold.reason", {"reason": "a\nb"}),
        ("hold.subject", {"subject": "x" * 513}),
        ("hold.subject", {"subject": "a\x00"}),
        ("hold.application_id", {"application": "agent"}),
        ("hold.session_id", {"session": AGENT}),
        ("hold.since", {"since": -1}),
        ("hold.until", {"since": 5, "until": 5}),
        ("hold.until", {"until": 2**53 + 1}),
    ],
)
def test_a_hold_that_means_nothing_is_refused(field: str, values: dict[str, Any]) -> None:
    """FIELD_INVALID naming what is wrong."""
    with pytest.raises(CaracalError) as refusal:
        Hold(**{"reason": "a case", **values})
    assert [each.field for each in refusal.value.violations] == [field]

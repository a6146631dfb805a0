"""Looks at the size of a zone, shared by all who follow it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.audit import growth
from caracal_grpc.authority.audit.growth import Growth
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.port import unavailable
from tests.support.refusals import refused


class Sizes:
    """The ledger, as far as it tells sizes."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False

    async def size(self, zone: str) -> int:
        """How often it was asked, which grows."""
        self.asked.append(zone)
        if self.away:
            raise unavailable("the disk is gone")
        return len(self.asked)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Any:
    """One that is looked at without a pause."""
    monkeypatch.setattr(growth, "LOOK", 0.0)
    return Sizes()


async def test_all_who_follow_a_zone_share_a_look(ledger: Any) -> None:
    """And those of another zone theirs; the next look is another."""
    looks = Growth(ledger)
    sizes = await asyncio.gather(*(looks.look("shop") for _ in range(9)), looks.look("bank"))
    assert (sorted(ledger.asked), len(set(sizes[:9]))) == (["bank", "shop"], 1)
    assert await looks.look("shop") == 3
    await looks.close()


async def test_failure_is_told_to_all_and_is_not_kept(ledger: Any) -> None:
    """Whoever waits is refused; who asks then is answered."""
    looks = Growth(ledger)
    ledger.away = True
    found = await asyncio.gather(*(looks.look("shop") for _ in range(3)), return_exceptions=True)
    assert [getattr(each, "reason", None) for each in found] == [Reason.AUDIT_UNAVAILABLE] * 3
    with refused(Reason.AUDIT_UNAVAILABLE):
        await looks.look("shop")
    ledger.away = False
    assert await looks.look("shop") == 3
    await looks.close()


async def test_who_leaves_takes_the_look_from_nobody(ledger: Any) -> None:
    """One is cancelled, the other is answered; and when all have left, nothing is left over."""
    looks = Growth(ledger)
    leaving, staying = (asyncio.create_task(looks.look("shop")) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 1
    ledger.away = True
    alone = asyncio.create_task(looks.look("shop"))
    await asyncio.sleep(0)
    alone.cancel()
    await looks.close()
    assert looks._looks == {}


async def test_end_lets_everybody_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the next look was away."""
    monkeypatch.setattr(growth, "LOOK", 3600.0)
    looks = Growth(Sizes())  # type: ignore[arg-type]
    waiting = asyncio.create_task(looks.look("shop"))
    await asyncio.sleep(0)
    looks.end()
    assert await waiting == 1
    assert looks.ended
    await looks.close()

"""Keys of other issuers: fetched once, kept while they are good, and nobody held up by another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from caracal_grpc.authority.issuers.key_cache import (
    FRESH,
    MAX_HELD,
    RETRY_PAUSE,
    STALE_PAUSE,
    UNKNOWN_KID_PAUSE,
    USABLE,
    KeyCache,
)
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.foreign_keys import ForeignKeys
from caracal_grpc.outbound.port import OutboundError
from tests.support.clock import FakeClock
from tests.support.foreign import ForeignSigner, jwks
from tests.support.refusals import refused

CORP = TrustedIssuer("corp", "https://corp.example", "caracal")
PARTNER = TrustedIssuer("partner", "https://partner.example", "caracal")
FIRST = ForeignKeys.from_jwks(jwks(ForeignSigner.generate("ES256", "first")))
SECOND = ForeignKeys.from_jwks(jwks(ForeignSigner.generate("ES256", "second")))


@dataclass
class Source:
    """What issuers publish, each by its name; `None` is one that is down."""

    published: dict[str, ForeignKeys | None] = field(
        default_factory=lambda: {"corp": FIRST, "partner": SECOND}
    )
    held: dict[str, asyncio.Event] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def fetch(self, issuer: TrustedIssuer) -> ForeignKeys:
        """What the issuer publishes now, once it is let go."""
        self.asked.append(issuer.name)
        if issuer.name in self.held:
            await self.held[issuer.name].wait()
        keys = self.published[issuer.name]
        if keys is None:
            raise OutboundError("nobody is there")
        return keys


@pytest.fixture
def clock() -> FakeClock:
    """Time, which the test moves."""
    return FakeClock()


@pytest.fixture
def source() -> Source:
    """Two issuers that are well."""
    return Source()


@pytest.fixture
async def cache(source: Source, clock: FakeClock) -> AsyncIterator[KeyCache]:
    """Keys of what the source publishes."""
    opened = KeyCache(source.fetch, clock)
    yield opened
    await opened.close()


async def asked(source: Source, times: int) -> None:
    """Returns when the source was asked so often."""
    async with asyncio.timeout(5):
        while len(source.asked) < times:
            await asyncio.sleep(0)


async def test_keys_are_fetched_once(cache: KeyCache, source: Source, clock: FakeClock) -> None:
    """And served for an hour."""
    assert await cache.keys("shop", CORP) is FIRST
    clock.advance(FRESH - 1)
    assert await cache.keys("shop", CORP) is FIRST
    assert source.asked == ["corp"]


async def test_keys_are_fetched_again_after_an_hour(
    cache: KeyCache, source: Source, clock: FakeClock
) -> None:
    """A key that was withdrawn does not serve on, though nobody shows an unknown one."""
    await cache.keys("shop", CORP)
    source.published["corp"] = SECOND
    clock.advance(FRESH)
    assert await cache.keys("shop", CORP) is SECOND


async def test_zones_are_apart(cache: KeyCache, source: Source) -> None:
    """What one zone asks for uses up nothing of another's."""
    await cache.keys("shop", CORP)
    await cache.keys("bank", CORP)
    assert source.asked == ["corp", "corp"]


async def test_changed_issuer_begins_anew(cache: KeyCache, source: Source) -> None:
    """Keys of the place that was declared before do not vouch for what is declared now."""
    await cache.keys("shop", CORP)
    source.published["corp"] = None
    moved = TrustedIssuer("corp", "https://corp.example", "caracal", "https://keys.example")
    with refused(Reason.ISSUER_UNAVAILABLE):
        await cache.keys("shop", moved)


async def test_issuer_without_keys_is_unavailable(
    cache: KeyCache, source: Source, clock: FakeClock
) -> None:
    """It is named, with when to come back; by then it is asked again."""
    source.published["corp"] = None
    for _ in range(3):
        with refused(Reason.ISSUER_UNAVAILABLE) as seen:
            await cache.keys("shop", CORP)
        assert seen.metadata == {"issuer": "corp"}
        assert seen.error.retry_after == RETRY_PAUSE
    assert source.asked == ["corp"]
    source.published["corp"] = FIRST
    clock.advance(RETRY_PAUSE)
    assert await cache.keys("shop", CORP) is FIRST


async def test_why_there_are_no_keys_is_in_the_log(
    cache: KeyCache, source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    """For the operator; the caller only learns that there are none."""
    source.published["corp"] = None
    with refused(Reason.ISSUER_UNAVAILABLE) as seen:
        await cache.keys("shop", CORP)
    texts = [each.getMessage() for each in caplog.records if each.name == "caracal.issuers"]
    assert texts == ["the keys of issuer corp of shop cannot be had: nobody is there"]
    assert "nobody is there" not in str(seen.error)


async def test_old_keys_serve_while_the_issuer_is_down(
    cache: KeyCache, source: Source, clock: FakeClock
) -> None:
    """For a day; then nobody knows whether they still are its keys."""
    await cache.keys("shop", CORP)
    source.published["corp"] = None
    clock.advance(FRESH)
    for _ in range(3):
        assert await cache.keys("shop", CORP) is FIRST
    assert len(source.asked) == 2
    clock.advance(STALE_PAUSE)
    assert await cache.keys("shop", CORP) is FIRST
    assert len(source.asked) == 3
    clock.advance(USABLE - FRESH - STALE_PAUSE)
    with refused(Reason.ISSUER_UNAVAILABLE):
        await cache.keys("shop", CORP)


async def test_unknown_key_is_asked_for(cache: KeyCache, source: Source, clock: FakeClock) -> None:
    """At once the first time, however lately the keys were fetched; then not for a while."""
    await cache.keys("shop", CORP)
    source.published["corp"] = SECOND
    assert await cache.renewed("shop", CORP) is SECOND
    source.published["corp"] = FIRST
    clock.advance(UNKNOWN_KID_PAUSE - 0.1)
    assert await cache.renewed("shop", CORP) is SECOND
    clock.advance(0.1)
    assert await cache.renewed("shop", CORP) is FIRST
    assert len(source.asked) == 3


async def test_unknown_key_of_one_that_is_down_changes_nothing(
    cache: KeyCache, source: Source
) -> None:
    """The keys that are known serve on."""
    await cache.keys("shop", CORP)
    source.published["corp"] = None
    assert await cache.renewed("shop", CORP) is FIRST
    assert await cache.keys("shop", CORP) is FIRST


async def test_hundred_callers_are_one_fetch(cache: KeyCache, source: Source) -> None:
    """Those who wait for the first keys, and those who bring unknown ones meanwhile."""
    source.held["corp"] = asyncio.Event()
    first = [asyncio.create_task(cache.keys("shop", CORP)) for _ in range(50)]
    await asked(source, 1)
    then = [asyncio.create_task(cache.renewed("shop", CORP)) for _ in range(50)]
    await asyncio.sleep(0)
    source.held.pop("corp").set()
    assert await asyncio.gather(*first, *then) == [FIRST] * 100
    assert source.asked == ["corp"]


async def test_caller_who_leaves_ends_nothing(cache: KeyCache, source: Source) -> None:
    """Not even the one who began it."""
    held = source.held["corp"] = asyncio.Event()
    first = asyncio.create_task(cache.keys("shop", CORP))
    await asked(source, 1)
    second = asyncio.create_task(cache.keys("shop", CORP))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    held.set()
    assert await second is FIRST
    assert source.asked == ["corp"]


async def test_slow_issuer_holds_up_no_other(cache: KeyCache, source: Source) -> None:
    """Nor does one that is down."""
    source.held["corp"] = asyncio.Event()
    waiting = asyncio.create_task(cache.keys("shop", CORP))
    await asked(source, 1)
    assert await cache.keys("shop", PARTNER) is SECOND
    assert not waiting.done()
    source.held["corp"].set()
    await waiting


async def test_end_leaves_nothing_under_way(source: Source, clock: FakeClock) -> None:
    """Whoever waits then is told that there are no keys."""
    cache = KeyCache(source.fetch, clock)
    source.held["corp"] = asyncio.Event()
    waiting = asyncio.create_task(cache.keys("shop", CORP))
    await asked(source, 1)
    await cache.close()
    with refused(Reason.ISSUER_UNAVAILABLE):
        await waiting


async def test_fault_of_a_fetch_comes_out(cache: KeyCache, source: Source) -> None:
    """What is nobody's failure to answer is not taken for one; the next caller tries again."""
    del source.published["corp"]
    with pytest.raises(KeyError):
        await cache.keys("shop", CORP)
    source.published["corp"] = FIRST
    assert await cache.renewed("shop", CORP) is FIRST


async def test_memory_is_bounded(cache: KeyCache, source: Source) -> None:
    """The issuer that was not asked for longest is forgotten first."""
    for number in range(MAX_HELD):
        await cache.keys(f"zone-{number}", CORP)
    await cache.keys("zone-0", CORP)
    await cache.keys("one-more", CORP)
    assert len(cache._held) == MAX_HELD
    await cache.keys("zone-0", CORP)
    assert len(source.asked) == MAX_HELD + 1

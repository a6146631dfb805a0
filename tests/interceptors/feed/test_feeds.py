"""Both drivers of the feed against a real server: it falls silent, dies, lies and comes back."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.interceptors.conftest import Eventually
from tests.interceptors.feed.conftest import Follow
from tests.support.feed import delta, feed_server, heartbeat, key_set, snapshot
from tests.support.keys import ZONE, Mint


async def test_a_feed_becomes_ready_and_follows(follow: Follow, eventually: Eventually) -> None:
    """With the mandate of its credentials and the zone of its view."""
    mint = Mint()
    greeting = snapshot(5, key_set(mint)), heartbeat(5)
    async with feed_server(*greeting) as server, follow(server) as driver:
        await driver.ready(5)
        assert server.authority.tokens == ["Bearer token-1"]
        assert server.authority.zones == [ZONE]
        server.authority.say(delta(6, revoked=["ses_1"]))
        await eventually(lambda: "ses_1" in driver.view.revoked)
        assert driver.view.age() < 5


async def test_a_feed_that_does_not_come_up_says_so_and_goes_on(
    follow: Follow, eventually: Eventually
) -> None:
    """No restart is needed when the authority appears at last."""
    async with feed_server(snapshot(5, key_set(Mint())), heartbeat(5)) as server:
        server.authority.refuse = grpc.StatusCode.PERMISSION_DENIED
        async with follow(server) as driver:
            with pytest.raises(CaracalError) as caught:
                await driver.ready(0.2)
            assert caught.value.reason is Reason.AUTHORITY_STALE
            server.authority.refuse = None
            await driver.ready(10)


async def test_a_feed_reconnects_with_fresh_credentials(
    follow: Follow, eventually: Eventually
) -> None:
    """What died in the gap is known with the next snapshot."""
    mint = Mint()
    greeting = snapshot(5, key_set(mint)), heartbeat(5)
    async with feed_server(*greeting) as server, follow(server) as driver:
        await driver.ready(5)
        server.authority.greeting = [snapshot(9, key_set(mint), ["ses_9"]), heartbeat(9)]
        server.authority.hush()
        await eventually(lambda: "ses_9" in driver.view.revoked)
        assert server.authority.tokens == ["Bearer token-1", "Bearer token-2"]


async def test_a_silent_stream_is_dropped_and_opened_again(
    follow: Follow, eventually: Eventually
) -> None:
    """A frozen authority does not hang the feed."""
    async with feed_server(snapshot(5, key_set(Mint())), heartbeat(5)) as server:
        server.authority.silent = True
        async with follow(server, silence=0.3) as driver:
            await eventually(lambda: len(server.authority.tokens) >= 2)
            server.authority.silent = False
            await driver.ready(10)


async def test_a_stream_whose_clock_was_set_forwards_is_opened_again(
    follow: Follow, eventually: Eventually
) -> None:
    """It proves nothing any more, and the next one does at once."""
    greeting = snapshot(5, key_set(Mint())), heartbeat(5)
    async with feed_server(*greeting) as server, follow(server) as driver:
        await driver.ready(5)
        server.authority.say(heartbeat(5, at=time.time() + 60))
        await eventually(lambda: len(server.authority.tokens) == 2)
        await eventually(lambda: driver.view.fresh)


async def test_a_killed_authority_is_found_again(follow: Follow, eventually: Eventually) -> None:
    """The view grows old meanwhile, and young again by itself."""
    mint = Mint()
    greeting = snapshot(5, key_set(mint)), heartbeat(5)
    async with feed_server(*greeting) as server, follow(server) as driver:
        await driver.ready(5)
        await server.kill()
        before = driver.view.age()
        await asyncio.sleep(0.3)
        assert driver.view.age() > before
        server.authority.greeting = [snapshot(8, key_set(mint)), heartbeat(8)]
        await server.start()
        await eventually(lambda: driver.view.revision == 8)


async def test_the_feed_of_another_issuer_never_becomes_ready(
    follow: Follow, caplog: pytest.LogCaptureFixture
) -> None:
    """It is refused and logged, and the view stays empty."""
    evil = key_set(Mint(), issuer="https://evil.test/zones/acme")
    async with feed_server(snapshot(5, evil), heartbeat(5)) as server, follow(server) as driver:
        with pytest.raises(CaracalError):
            await driver.ready(0.5)
        assert len(driver.view.keys) == 0
    assert "ISSUER_MISMATCH" in caplog.text
    assert "token-1" not in caplog.text


async def test_credentials_that_fail_do_not_end_the_feed(
    follow: Follow, eventually: Eventually
) -> None:
    """Any exception of theirs is one more failed attempt."""
    greeting = snapshot(5, key_set(Mint())), heartbeat(5)
    async with feed_server(*greeting) as server, follow(server) as driver:
        await driver.ready(5)
        driver.broken = True
        server.authority.hush()
        await eventually(lambda: driver.asked >= 3)
        driver.broken = False
        await eventually(lambda: server.authority.watchers == 1)


async def test_a_closed_feed_leaves_no_stream_behind(
    follow: Follow, eventually: Eventually
) -> None:
    """Its task or threads have ended, and the authority sees the stream go."""
    async with feed_server(snapshot(5, key_set(Mint())), heartbeat(5)) as server:
        async with follow(server) as driver:
            await driver.ready(5)
        await eventually(lambda: server.authority.watchers == 0)
        assert len(server.authority.tokens) == 1

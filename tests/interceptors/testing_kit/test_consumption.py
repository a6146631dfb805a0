"""Methods that take a mandate once, in a service team's own tests: no authority is needed."""

from __future__ import annotations

import pytest

from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import (
    ThrowawayAuthority,
    guarded_server,
    guarded_server_sync,
    refused,
)
from tests.interceptors.testing_kit.conftest import GOOD, added, sync_call
from tests.support.echo import SYNC_METHODS, Journal, path, sync_handlers
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient
from tests.support.keys import RESOURCE, SCOPES

ONCE = Rules([Rule(path(name), RESOURCE, SCOPES, single_use=True) for name in SYNC_METHODS])


async def test_a_replay_is_refused_in_a_teams_test() -> None:
    """By every server of one authority; the test may ask what was used."""
    authority, journal = ThrowawayAuthority(), Journal()
    add = added(aio_handlers(journal))
    async with (
        guarded_server(add, rules=ONCE, authority=authority) as orders,
        guarded_server(add, rules=ONCE, authority=authority) as payments,
    ):
        grant = authority.grant(**GOOD)
        mandate = authority.sign(grant)
        await EchoClient(orders.channel(mandate)).call("Unary")
        assert authority.consumption.consumed == {grant.jti}
        for server in (orders, payments):
            with refused("MANDATE_REPLAYED"):
                await EchoClient(server.channel(mandate)).call("Unary")
    assert journal.ran == ["Unary"]


async def test_authorities_share_nothing() -> None:
    """Each test has its own, and none sees what another used."""
    first, second = ThrowawayAuthority(), ThrowawayAuthority()
    assert first.consumption is not second.consumption


@pytest.mark.parametrize("method", SYNC_METHODS)
def test_a_sync_server_does_the_same(method: str) -> None:
    """In every cardinality; away is away, and back is as before."""
    journal = Journal()
    with guarded_server_sync(added(sync_handlers(journal)), rules=ONCE) as server:
        channel = server.channel(server.authority.mandate(**GOOD))
        server.authority.consumption.go_away()
        with refused("AUTHORITY_STALE"):
            sync_call(channel, method)
        server.authority.consumption.come_back()
        sync_call(channel, method)
        with refused("MANDATE_REPLAYED"):
            sync_call(channel, method)
    assert journal.ran == [method]

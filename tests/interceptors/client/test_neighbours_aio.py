"""Our client interceptors of grpc.aio with those of other people before and after them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.grpc import aio_client_interceptors
from opentelemetry.sdk.trace import TracerProvider

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import Dial
from tests.interceptors.calling import say_aio as say
from tests.interceptors.client.neighbours import (
    TAG,
    Logging,
    around_aio,
    retrying,
    tagging,
    wrapping,
)
from tests.interceptors.support import DENIED, EXPIRED, METHODS, Echo, FakeAuthority

DRAINING = CaracalError(Reason.DRAINING, "elsewhere")
NEIGHBOURS: dict[str, Callable[[], tuple[Any, ...]]] = {
    "retrying": lambda: around_aio(retrying),
    "logging": lambda: around_aio(Logging()),
    "tagging": lambda: around_aio(tagging),
    "wrapping": lambda: around_aio(wrapping),
    "opentelemetry": lambda: tuple(aio_client_interceptors(TracerProvider())),
}
each_neighbour = pytest.mark.parametrize("neighbour", NEIGHBOURS)
each_place = pytest.mark.parametrize("place", ["before", "after"])


@each_neighbour
@each_place
@pytest.mark.parametrize("name", METHODS)
async def test_call_carries_its_mandate(
    dial: Dial, authority: FakeAuthority, echo: Echo, neighbour: str, place: str, name: str
) -> None:
    """Exactly one, whoever else is there."""
    assert await say(dial(**{place: NEIGHBOURS[neighbour]()}), name) == "abc"
    assert echo.tokens == list(authority.issued.values())


@each_neighbour
@each_place
@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
async def test_refused_mandate_is_replaced(
    dial: Dial, authority: FakeAuthority, echo: Echo, neighbour: str, place: str, name: str
) -> None:
    """Around and inside others."""
    echo.refusals.append(EXPIRED)
    assert await say(dial(**{place: NEIGHBOURS[neighbour]()}), name) == "abc"
    assert echo.tokens == list(authority.issued.values())
    assert authority.count == 2


@each_neighbour
@each_place
@pytest.mark.parametrize("name", METHODS)
async def test_refused_exchange_shows_through(
    dial: Dial, authority: FakeAuthority, echo: Echo, neighbour: str, place: str, name: str
) -> None:
    """What the authority said reaches the caller."""
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say(dial(**{place: NEIGHBOURS[neighbour]()}), name)
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.POLICY_DENIED
    assert (authority.count, echo.calls) == (1, [])


@each_place
@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
@pytest.mark.parametrize("refusals", [[DRAINING, EXPIRED], [EXPIRED, DRAINING]])
async def test_somebody_who_retries_and_we_each_have_our_turn(
    dial: Dial, echo: Echo, place: str, name: str, refusals: list[CaracalError]
) -> None:
    """A service that was not there is called again by them, a refused mandate replaced by us."""
    echo.refusals.extend(refusals)
    assert await say(dial(**{place: around_aio(retrying)}), name) == "abc"
    assert len(echo.calls) == 3


@pytest.mark.parametrize(("place", "seen"), [("before", "OK"), ("after", "UNAUTHENTICATED OK")])
@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
async def test_somebody_who_logs_sees_what_is_there(
    dial: Dial, echo: Echo, place: str, seen: str, name: str
) -> None:
    """Outside of us one call, within us each try."""
    echo.refusals.append(EXPIRED)
    log = Logging()
    await say(dial(**{place: around_aio(log)}), name)
    await log.ended()
    assert [code.name for code in log.seen] == seen.split()


@each_place
@pytest.mark.parametrize("name", METHODS)
async def test_metadata_of_others_is_on_each_try(
    dial: Dial, echo: Echo, place: str, name: str
) -> None:
    """As is the mandate on theirs."""
    if name.startswith("Unary"):
        echo.refusals.append(EXPIRED)
    await say(dial(**{place: around_aio(tagging)}), name)
    assert all(TAG in call for call in echo.calls)
    assert None not in echo.tokens

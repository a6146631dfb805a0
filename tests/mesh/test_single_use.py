"""A mandate that is taken once: at the authority, before its request goes on."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.ids import REQUEST, require_id
from tests.mesh.asking import METHOD, envoy, grpc_web, proxyless
from tests.mesh.desk import (
    ASKED,
    Waiting,
    allowed,
    desk,
    refusal,
)

ONCE = ASKED | {"single_use": True}
OTHER = "/caracal.test.Cell/Other"


@pytest.mark.parametrize("shape", [envoy, grpc_web])
async def test_a_mandate_that_is_taken_once_is_consumed_before_it_goes_on(shape: Any) -> None:
    """A second request is refused."""
    kit = desk({METHOD: ONCE})
    carried = kit.bearer()
    assert allowed(await kit.ask(shape(headers=carried)))
    again = await kit.ask(shape(headers=carried, exchange="another"))
    assert refusal(again).reason == "MANDATE_REPLAYED"


async def test_a_proxy_that_asks_again_has_not_used_a_mandate_twice() -> None:
    """The use has the name of the proxy's own request; gRPC itself has none, and asks once.

    One that the caller chose is none: it would be the same for every request that has it.
    """
    kit = desk({METHOD: ONCE, OTHER: ONCE})
    uses: list[str] = []
    consume = kit.authority.consumption.consume_aio

    async def noting(admission: Any, timeout: float) -> None:
        uses.append(admission.use)
        await consume(admission, timeout)

    kit.verdicts._consumer = noting
    for request in (
        envoy(headers=kit.bearer(), exchange="1"),
        envoy(headers=kit.bearer(), exchange="1"),
        envoy(headers=kit.bearer(), exchange="2"),
        envoy(OTHER, headers=kit.bearer(), exchange="1"),
        proxyless(headers=kit.bearer()),
        envoy(headers=[*kit.bearer(), ("x-request-id", "3")], exchange="3"),
    ):
        assert allowed(await kit.ask(request))
    assert uses[0] == uses[1] == require_id("use", uses[0], REQUEST)
    assert len(set(uses)) == 4
    assert uses[4:] == ["", ""]


@pytest.mark.parametrize(("waits", "most"), [(1.0, 0.8), (3.0, 2.4), (60.0, 5.0), (None, 5.0)])
async def test_the_authority_is_asked_for_less_than_the_proxy_waits(
    waits: float | None, most: float
) -> None:
    """So that there is time to refuse when it does not answer."""
    kit = desk({METHOD: ONCE})
    allotted: list[float] = []

    async def noting(_admission: Any, timeout: float) -> None:
        allotted.append(timeout)

    kit.verdicts._consumer = noting
    assert allowed(await kit.servicer.Check(envoy(headers=kit.bearer()), Waiting(waits)))
    assert allotted == [pytest.approx(most)]


async def test_a_mandate_that_would_be_refused_is_not_consumed() -> None:
    """Nor is one for something else."""
    kit = desk({METHOD: ONCE})
    await kit.ask(envoy(headers=kit.bearer(scopes="cells:other")))
    assert kit.authority.consumption.consumed == frozenset()


async def test_nothing_is_taken_once_where_nobody_can_consume_it() -> None:
    """And when the authority cannot be reached."""
    kit = desk({METHOD: ONCE}, consumes=False)
    assert refusal(await kit.ask(envoy(headers=kit.bearer()))).reason == "AUTHORITY_STALE"
    kit = desk({METHOD: ONCE})
    kit.authority.consumption.go_away()
    assert refusal(await kit.ask(envoy(headers=kit.bearer()))).reason == "AUTHORITY_STALE"

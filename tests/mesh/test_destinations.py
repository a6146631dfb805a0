"""Where a request on the way out may go: to an upstream that is declared, for what that serves."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.mesh.upstreams import Upstreams
from tests.mesh.asking import GRPC_SHAPES
from tests.mesh.desk import allowed, refusal
from tests.mesh.swapping import (
    CHARGE,
    PAYMENTS,
    kit,
    upstream,
)
from tests.support.refusals import refused


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.test",
        "payments.test.evil.test",
        "payments.test,evil.test",
        "payments.test/evil.test",
        "payments.test\\evil.test",
        "user@payments.test",
        "evil.test#payments.test",
        "payments.test:1:2",
        "payments.test..",
        "xn--payments-test",
        "payment\u0455.test".encode().decode("latin-1"),
        "payments.test ",
    ],
)
async def test_no_rule_no_exchange_whatever_the_host_is_called(host: str) -> None:
    """A host that is not exactly one of an upstream goes nowhere, and neither does a mandate."""
    made = kit()
    answer = await made.out(token=made.inbound(), host=host)
    assert refusal(answer).reason in {Reason.METHOD_NOT_DECLARED, Reason.FIELD_INVALID}
    assert made.exchange.asks == []


@pytest.mark.parametrize("host", ["PAYMENTS.Test", "payments.test:8443", "payments.test."])
async def test_the_ways_to_write_a_host_are_one(host: str) -> None:
    """Case, port and last dot name no other."""
    made = kit()
    assert allowed(await made.out(token=made.inbound(), host=host))


async def test_an_upstream_gets_no_mandate_for_another() -> None:
    """Who is asked for the method of another service could use the mandate there."""
    stock = upstream(
        name="stock", hosts=frozenset({"stock.test"}), resources=frozenset({"resource://stock"})
    )
    made = kit(upstreams=[PAYMENTS, stock])
    token = made.inbound()
    answer = await made.out(CHARGE, token, host="stock.test")
    assert refusal(answer).reason is Reason.METHOD_NOT_DECLARED
    assert made.exchange.asks == []
    assert allowed(await made.out("/shop.v1.Stock/Read", token, host="stock.test"))


@pytest.mark.parametrize(
    "path", ["/shop.v1.Payments/Refund", "/shop.v1.payments/charge", "/shop.v1.Payments/Charge/"]
)
async def test_a_method_without_a_rule_goes_nowhere(path: str) -> None:
    """There is nothing that it could be exchanged for."""
    made = kit()
    assert refusal(await made.out(path, made.inbound())).reason is Reason.METHOD_NOT_DECLARED
    assert made.exchange.asks == []


async def test_a_method_whose_resource_is_in_its_requests_goes_nowhere() -> None:
    """No proxy shows them."""
    rule = {"resource": "resource://payments/{id}", "scopes": ["payments:charge"]}
    made = kit({CHARGE: rule}, upstreams=[upstream(resources=frozenset({"resource://payments/*"}))])
    assert refusal(await made.out(token=made.inbound())).reason is Reason.METHOD_NOT_DECLARED


async def test_an_upstream_may_be_one_port_of_a_host() -> None:
    """Whose mandates go to no other port, and no other's to it."""
    stock = frozenset({"resource://stock"})
    one = upstream(name="stock", hosts=frozenset({"payments.test:8443"}), resources=stock)
    made = kit(upstreams=[PAYMENTS, one])
    token, read = made.inbound(), "/shop.v1.Stock/Read"
    told_apart = {
        (host, path): allowed(await made.out(path, token, host=host))
        for host in ("payments.test", "payments.test:8443", "Payments.test:443")
        for path in (CHARGE, read)
    }
    assert {each for each, passes in told_apart.items() if passes} == {
        ("payments.test", CHARGE),
        ("Payments.test:443", CHARGE),
        ("payments.test:8443", read),
    }


async def test_an_upstream_of_one_port_has_no_other() -> None:
    """Nor the host without one: a proxy that strips ports shows nothing to go by."""
    made = kit(upstreams=[upstream(hosts=frozenset({"payments.test:8443"}))])
    token = made.inbound()
    assert allowed(await made.out(token=token, host="payments.test:8443"))
    for host in ("payments.test", "payments.test:", "payments.test:8444", "payments.test:08443"):
        answer = await made.out(token=token, host=host)
        assert refusal(answer).reason is Reason.METHOD_NOT_DECLARED


async def test_a_question_of_grpc_itself_goes_nowhere() -> None:
    """It says no host, and no direction: it is a question about the way in."""
    made = kit()
    request = GRPC_SHAPES["proxyless"](CHARGE, [("authorization", f"Bearer {made.inbound()}")])
    assert refusal(await made.ask(request)).reason is Reason.METHOD_NOT_DECLARED
    assert made.exchange.asks == []


def test_two_upstreams_with_one_host_are_refused() -> None:
    """Nobody could say which of them a mandate is for."""
    with refused("FIELD_INVALID"):
        Upstreams([PAYMENTS, upstream(name="other")])


@pytest.mark.parametrize(
    "changes",
    [
        {"hosts": frozenset()},
        {"hosts": frozenset({"Payments.test"})},
        {"hosts": frozenset({"payments.test:0"})},
        {"hosts": frozenset({"payments.test:"})},
        {"hosts": frozenset({":443"})},
        {"hosts": frozenset({"payments.test:443:443"})},
        {"hosts": frozenset({"*"})},
        {"hosts": frozenset({"*.test"})},
        {"hosts": frozenset({""})},
        {"resources": frozenset()},
        {"resources": frozenset({"payments"})},
        {"on_behalf": "sometimes"},
    ],
)
def test_half_an_upstream_is_refused(changes: dict[str, Any]) -> None:
    """At the start, naming what is wrong."""
    with refused("FIELD_INVALID"):
        upstream(**changes)


def test_nobody_becomes_the_workload_because_a_caller_was_not_found() -> None:
    """To look for callers and to act without one do not go together."""
    with refused("FIELD_INVALID"):
        kit(upstreams=[upstream(on_behalf="optional")], correlate="traceparent")

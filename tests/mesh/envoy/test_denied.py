"""What may not go on ends at the sidecar, in the words of whoever speaks: gRPC, gRPC-Web, HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import pytest

from caracal_grpc.core.reason import HTTP_STATUS_OF, Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.mesh.envoy.conftest import Granted
from tests.stories.support import whole_ledger
from tests.support.authority import Running, eventually
from tests.support.grpc_web import web_call
from tests.support.mesh import CANCEL, PLACE, SERVICE, Sidecar
from tests.support.mutual import claims
from tests.support.shop import CARACAL, STOCK

pytestmark = pytest.mark.asyncio(loop_scope="module")

Shown = Callable[[Running, Granted], Awaitable[str]]


async def nothing(_served: Running, _granted: Granted) -> str:
    """No mandate."""
    return ""


async def noise(_served: Running, _granted: Granted) -> str:
    """What is none."""
    return "noise"


async def altered(_served: Running, granted: Granted) -> str:
    """A mandate with another signature."""
    head, body, signature = (await granted()).split(".")
    return ".".join((head, body, ("B" if signature[0] == "A" else "A") + signature[1:]))


async def good(_served: Running, granted: Granted) -> str:
    """One that is good."""
    return await granted()


async def of_stock(_served: Running, granted: Granted) -> str:
    """One for another resource."""
    return await granted(STOCK, "stock:read")


async def of_the_authority(served: Running, _granted: Granted) -> str:
    """One that only the authority itself takes."""
    return str((await served.exchange("agent", CARACAL)).mandate)


async def of_another_zone(served: Running, _granted: Granted) -> str:
    """The operator's."""
    return str((await served.exchange("operator", CARACAL, zone="caracal")).mandate)


async def revoked(served: Running, granted: Granted) -> str:
    """One that was revoked."""
    token = await granted()
    await served.revoke(claims(token)["jti"])
    return token


@dataclass(frozen=True)
class Case:
    """What is shown, to what, and why it is refused."""

    reason: Reason
    shown: Shown
    method: str = PLACE
    target: str = "/orders/o-1"


CASES = [
    Case(Reason.MANDATE_MISSING, nothing),
    Case(Reason.MANDATE_MALFORMED, noise),
    Case(Reason.MANDATE_SIGNATURE_INVALID, altered),
    Case(Reason.AUDIENCE_MISMATCH, of_stock),
    Case(Reason.USE_MISMATCH, of_the_authority),
    Case(Reason.KEY_UNKNOWN, of_another_zone),
    Case(Reason.SCOPE_INSUFFICIENT, good, CANCEL, "/orders/o-1:track"),
    Case(Reason.METHOD_NOT_DECLARED, good, f"/{SERVICE}/Delete", "/invoices/i-1"),
]


async def refused(orders: Sidecar, case: Case, token: str) -> grpc.aio.AioRpcError:
    """What a client of gRPC gets, once the feed has brought what it is about."""

    async def holds() -> bool:
        error = await _error(orders, case.method, token)
        found = from_rpc_error(error) if error is not None else None
        return found is not None and found.reason is case.reason

    if case.shown is revoked:
        await eventually(holds)
    before = orders.reached
    error = await _error(orders, case.method, token)
    assert error is not None, "it was let through"
    assert orders.reached == before
    return error


async def _error(orders: Sidecar, method: str, token: str) -> grpc.aio.AioRpcError | None:
    try:
        await orders.call(token, method)
    except grpc.aio.AioRpcError as error:
        return error
    return None


@pytest.mark.parametrize(
    "case", [*CASES, Case(Reason.MANDATE_REVOKED, revoked)], ids=lambda case: case.reason.value
)
async def test_each_speaks_its_own_language(
    orders: Sidecar, served: Running, granted: Granted, case: Case
) -> None:
    """The same reason, with its status, for a client of gRPC, of gRPC-Web and of HTTP; none of
    them reaches the service.
    """
    token = await case.shown(served, granted)
    error = await refused(orders, case, token)
    refusal = from_rpc_error(error)
    assert refusal is not None
    assert (refusal.reason, refusal.code) == (case.reason, error.code().name)
    assert refusal.metadata["decision_id"].startswith("aud_")
    trailer = error.trailing_metadata()
    assert trailer is not None
    assert trailer["x-caracal-decision-id"] == refusal.metadata["decision_id"]

    before = orders.reached
    headers = (("Authorization", f"Bearer {token}"),) if token else ()
    web = await web_call(orders.envoy.address(), case.method, b"tea", headers)
    assert web.refusal is not None
    assert (web.http_status, web.messages, web.refusal.reason) == (200, [], case.reason)
    assert web.status == error.code().value[0]

    answer = await orders.http(token, "GET", case.target)
    assert answer.status == HTTP_STATUS_OF[case.reason]
    assert answer.problem["reason"] == case.reason.value
    assert answer.problem["decision_id"] == answer.header("x-caracal-decision-id") != ""
    assert not [name for name, _ in answer.headers if name.startswith("grpc-")]
    assert answer.header("www-authenticate").startswith("Bearer") is (
        answer.status == 401 or case.reason is Reason.SCOPE_INSUFFICIENT
    )
    assert orders.reached == before


async def test_a_refusal_is_in_the_ledger(orders: Sidecar, served: Running) -> None:
    """By the id that the caller was told, and that the access log has."""
    answer = await orders.http("", "GET", "/orders/o-9")
    decision = answer.header("x-caracal-decision-id")

    async def recorded() -> bool:
        return decision in str(await whole_ledger(served))

    async def logged() -> bool:
        lines = [each for each in orders.envoy.access_log if each["decision_id"] == decision]
        return [(each["decision"], each["reason"]) for each in lines] == [
            ("deny", "MANDATE_MISSING")
        ]

    await eventually(recorded)
    await eventually(logged)

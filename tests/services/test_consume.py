"""TokenService.Consume over the wire, as the guards of edges call it."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import audit_service_pb2, token_service_pb2
from tests.services.test_answers import CONSUME, noted
from tests.support.authority import Running, bearer, reason_of
from tests.support.contract import Answers, promised
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, rego, shop

FIRST = "req_01h455vb4pex5vsknk084sn02q"
SECOND = "req_01h455vb4pex5vsknk084sn02r"
METHOD = "/shop.v1.OrderService/Place"


async def consume(authority: Running, mandate: str, name: str = "orders", **more: Any) -> Any:
    """What the application `name` is answered; `more` are fields of the request."""
    fields = {"zone": "shop", "mandate": mandate, "request_id": FIRST, "method": METHOD}
    request = token_service_pb2.ConsumeRequest(**(fields | more))
    return await authority.stubs.tokens.Consume(request, metadata=await authority.caller(name))


async def test_mandate_is_consumed_once(authority: Running, answers: Answers) -> None:
    """The same request is answered again, another one is refused with the entry that tells."""
    issued = await authority.exchange("agent", ORDERS)
    first = await consume(authority, issued.mandate)
    again = await consume(authority, issued.mandate)
    assert first.revision == again.revision > 0
    with refused(Reason.MANDATE_REPLAYED) as refusal:
        await consume(authority, issued.mandate, request_id=SECOND)
    await noted(answers, CONSUME, "MANDATE_REPLAYED")
    search = audit_service_pb2.SearchRequest(zone="shop", jti=issued.jti, type="mandate.consume")
    metadata = await authority.operator()
    found = (await authority.stubs.audit.Search(search, metadata=metadata)).entries
    assert [each.id for each in found] == [
        first.audit_id,
        again.audit_id,
        refusal.metadata["audit_id"],
    ]
    assert {each.jti for each in found} == {issued.jti}


async def test_explaining_a_mandate_is_explaining_its_issue(authority: Running) -> None:
    """Its use is another entry, and a mandate that was used is not dead."""
    issued = await authority.exchange("agent", ORDERS)
    await consume(authority, issued.mandate)
    request = audit_service_pb2.ExplainRequest(zone="shop", jti=issued.jti)
    metadata = await authority.operator()
    found = await authority.stubs.audit.Explain(request, metadata=metadata)
    assert (found.entry.id, found.alive) == (issued.audit_id, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_id": ""},
        {"request_id": "mine"},
        {"request_id": "aud_01h455vb4pex5vsknk084sn02q"},
        {"method": ""},
        {"method": "/" * 513},
        {"method": "/a.B/C\n"},
        {"zone": "SHOP"},
    ],
    ids=str,
)
async def test_malformed_request_is_a_bad_field(authority: Running, wrong: dict[str, str]) -> None:
    """FIELD_INVALID naming it, and the mandate is as good as before."""
    issued = await authority.exchange("agent", ORDERS)
    with refused(Reason.FIELD_INVALID) as refusal:
        await consume(authority, issued.mandate, **wrong)
    assert refusal.fields == list(wrong)
    await consume(authority, issued.mandate)


async def test_what_is_no_good_mandate_is_told_as_by_a_guard(authority: Running) -> None:
    """Each with its entry; what is wrong with the caller's own has none."""
    issued = await authority.exchange("agent", ORDERS)
    session = await authority.exchange("agent", CARACAL)
    await authority.revoke(issued.jti)
    wrong = {
        "a.b.c": Reason.MANDATE_MALFORMED,
        issued.mandate: Reason.MANDATE_REVOKED,
        session.mandate: Reason.USE_MISMATCH,
    }
    for token, reason in wrong.items():
        with refused(reason) as refusal:
            await consume(authority, token)
        assert refusal.metadata["audit_id"].startswith("aud_")
        assert reason.value in promised(CONSUME)
    request = token_service_pb2.ConsumeRequest(zone="shop", mandate=issued.mandate)
    with refused(Reason.USE_MISMATCH) as own:
        await authority.stubs.tokens.Consume(request, metadata=bearer(issued.mandate))
    assert "audit_id" not in own.metadata


async def test_policy_of_a_zone_may_keep_it_from_its_applications(authority: Running) -> None:
    """SCOPE_INSUFFICIENT for a mandate that was granted anything else only."""
    decision = '{"decision": "allow", "scopes": ["caracal:sessions:read"]}'
    issued = await authority.exchange("agent", ORDERS)
    await authority.apply(shop(policy=rego(decision)))
    assert await reason_of(consume(authority, issued.mandate)) is Reason.SCOPE_INSUFFICIENT

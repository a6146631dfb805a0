"""AuditService on the wire: search, explain, checkpoint."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.v1 import audit_pb2, audit_service_pb2, mandate_pb2
from tests.support.authority import Running, reason_of
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, STOCK

MOMENT = Timestamp(seconds=1)
_DECISIONS: dict[Any, str] = {
    audit_pb2.AUDIT_DECISION_ALLOW: "allow",
    audit_pb2.AUDIT_DECISION_DENY: "deny",
    audit_pb2.AUDIT_DECISION_DONE: "done",
}


async def search(authority: Running, **query: Any) -> Any:
    """One page of the shop's ledger, for the operator."""
    request = audit_service_pb2.SearchRequest(zone="shop", **query)
    return await authority.stubs.audit.Search(request, metadata=await authority.operator())


async def explain(authority: Running, **target: str) -> Any:
    """An explanation, for the operator."""
    request = audit_service_pb2.ExplainRequest(zone="shop", **target)
    return await authority.stubs.audit.Explain(request, metadata=await authority.operator())


async def a_little_history(authority: Running) -> list[str]:
    """Three grants and a refusal; returns the ids of their entries."""
    ids = [
        (await authority.exchange("agent", ORDERS, request_id=f"r{n}")).audit_id for n in range(3)
    ]
    with refused(Reason.POLICY_DENIED) as seen:
        await authority.exchange("agent", PAYMENTS, "payments:charge", request_id="r3")
    return [*ids, seen.metadata["audit_id"]]


async def test_search_finds_what_matches(authority: Running) -> None:
    """Every filter narrows; set together they must all match."""
    ids = await a_little_history(authority)
    application = authority.credentials["shop", "agent"].application_id
    first = (await search(authority, request_id="r0")).entries[0]
    queries: list[tuple[dict[str, Any], list[str]]] = [
        ({"decision": audit_pb2.AUDIT_DECISION_DENY}, ids[3:]),
        ({"reason": "POLICY_DENIED"}, ids[3:]),
        ({"application_id": application}, ids),
        ({"resource": ORDERS}, ids[:3]),
        ({"jti": first.jti}, ids[:1]),
        ({"session_id": first.session_id, "resource": PAYMENTS}, ids[3:]),
        ({"subject": application, "request_id": "r2"}, ids[2:3]),
        ({"type": "exchange", "newest_first": True}, ids[::-1]),
        ({"type": "exchange", "order_by": "time desc"}, ids[::-1]),
        ({"type": "exchange", "order_by": "  request_id   desc "}, ids[::-1]),
        ({"type": "exchange", "order_by": "reason"}, ids),
        ({"type": "exchange", "order_by": "resource", "since": MOMENT}, ids),
        ({"audit_id": ids[1]}, ids[1:2]),
        ({"audit_id": ids[1], "resource": PAYMENTS}, []),
        ({"type": "nothing"}, []),
    ]
    for query, wanted in queries:
        found = await search(authority, **query)
        assert [entry.id for entry in found.entries] == wanted, query


ORDERS_BY = """index time type decision reason application_id
subject resource session_id jti request_id"""


@pytest.mark.parametrize("name", ORDERS_BY.split())
async def test_every_order_that_is_named_is_one(authority: Running, name: str) -> None:
    """By the value of that field, equals by index; and `desc` is the whole of it turned round."""
    await a_little_history(authority)

    def place(entry: audit_pb2.AuditEntry) -> tuple[Any, int]:
        value = entry.time.ToMilliseconds() if name == "time" else getattr(entry, name)
        return (_DECISIONS.get(value) if name == "decision" else value), entry.index

    found = list((await search(authority, order_by=name, page_size=1000)).entries)
    assert len(found) > 4
    assert [each.id for each in found] == [each.id for each in sorted(found, key=place)]
    backward = (await search(authority, order_by=f"{name} desc", page_size=1000)).entries
    assert [each.id for each in backward] == [each.id for each in reversed(found)]


async def test_what_a_change_was_about_is_found(authority: Running) -> None:
    """By the id of what was revoked."""
    issued = await authority.exchange("agent", ORDERS)
    await authority.revoke(issued.jti)
    (entry,) = (await search(authority, about=issued.jti)).entries
    assert (entry.type, json.loads(entry.canonical)["details"]["anchor"]) == (
        "revocation",
        issued.jti,
    )


async def test_pages_follow_each_other(authority: Running) -> None:
    """Every entry once, and an empty token at the end."""
    ids, found, token = await a_little_history(authority), [], ""
    while True:
        page = await search(authority, type="exchange", page_size=3, page_token=token)
        found += [entry.id for entry in page.entries]
        token = page.next_page_token
        if not token:
            break
    assert found == ids


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": -1},
        {"page_size": 1001},
        {"page_token": "nonsense"},
        {"page_token": "MTAuMTA="},
        {"decision": 99},
        {"audit_id": "x"},
        {"order_by": "leaf_hash"},
        {"order_by": "application"},
        {"order_by": "time asc"},
        {"order_by": "time desc desc"},
        {"order_by": "time, reason"},
        {"order_by": "time", "newest_first": True},
        {"subject": "a\0b"},
    ],
    ids=str,
)
async def test_bad_query_is_refused(authority: Running, query: dict[str, Any]) -> None:
    """FIELD_INVALID."""
    assert await reason_of(search(authority, **query)) is Reason.FIELD_INVALID


@pytest.mark.parametrize("seconds", [-(2**62), -1, 0, 2**62, 2**63 - 1])
async def test_times_beyond_all_reason_are_no_fault(authority: Running, seconds: int) -> None:
    """Any moment that the message can hold is answered: nothing before, everything since."""
    await a_little_history(authority)
    moment = Timestamp(seconds=seconds)
    since = await search(authority, since=moment)
    until = await search(authority, until=moment)
    early, late = (since, until) if seconds <= 0 else (until, since)
    assert early.entries
    assert not late.entries


async def test_entry_can_be_verified_by_hand(authority: Running) -> None:
    """The leaf is the hash of the canonical bytes, and the bytes are what the fields say."""
    ids = await a_little_history(authority)
    entry = (await search(authority, request_id="r0")).entries[0]
    assert entry.leaf_hash == hashlib.sha256(b"\0" + entry.canonical).digest()
    event = json.loads(entry.canonical)
    assert (event["id"], event["index"], event["type"]) == (ids[0], entry.index, "exchange")


USES = {
    "resource": mandate_pb2.MANDATE_USE_RESOURCE,
    "session": mandate_pb2.MANDATE_USE_SESSION,
}


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, whoever signed it."""
    claims: dict[str, Any] = json.loads(base64url.decode(token.split(".")[1]))
    return claims


def as_claims(told: mandate_pb2.Mandate) -> dict[str, Any]:
    """A told mandate in the names of the claims; of its times the end."""
    hops = [
        {"application_id": hop.application_id, "agent_session_id": hop.agent_session_id}
        for hop in told.chain
    ]
    return {
        "jti": told.jti,
        "iss": told.issuer,
        "zone_id": told.zone,
        "use": {value: name for name, value in USES.items()}[told.use],
        "aud": [told.resource],
        "scope": " ".join(told.scopes),
        "sub": told.subject,
        "client_id": told.application_id,
        "sid": told.session_id,
        "root_sid": told.root_session_id,
        "exp": told.expire_time.seconds,
        "policy_version": told.policy_version,
        "audit_id": told.audit_id,
    } | ({"delegation_chain": hops} if hops else {})


async def test_told_mandate_says_what_the_token_says(authority: Running) -> None:
    """One for the authority, one for a resource, and one of two hops, claim by claim."""
    own = await authority.exchange("agent", CARACAL)
    first = await authority.exchange("agent", ORDERS, "orders:place")
    second = await authority.exchange("orders", PAYMENTS, subject_token=first.mandate)
    third = await authority.exchange("payments", STOCK, subject_token=second.mandate)
    for issued in (own, first, third):
        told = as_claims((await explain(authority, jti=issued.jti)).mandate)
        claims = claims_of(issued.mandate)
        assert told == {name: claims[name] for name in told}
    assert len(claims["delegation_chain"]) == 2


async def test_explain_tells_what_killed_the_mandate(authority: Running) -> None:
    """Its own death, not that of the mandate which it stands on: that is another id."""
    issued = await authority.exchange("agent", ORDERS, "orders:place")
    second = await authority.exchange("orders", PAYMENTS, subject_token=issued.mandate)
    assert (await explain(authority, jti=second.jti)).alive
    await authority.revoke(issued.jti)
    assert (await explain(authority, jti=second.jti)).alive, "another mandate, another id"
    await authority.revoke(second.jti)
    assert (await explain(authority, jti=second.jti)).dead_by == second.jti


@pytest.mark.parametrize(
    "target",
    [{}, {"audit_id": "x"}, {"jti": "aud_01h455vb4pex5vsknk084sn02q"}, {"request_id": ""}],
    ids=str,
)
async def test_bad_target_is_refused(authority: Running, target: dict[str, str]) -> None:
    """FIELD_INVALID: exactly one id, of its kind."""
    assert await reason_of(explain(authority, **target)) is Reason.FIELD_INVALID


async def test_checkpoint_is_signed_by_the_key_it_names(authority: Running) -> None:
    """A C2SP signed note over size and root."""
    from base64 import b64decode

    await a_little_history(authority)
    request = audit_service_pb2.GetCheckpointRequest(zone="shop")
    response = await authority.stubs.audit.GetCheckpoint(
        request, metadata=await authority.operator()
    )
    checkpoint = response.checkpoint
    body, _, signature = checkpoint.note.partition("\n\n")
    name, key_hash, key = checkpoint.verifier_key.split("+", 2)
    raw = b64decode(signature.split()[-1])
    assert body.splitlines()[0] == name == "a.example/zones/shop"
    assert raw[:4].hex() == key_hash
    assert verify_ed25519(b64decode(key)[1:], raw[4:], (body + "\n").encode())
    assert body.splitlines()[1] == str(checkpoint.size)

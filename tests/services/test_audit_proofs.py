"""AuditService on the wire: proofs and receipts that anybody checks offline."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.ledger.notes.note import TreeHead, VerifierKey, open_checkpoint
from caracal_grpc.ledger.port import unavailable
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.ledger.tree import Frontier, leaf_hash
from caracal_grpc.ledger.trees.proof import joined, verify_consistency, verify_inclusion
from caracal_grpc.v1 import audit_service_pb2, zone_service_pb2
from tests.support.authority import Running, reason_of
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, shop


async def ask(authority: Running, method: str, **fields: Any) -> Any:
    """The answer of an rpc of the audit about the shop, for the operator."""
    fields = {"zone": "shop", **fields}
    request = getattr(audit_service_pb2, f"{method}Request")(**fields)
    call = getattr(authority.stubs.audit, method)
    return await call(request, metadata=await authority.operator())


def head(checkpoint: Any) -> TreeHead:
    """What a checkpoint says, once its signature is found good."""
    opened = open_checkpoint(
        checkpoint.note, VerifierKey.parse(checkpoint.verifier_key), verify_ed25519
    )
    assert (opened.size, opened.root) == (checkpoint.size, checkpoint.root_hash)
    return opened


def holds(receipt: Any) -> bool:
    """Whether a receipt proves its entry."""
    signed = head(receipt.checkpoint)
    assert leaf_hash(receipt.canonical) == receipt.leaf_hash
    hashes = tuple(receipt.hashes)
    return verify_inclusion(receipt.index, signed.size, receipt.leaf_hash, hashes, signed.root)


async def test_an_entry_is_proven_by_its_id_and_its_place(authority: Running) -> None:
    """In the newest tree, and in any that it was in before."""
    issued = await authority.exchange("agent", ORDERS)
    receipt = (await ask(authority, "GetInclusionProof", audit_id=issued.audit_id)).receipt
    assert receipt.zone == "shop"
    assert json.loads(receipt.canonical)["id"] == issued.audit_id
    assert holds(receipt)
    by_place = (await ask(authority, "GetInclusionProof", index=receipt.index)).receipt
    assert (by_place.leaf_hash, by_place.canonical) == (receipt.leaf_hash, receipt.canonical)
    size = receipt.checkpoint.size
    for _ in range(3):
        await authority.exchange("agent", ORDERS)
    for target in ({"audit_id": issued.audit_id}, {"index": receipt.index}):
        then = (await ask(authority, "GetInclusionProof", tree_size=size, **target)).receipt
        assert holds(then)
        assert then.checkpoint.size == size


async def test_growth_is_proven(authority: Running) -> None:
    """From any size to any larger one."""
    older = (await ask(authority, "GetCheckpoint")).checkpoint
    for _ in range(5):
        await authority.exchange("agent", ORDERS)
    newest = (await ask(authority, "GetCheckpoint")).checkpoint
    proof = await ask(authority, "GetConsistencyProof", first_size=older.size)
    first, second = head(older), head(proof.checkpoint)
    assert (second.size, second.root) == (newest.size, newest.root_hash)
    hashes = tuple(proof.hashes)
    assert verify_consistency(first.size, second.size, first.root, second.root, hashes)
    between = await ask(
        authority, "GetConsistencyProof", first_size=older.size, second_size=older.size + 2
    )
    middle = head(between.checkpoint)
    assert middle.size == older.size + 2
    hashes = tuple(between.hashes)
    assert verify_consistency(first.size, middle.size, first.root, middle.root, hashes)


async def test_a_range_is_proven(authority: Running) -> None:
    """The entries of it, with what is before and behind, lead to the signed root."""
    for _ in range(5):
        await authority.exchange("agent", ORDERS)
    size = (await ask(authority, "GetCheckpoint")).checkpoint.size
    proof = await ask(authority, "GetRangeProof", start_index=2, end_index=size - 1)
    entries = (await ask(authority, "Search")).entries
    before = joined(Frontier(), proof.before, 2)
    grown = before.extend(each.leaf_hash for each in entries[2 : size - 1])
    whole = joined(grown, proof.after, size)
    assert whole.root() == head(proof.checkpoint).root


@pytest.mark.parametrize(
    ("method", "fields", "reason"),
    [
        ("GetInclusionProof", {}, Reason.FIELD_INVALID),
        ("GetInclusionProof", {"index": -1}, Reason.FIELD_INVALID),
        ("GetInclusionProof", {"index": 10_000}, Reason.FIELD_INVALID),
        ("GetInclusionProof", {"index": 1, "tree_size": 1}, Reason.FIELD_INVALID),
        ("GetInclusionProof", {"index": 0, "tree_size": 10_000}, Reason.FIELD_INVALID),
        ("GetInclusionProof", {"audit_id": "nonsense"}, Reason.FIELD_INVALID),
        (
            "GetInclusionProof",
            {"audit_id": "aud_01h455vb4pex5vsknk084sn02q"},
            Reason.OBJECT_NOT_FOUND,
        ),
        ("GetInclusionProof", {"zone": "nowhere", "index": 0}, Reason.OBJECT_NOT_FOUND),
        ("GetConsistencyProof", {}, Reason.FIELD_INVALID),
        ("GetConsistencyProof", {"first_size": 2, "second_size": 1}, Reason.FIELD_INVALID),
        ("GetConsistencyProof", {"first_size": 10_000}, Reason.FIELD_INVALID),
        ("GetConsistencyProof", {"zone": "nowhere", "first_size": 1}, Reason.OBJECT_NOT_FOUND),
        ("GetRangeProof", {"start_index": 2, "end_index": 1}, Reason.FIELD_INVALID),
        ("GetRangeProof", {"end_index": -1}, Reason.FIELD_INVALID),
        ("GetRangeProof", {"zone": "nowhere"}, Reason.OBJECT_NOT_FOUND),
        ("GetIntegrity", {"zone": "nowhere"}, Reason.OBJECT_NOT_FOUND),
        ("GetIntegrity", {"zone": ""}, Reason.FIELD_INVALID),
    ],
    ids=str,
)
async def test_what_the_tree_has_not_is_refused(
    authority: Running, method: str, fields: dict[str, Any], reason: Reason
) -> None:
    """Naming what is wrong."""
    assert await reason_of(ask(authority, method, **fields)) is reason


async def test_an_entry_that_the_tree_had_not_is_refused(authority: Running) -> None:
    """By its id, too: the size is what is wrong."""
    issued = await authority.exchange("agent", ORDERS)
    with refused(Reason.FIELD_INVALID) as refusal:
        await ask(authority, "GetInclusionProof", audit_id=issued.audit_id, tree_size=1)
    assert refusal.fields == ["tree_size"]


async def test_a_removed_zone_is_still_proven(authority: Running) -> None:
    """Operators prove on what it did."""
    issued = await authority.exchange("agent", ORDERS)
    await authority.apply({"name": "shop"})
    await authority.stubs.zones.Delete(
        zone_service_pb2.ZoneServiceDeleteRequest(zone="shop"), metadata=await authority.operator()
    )
    assert holds((await ask(authority, "GetInclusionProof", audit_id=issued.audit_id)).receipt)
    assert (await ask(authority, "GetConsistencyProof", first_size=1)).checkpoint.size > 1
    assert (await ask(authority, "GetRangeProof")).checkpoint.size > 1
    assert (await ask(authority, "GetIntegrity")).ready


async def test_proofs_are_for_who_may_read(authority: Running) -> None:
    """`caracal:audit:read`, which an application may be granted for its own zone."""
    request = audit_service_pb2.GetRangeProofRequest(zone="shop")
    prove = authority.stubs.audit.GetRangeProof
    agent = await authority.caller("agent")
    assert await reason_of(prove(request, metadata=agent)) is Reason.SCOPE_INSUFFICIENT
    changed = shop()
    changed["policy"]["grants"].append(
        {"application": "orders", "resource": CARACAL, "scopes": ["caracal:audit:read"]}
    )
    await authority.apply(changed)
    orders = await authority.caller("orders")
    assert (await prove(request, metadata=orders)).checkpoint.size
    request.zone = "caracal"
    assert await reason_of(prove(request, metadata=orders)) is Reason.ZONE_FORBIDDEN


async def test_a_mandate_comes_with_its_receipt(authority: Running) -> None:
    """The proof of its own entry, when it is asked for."""
    issued = await authority.exchange("agent", ORDERS, receipt=True)
    event = json.loads(issued.receipt.canonical)
    assert (event["id"], event["jti"]) == (issued.audit_id, issued.jti)
    assert holds(issued.receipt)
    assert not (await authority.exchange("agent", ORDERS)).HasField("receipt")


async def test_a_repeated_request_gets_a_receipt_too(authority: Running) -> None:
    """Whether or not the first asked for one: the same mandate, the same entry."""
    first = await authority.exchange("agent", ORDERS, request_id="r1")
    await authority.exchange("agent", ORDERS)
    again = await authority.exchange("agent", ORDERS, request_id="r1", receipt=True)
    assert (again.jti, again.audit_id) == (first.jti, first.audit_id)
    assert holds(again.receipt)
    assert json.loads(again.receipt.canonical)["id"] == first.audit_id


async def test_a_mandate_is_not_lost_with_its_receipt(authority: Running) -> None:
    """AUDIT_UNAVAILABLE names its entry; the same request gets both, as soon as that can be."""

    async def fail(*_: Any) -> Any:
        raise unavailable("it cannot be read")

    with patch.object(SqlLedger, "inclusion", fail), refused(Reason.AUDIT_UNAVAILABLE) as refusal:
        await authority.exchange("agent", ORDERS, request_id="r1", receipt=True)
    issued = await authority.exchange("agent", ORDERS, request_id="r1", receipt=True)
    assert issued.audit_id == refusal.metadata["audit_id"]
    assert holds(issued.receipt)
    assert refusal.error.retry_after

"""Witnesses on the wire: who may cosign what, and what is shown of it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from caracal_grpc.authority.keys.signers import CheckpointSigner
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.ledger_key import LedgerKey, verify_ed25519
from caracal_grpc.ledger.notes.cosignature import cosign, open_cosigned, witness_key
from caracal_grpc.ledger.notes.note import VerifierKey, sign_head
from caracal_grpc.v1 import audit_service_pb2
from tests.services.test_audit_proofs import ask
from tests.support.authority import Running, Starter, reason_of
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, shop

FIRST, SECOND, STRANGER = (
    CheckpointSigner(f"{name}.example/witness", LedgerKey.generate())
    for name in ("first", "second", "stranger")
)


@pytest.fixture
async def watched(start_authority: Starter) -> Running:
    """A served authority with the shop, that was told of two witnesses."""
    keys = [str(witness_key(each)) for each in (FIRST, SECOND)]
    running = await start_authority(witnesses=keys)
    await running.apply(shop())
    return running


async def cosigned(
    authority: Running, *signers: CheckpointSigner, at: float | None = None, note: str = ""
) -> str:
    """The newest checkpoint of the shop, or `note`, with cosignatures of now, or `at`."""
    newest = (await ask(authority, "GetCheckpoint")).checkpoint
    note, moment = note or newest.note, int(time.time() if at is None else at)
    for signer in signers:
        key = VerifierKey.parse(newest.verifier_key)
        note = cosign(note, key, signer, moment, verify_ed25519)
    return note


async def add(authority: Running, note: str) -> Any:
    """Hands a cosigned note in."""
    return await ask(authority, "AddCosignature", note=note)


async def test_what_was_cosigned_is_shown(watched: Running) -> None:
    """With the newest checkpoint, which nobody may have cosigned yet."""
    assert not (await ask(watched, "GetCheckpoint")).HasField("cosigned")
    await add(watched, await cosigned(watched, FIRST))
    size = (await ask(watched, "GetCheckpoint")).checkpoint.size
    await watched.exchange("agent", ORDERS)
    shown = await ask(watched, "GetCheckpoint")
    assert (shown.cosigned.size, shown.checkpoint.size) == (size, size + 1)
    key = VerifierKey.parse(shown.cosigned.verifier_key)
    head, at = open_cosigned(shown.cosigned.note, key, witness_key(FIRST), verify_ed25519)
    assert (head.size, head.root) == (size, shown.cosigned.root_hash)
    assert abs(time.time() - at) < 60


async def test_all_who_cosigned_the_same_are_shown_together(watched: Running) -> None:
    """Whether they came in one note or one after the other; strangers are left out."""
    note = await cosigned(watched, FIRST)
    await add(watched, await cosigned(watched, STRANGER, note=note))
    await add(watched, await cosigned(watched, SECOND))
    shown = (await ask(watched, "GetCheckpoint")).cosigned
    key = VerifierKey.parse(shown.verifier_key)
    for signer in (FIRST, SECOND):
        open_cosigned(shown.note, key, witness_key(signer), verify_ed25519)
    assert STRANGER.name not in shown.note
    await watched.exchange("agent", ORDERS)
    await add(watched, await cosigned(watched, FIRST, SECOND))
    assert (await ask(watched, "GetCheckpoint")).cosigned.size == shown.size + 1


async def test_it_outlives_the_process(start_authority: Starter, watched: Running) -> None:
    """What is kept is in the ledger."""
    await add(watched, await cosigned(watched, FIRST))
    before = (await ask(watched, "GetCheckpoint")).cosigned
    await watched.server.stop()
    settings = watched.server.settings
    again = await start_authority(witnesses=settings.witnesses, etcd_prefix=settings.etcd_prefix)
    assert (await ask(again, "GetCheckpoint")).cosigned == before


async def test_only_a_checkpoint_of_this_ledger_by_a_known_witness_is_taken(
    watched: Running,
) -> None:
    """FIELD_INVALID naming what is wrong with the note."""
    newest = (await ask(watched, "GetCheckpoint")).checkpoint
    key, name = VerifierKey.parse(newest.verifier_key), newest.verifier_key.partition("+")[0]
    other = CheckpointSigner(name, LedgerKey.generate())
    foreign = cosign(
        sign_head(other, newest.size, newest.root_hash),
        VerifierKey(other.name, other.public),
        FIRST,
        int(time.time()),
        verify_ed25519,
    )
    good = await cosigned(watched, FIRST)
    mark = good.rindex(" ") + 30
    broken = good[:mark] + ("A" if good[mark] != "A" else "B") + good[mark + 1 :]
    own = cosign(newest.note, key, FIRST, int(time.time()), verify_ed25519)
    wrong = {
        "": "is not a note",
        "nonsense": "is not a note",
        newest.note: "no cosignature",
        await cosigned(watched, STRANGER): "no cosignature",
        foreign: "is not signed by the key",
        broken: "bad cosignature",
        own.replace(str(newest.size), str(newest.size + 1), 1): "bad signature",
        await cosigned(watched, FIRST, at=time.time() + 3_600): "in the future",
    }
    for note, problem in wrong.items():
        with refused(Reason.FIELD_INVALID) as refusal:
            await add(watched, note)
        assert refusal.fields == ["note"]
        assert problem in refusal.error.message, note
    assert not (await ask(watched, "GetCheckpoint")).HasField("cosigned")


async def test_another_tree_under_our_own_key_is_a_fork(watched: Running) -> None:
    """A checkpoint that this authority could have signed, and is not of its ledger."""
    authority = watched.server._authority
    assert authority is not None
    signer = authority.proving.proofs._signers("shop")
    size = (await ask(watched, "GetCheckpoint")).checkpoint.size
    for at, problem in ((size - 1, "a fork"), (size + 1, f"this ledger has {size}")):
        note = await cosigned(watched, FIRST, note=sign_head(signer, at, bytes(32)))
        with refused(Reason.FIELD_INVALID) as refusal:
            await add(watched, note)
        assert problem in refusal.error.message


async def test_a_witness_never_goes_back(watched: Running) -> None:
    """Neither to a smaller tree nor to an earlier time; the same again is no harm."""
    older = await cosigned(watched, FIRST)
    await watched.exchange("agent", ORDERS)
    now = time.time()
    newer = await cosigned(watched, FIRST, at=now)
    await add(watched, newer)
    await add(watched, newer)
    for note in (older, await cosigned(watched, FIRST, at=now - 1)):
        with refused(Reason.FIELD_INVALID) as refusal:
            await add(watched, note)
        assert "older than what is kept" in refusal.error.message
    await add(watched, await cosigned(watched, SECOND, at=now - 1))


async def test_cosigning_is_for_who_may(watched: Running) -> None:
    """`caracal:audit:cosign`, which reading does not give."""
    changed = shop()
    changed["policy"]["grants"] += [
        {"application": "orders", "resource": CARACAL, "scopes": ["caracal:audit:read"]},
        {"application": "agent", "resource": CARACAL, "scopes": ["caracal:audit:cosign"]},
    ]
    await watched.apply(changed)
    request = audit_service_pb2.AddCosignatureRequest(
        zone="shop", note=await cosigned(watched, FIRST)
    )
    call = watched.stubs.audit.AddCosignature
    orders = await watched.caller("orders")
    assert await reason_of(call(request, metadata=orders)) is Reason.SCOPE_INSUFFICIENT
    request.note = await cosigned(watched, FIRST)
    await call(request, metadata=await watched.caller("agent"))
    request.zone = "nowhere"
    operator = await watched.operator()
    assert await reason_of(call(request, metadata=operator)) is Reason.OBJECT_NOT_FOUND

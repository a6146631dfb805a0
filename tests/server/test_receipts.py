"""An application that asks for the receipts of its own decisions, on asyncio and on threads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import patch

import pytest
from google.protobuf.json_format import MessageToJson

from caracal_grpc.cli.audit.proof_file import evidence
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.interceptors import connect, connect_sync
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.ledger.checks.verify import verify_receipt
from caracal_grpc.ledger.port import unavailable
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.v1.audit_pb2 import Receipt
from tests.services.test_audit_proofs import ask
from tests.stories.callers import profile_of
from tests.support.authority import Running
from tests.support.mutual import claims
from tests.support.shop import ORDERS

SCOPES = ["orders:place"]
Exchanging = Callable[..., Awaitable[list[str]]]


async def on_asyncio(profile: Profile, times: int = 1, **more: Any) -> list[str]:
    """What as many exchanges of one edge give."""
    async with connect(profile) as edge:
        return [await edge.exchange(ORDERS, SCOPES, **more) for _ in range(times)]


async def on_threads(profile: Profile, times: int = 1, **more: Any) -> list[str]:
    """The same of a synchronous one."""

    def work() -> list[str]:
        with connect_sync(profile) as edge:
            return [edge.exchange(ORDERS, SCOPES, **more) for _ in range(times)]

    return await asyncio.to_thread(work)


both = pytest.mark.parametrize("exchanging", [on_asyncio, on_threads], ids=["aio", "sync"])


@both
async def test_mandate_comes_with_its_receipt(authority: Running, exchanging: Exchanging) -> None:
    """Told before the mandate is given; its JSON proves the very decision to who has the key."""
    key = (await ask(authority, "GetCheckpoint")).checkpoint.verifier_key
    receipts: list[Receipt] = []
    (token,) = await exchanging(profile_of(authority, "agent"), on_receipt=receipts.append)
    (receipt,) = receipts
    kept = evidence(json.loads(MessageToJson(receipt)))
    assert kept is not None
    assert verify_receipt(kept, verifier_key=key, verify=verify_ed25519).findings == ()
    event = json.loads(kept.canonical)
    said = claims(token)
    assert (event["id"], event["jti"]) == (said["audit_id"], said["jti"])


@both
async def test_each_receipt_is_of_a_decision_of_its_own(
    authority: Running, exchanging: Exchanging
) -> None:
    """What is held is not asked for again, and has none."""
    receipts: list[Receipt] = []
    agent = profile_of(authority, "agent")
    tokens = await exchanging(agent, times=3, on_receipt=receipts.append)
    told = [json.loads(receipt.canonical)["jti"] for receipt in receipts]
    assert told == [claims(token)["jti"] for token in tokens]
    assert len(set(told)) == 3
    assert len(set(await exchanging(agent, times=3))) == 1


@both
async def test_mandate_is_not_made_twice_for_a_receipt(
    authority: Running, exchanging: Exchanging
) -> None:
    """The first receipt cannot be made: the exchange is sent again, and is the same."""
    prove = SqlLedger.inclusion
    failed: list[str] = []

    async def fail_once(*arguments: Any) -> Any:
        if not failed:
            failed.append("once")
            raise unavailable("it cannot be read")
        return await prove(*arguments)

    receipts: list[Receipt] = []
    before = (await ask(authority, "GetCheckpoint")).checkpoint.size
    with patch.object(SqlLedger, "inclusion", fail_once):
        (token,) = await exchanging(profile_of(authority, "agent"), on_receipt=receipts.append)
    assert failed
    assert [json.loads(each.canonical)["jti"] for each in receipts] == [claims(token)["jti"]]
    assert (await ask(authority, "GetCheckpoint")).checkpoint.size == before + 1

"""The authority is killed without warning, and what it handed out is all in its ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc.aio

from caracal_grpc.core.reason import Reason
from tests.stories.support import child, client, require_verified
from tests.support.authority import Client, eventually, reason_of, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.shop import ORDERS, PAYMENTS, shop


async def traffic(caller: Client, received: dict[str, str]) -> None:
    """Exchanges without end; keeps what it received, until the authority is gone."""
    while True:
        try:
            answer = await caller.exchange("agent", ORDERS)
        except grpc.aio.AioRpcError:
            return
        received[answer.jti] = answer.audit_id


async def test_authority_killed_between_decision_and_answer(
    tmp_path: Path, etcd: EtcdProcess
) -> None:
    """No mandate exists without its entry, and the ledger verifies after each crash."""
    values = serve_values(tmp_path, etcd)
    received: dict[str, str] = {}
    known: Client | None = None
    async with child(values) as authority:
        for crash in range(2):
            # 1. The authority runs; on the first round the shop is declared.
            async with client(authority, known) as caller:
                if known is None:
                    await caller.apply(shop())
                # 2. Sixteen clients exchange as fast as they can.
                before = len(received)
                tasks = [asyncio.create_task(traffic(caller, received)) for _ in range(16)]

                async def enough(so_far: int = before) -> bool:
                    return len(received) >= so_far + 100

                await eventually(enough)
                # 3. It is killed in the middle of it.
                authority.kill()
                await asyncio.gather(*tasks)
                known = caller
            await authority.ended()
            # 4. It starts again on the same etcd and the same ledger.
            await authority.start()
            # 5. The ledger verifies, and has the entry of every mandate that anybody received.
            async with client(authority, known) as caller:
                entries = await require_verified(caller)
                granted = {
                    each.jti: each.id for each in entries if each.jti and each.type == "exchange"
                }
                missing = {jti for jti in received if granted.get(jti) != received[jti]}
                assert not missing, f"after crash {crash}: {len(missing)} without an entry"


async def test_restart_keeps_zone_keys_and_sessions(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Mandates of before are good after: same keys, same sessions, same credentials."""
    values = serve_values(tmp_path, etcd)
    async with child(values) as authority:
        # 1. A mandate is issued, and another one is revoked.
        async with client(authority) as known:
            await known.apply(shop())
            issued = await known.exchange("agent", ORDERS, "orders:place")
            dead = await known.exchange("agent", ORDERS, "orders:place")
            await known.revoke(dead.jti)
        # 2. The authority ends and starts again.
        authority.terminate()
        code, errors = await authority.ended()
        assert code == 0, errors
        await authority.start()
        async with client(authority, known) as caller:
            # 3. The old mandate is exchanged, and the dead one is dead.
            after = await caller.exchange("orders", PAYMENTS, subject_token=issued.mandate)
            assert after.mandate
            call = caller.exchange("orders", PAYMENTS, subject_token=dead.mandate)
            assert await reason_of(call) is Reason.SUBJECT_TOKEN_INVALID
            # 4. The declaration is as it was.
            assert not (await caller.apply(shop())).changes


async def test_wrong_key_encryption_key_refuses_to_start(tmp_path: Path, etcd: EtcdProcess) -> None:
    """A replica that cannot open the keys says so before it serves, naming the setting."""
    values = serve_values(tmp_path, etcd)
    # 1. An authority makes its zone and seals its keys.
    async with child(values) as authority:
        authority.terminate()
        await authority.ended()
        # 2. Another key-encryption key is put in place.
        (tmp_path / "kek").unlink()
        serve_values(tmp_path, etcd)
        # 3. It does not start.
        try:
            await authority.start()
        except AssertionError as refusal:
            assert "kek_file" in str(refusal)
            assert "key-encryption key" in str(refusal)
        else:
            raise AssertionError("it started with a key that opens nothing")

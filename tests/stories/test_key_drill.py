"""Keys are rotated, replaced and sealed anew under load: the good pass, the dead do not."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import MIN_KEY_ROTATE
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.settings.serve import ServeSettings
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.v1 import key_pb2, key_service_pb2, revocation_service_pb2
from tests.stories.key_load import Drill, drill
from tests.support.authority import eventually, reason_of
from tests.support.etcd import EtcdProcess

DEAD = {Reason.MANDATE_REVOKED, Reason.KEY_UNKNOWN}


async def age(of: Drill, seconds: float) -> None:
    """Lets the only key of the shop be so much older than it is."""
    store = EtcdStore(ServeSettings.load(of.children[0].values).etcd(), SystemClock())
    listed = await store.list("shop", places.KEYS)
    (record,) = listed.records

    def older(value: Any) -> dict[str, Any]:
        times = {name: value[name] - seconds for name in ("created_at", "activates_at")}
        return {**value, **times}

    await store.update(record.key, older)
    await store.close()


async def test_rotations_under_load(tmp_path: Path, etcd: EtcdProcess) -> None:
    """By schedule and by command, with a restart in between; then one key is compromised."""
    async with drill(tmp_path, etcd) as of:
        # 1. The schedule finds the key old, at two replicas at once, and adds one.
        (first,) = await of.keys()
        await of.signs(first.public.kid)
        await age(of, MIN_KEY_ROTATE * 24 * 31)

        async def is_rotated() -> bool:
            return len(await of.keys()) == 2

        await eventually(is_rotated)
        await of.signs((await of.keys())[0].public.kid)
        # 2. By command, at either replica, one after the other.
        kid = await of.rotate(0)
        await of.signs(kid)
        kid = await of.rotate(1)
        await of.restart(0)
        await of.signs(kid)
        # 3. Nothing that was good was refused, and nobody added a key unasked.
        assert of.refused() == []
        assert [len(await of.keys(replica)) for replica in (0, 1)] == [4, 4]
        # 4. The key that signs is compromised: another does, and once every guard has heard of it
        # none accepts what that one signed.
        caller, since = of.callers[1], len(of.told)
        metadata = await caller.operator()
        answer = await caller.stubs.keys.CompromiseKey(
            key_service_pb2.CompromiseKeyRequest(zone="shop", kid=kid, reason="a drill"),
            metadata=metadata,
        )
        wait = revocation_service_pb2.RevocationServiceWaitAppliedRequest(
            zone="shop", revision=answer.revision
        )
        async for applied in caller.stubs.revocations.WaitApplied(wait, metadata=metadata):
            done = applied.done
        assert done
        heard = of.asked
        await of.signs(answer.successor.public.kid)
        refused = of.refused(since)
        assert {each.kid for each in refused} - {answer.successor.public.kid} == {kid}
        assert {each.reason for each in refused} <= DEAD
        late = [each for each in of.told if each.asked > heard]
        assert kid not in {each.kid for each in late if each.reason is None}
        assert {each.kid for each in late if each.reason is not None} <= {kid}
        states = [(each.state, each.compromised) for each in await of.keys()]
        assert states.count((key_pb2.KEY_STATE_ACTIVE, False)) == 1
        assert sum(compromised for _, compromised in states) == 1


async def test_another_key_encryption_key_under_load(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Each replica gets the new one, all is sealed anew, the old file is removed: all opens."""
    async with drill(tmp_path, etcd) as of:
        old, new = tmp_path / "kek", tmp_path / "kek-2"
        write_secret_file(new, secrets.token_hex(32))
        before = {key.kek_id for key in await of.keys()}
        caller = of.callers[1]

        def reseal() -> Any:
            request = key_service_pb2.ResealKeysRequest()
            return caller.stubs.keys.ResealKeys(request, metadata=caller_metadata)

        # 1. One replica has the new key: it would lock out the other, so nothing is sealed anew.
        await of.restart(1, kek_file=new, kek_previous_file=[str(old)])
        caller_metadata = await caller.operator()
        assert await reason_of(reseal()) is Reason.KEY_STATE_CONFLICT
        # 2. The other has it as well, for what is sealed from now on is under either of them.
        await of.restart(0, kek_file=new, kek_previous_file=[str(old)])
        await of.rotate(0)

        async def is_sealed() -> bool:
            return await reason_of(reseal()) is None

        await eventually(is_sealed)
        # 3. The old one is needed no more.
        old.unlink()
        for replica in (0, 1):
            await of.restart(replica, kek_previous_file=None)
        for replica in (0, 1):
            after = {key.kek_id for key in await of.keys(replica)}
            assert len(after) == 1
            assert not after & before
        await of.signs(await of.rotate(1))
        assert of.refused() == []

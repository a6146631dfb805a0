"""One transaction, and what is right when its answer is lost.

A transaction whose answer is lost may have been carried out, may never be, or may be carried out
later. To repeat it blindly could do it twice, around the write of another. So after a lost answer:

1. Read back. Every value carries the mark of its write, so our own is told from an equal one; when
   others have written since, the history of the key is followed back to the revision expected.
   Found: done, at that revision.
2. Not found, and an expectation is on a key that the transaction itself changes (as in every
   create, update and delete): repeat it. It can be carried out once at most, now or late.
3. Not found, and nothing guards it: `STORE_UNAVAILABLE`. The caller knows whether to repeat it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from etcd3aio.kv import KVService

from caracal_grpc.store.etcd_call import Caller, retrying
from caracal_grpc.store.etcd_fault import EtcdFailure, Fault
from caracal_grpc.store.etcd_lease import Leases

_HISTORY: Final = 8


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes for a key, under a lease that exists or under one that lasts `ttl` seconds."""

    data: bytes
    ttl: int | None = None
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Txn:
    """What to write and remove if every key was last changed at the revision expected of it."""

    writes: Mapping[bytes, Write] = field(default_factory=dict)
    deletes: tuple[bytes, ...] = ()
    expects: Mapping[bytes, int] = field(default_factory=dict)

    @property
    def guarded(self) -> bool:
        """Whether it can be carried out at most once, however often it is sent."""
        if not self.writes and not self.deletes:
            return True
        gone = (self.expects.get(key, 0) for key in self.deletes)
        return any(key in self.expects for key in self.writes) or any(gone)


class Committer:
    """Carries out transactions, each at most once."""

    def __init__(self, caller: Caller, leases: Leases) -> None:
        self._caller = caller
        self._leases = leases

    async def commit(self, txn: Txn) -> int | None:
        """The revision at which `txn` holds, or `None` when an expectation failed.

        Raises `EtcdFailure` in bounded time.
        """
        return await self._caller.bounded("commit", self._commit, txn)

    async def _commit(self, txn: Txn) -> int | None:
        in_doubt = False
        async for attempt in retrying(Fault.LOST, Fault.LOGIN, Fault.LEASE_GONE):
            with attempt:
                if in_doubt:
                    found = await self._find(txn)
                    if found is not None:
                        return found
                    if not txn.guarded:
                        raise EtcdFailure(Fault.REFUSED, "repeat a commit that nothing guards")
                try:
                    answer = await self._send(txn)
                except EtcdFailure as failure:
                    in_doubt = in_doubt or failure.fault is Fault.LOST
                    raise
                if answer.succeeded:
                    return int(answer.header.revision)
                return await self._find(txn) if in_doubt else None
        raise AssertionError("tenacity ends by a result or an error")

    async def _send(self, txn: Txn) -> Any:
        leases = {ttl: await self._leases.id_for(ttl) for ttl in _ttls(txn)}
        compare = [_compare(key, revision) for key, revision in txn.expects.items()]
        ops = [_put(key, write, leases) for key, write in txn.writes.items()]
        ops += [KVService.txn_op_delete(key) for key in txn.deletes]
        try:
            return await self._caller.once(
                "commit", lambda member, timeout: member.kv.txn(compare, ops, timeout=timeout)
            )
        except EtcdFailure as failure:
            if failure.fault is Fault.LEASE_GONE:
                self._leases.forget(set(leases.values()))
            raise

    async def _find(self, txn: Txn) -> int | None:
        for key, write in txn.writes.items():
            return await self._find_write(key, write.data, txn.expects.get(key, 0))
        answers = [await self._read(key) for key in txn.deletes]
        if not answers or any(answer.kvs for answer in answers):
            return None
        return int(answers[-1].header.revision)

    async def _find_write(self, key: bytes, data: bytes, since: int) -> int | None:
        revision = 0
        for _ in range(_HISTORY):
            answer = await self._read(key, revision)
            if not answer.kvs or answer.kvs[0].mod_revision <= since:
                return None
            revision = int(answer.kvs[0].mod_revision)
            if answer.kvs[0].value == data:
                return revision
            revision -= 1
        return None

    async def _read(self, key: bytes, revision: int = 0) -> Any:
        return await self._caller.once(
            "read back",
            lambda member, timeout: member.kv.get(key, revision=revision, timeout=timeout),
        )


def _ttls(txn: Txn) -> set[int]:
    return {write.ttl for write in txn.writes.values() if write.ttl is not None}


def _put(key: bytes, write: Write, leases: Mapping[int, int]) -> Any:
    lease = write.lease if write.ttl is None else leases[write.ttl]
    return KVService.txn_op_put(key, write.data, lease=lease)


def _compare(key: bytes, revision: int) -> Any:
    compare = KVService.txn_compare_version(key, 0)
    if revision:
        compare.target = compare.MOD
        compare.mod_revision = revision
    return compare

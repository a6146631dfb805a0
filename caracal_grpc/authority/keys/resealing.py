"""Sealing everything anew under the present key-encryption key, while the authority runs.

Each value is written only if it is still what was opened, so whatever happens beside it wins and is
sealed anew in the next round. Again is no error, and takes up where it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from caracal_grpc.authority.keys.sealed import SEALED_KINDS, envelope_of
from caracal_grpc.authority.keys.vault import SPARES, Vault
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_operator
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Expect, Put, Record, Store

ROUNDS: Final = 16
"""How often what others changed meanwhile is looked at again."""
BATCH: Final = SPARES


@dataclass(frozen=True, slots=True)
class Resealed:
    """Everything is sealed under `kek_id` as of `revision`; `audit_id` is empty when it was."""

    kek_id: str
    resealed: int
    unchanged: int
    revision: int
    audit_id: str


class Resealing:
    """Seals anew. `live` are the replicas that run."""

    def __init__(
        self,
        store: Store,
        state: State,
        vault: Vault,
        recorder: Recorder,
        live: Callable[[], AbstractSet[str]],
    ) -> None:
        self._store = store
        self._state = state
        self._vault = vault
        self._recorder = recorder
        self._live = live
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    async def reseal(self, caller: Mandate, zone: str = "") -> Resealed:
        """Seals all that is sealed in `zone`, or in every zone, under the present key.

        Raises `KEY_STATE_CONFLICT` for a value that none of our key-encryption keys opens, and
        while a replica runs that does not have the present one; `ZONE_FORBIDDEN`,
        `OBJECT_NOT_FOUND`, `AUTHORITY_STALE`; and `CONFLICT`, `STORE_UNAVAILABLE` and
        `AUDIT_UNAVAILABLE`, after which part of it may hold.
        """
        require_operator(caller)
        self._state.require_fresh()
        if zone:
            self._state.zone(zone)
        self._require_known_to_all()
        return await self._unbroken.run(self._reseal(caller, zone))

    def _require_known_to_all(self) -> None:
        """A replica without the key would open nothing after its next start."""
        kek_id = self._vault.keks.current.kek_id
        for replica in sorted(self._live()):
            record = self._state.record(places.replica_place(replica))
            if record is not None and kek_id not in record.value.get("keks", ()):
                raise CaracalError(
                    Reason.KEY_STATE_CONFLICT,
                    "a replica does not have the key-encryption key that is to seal; restart each "
                    "with it, then seal anew",
                    metadata={"key": kek_id, "replica": replica},
                )

    async def _reseal(self, caller: Mandate, zone: str) -> Resealed:
        kek_id, done, audit_id = self._vault.keks.current.kek_id, 0, ""
        for _ in range(ROUNDS):
            stale, total, revision = await self._listed(zone, kek_id)
            if not stale:
                return Resealed(kek_id, done, total - done, revision, audit_id)
            for batch in _batches(stale):
                details = {"kek_id": kek_id, "count": len(batch)}
                where = zone or AUTHORITY_ZONE
                owed = self._recorder.owed(caller, where, "key.reseal", details=details)
                if await self._sealed(batch, owed):
                    done += len(batch)
                    audit_id = await self._recorder.pay(owed)
        text = "others keep changing what is sealed; try again"
        raise CaracalError(Reason.CONFLICT, text, retry_after=1.0)

    async def _listed(self, zone: str, kek_id: str) -> tuple[list[Record], int, int]:
        """What is sealed under another key; how many are sealed, and the revision of that."""
        found: list[Record] = []
        revision = 0
        for kind in sorted(SEALED_KINDS):
            listed = await self._store.list(zone or None, kind)
            found += [record for record in listed.records if envelope_of(record) is not None]
            revision = max(revision, listed.revision)
        stale = [each for each in found if (envelope_of(each) or {}).get("kek_id") != kek_id]
        return stale, len(found), revision

    async def _sealed(self, batch: Sequence[Record], owed: Owed) -> bool:
        """Whether all were sealed anew; none is when one of them has changed."""
        await self._vault.ready()
        puts = []
        for record in batch:
            private = await self._vault.opened_anew(record)
            sealed = self._vault.seal(record.key, private)
            puts.append(Put(record.key, {**record.value, "sealed": sealed}))
        try:
            expects = [Expect(each.key, each.revision) for each in batch]
            await self._store.commit([*puts, owed.put], expects)
        except CaracalError as error:
            if error.reason is not Reason.CONFLICT:
                raise
            return False
        return True


def _batches(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), BATCH):
        yield records[start : start + BATCH]

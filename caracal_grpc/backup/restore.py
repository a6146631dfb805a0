"""Bringing a backup back into an etcd that has lost it, so that nobody who was stopped lives again.

Every mandate from before is dead by a floor, every session but the standing ones is gone, what the
ledgers know of revocations since is done again, and each zone but the authority's own is frozen
until somebody has looked.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from caracal_grpc.authority.revocation.anchors import mark_of
from caracal_grpc.authority.state import places
from caracal_grpc.backup.fitting import (
    BackupSigners,
    newest_checkpoint,
    require_contained,
    zone_signer,
)
from caracal_grpc.backup.folder import Folder, Header
from caracal_grpc.backup.kinds import KEPT
from caracal_grpc.backup.since import Since, since
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import AUTHORITY_ZONE, LEEWAY, REVOCATION_TTL
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.store.formats import current
from caracal_grpc.store.port import (
    MAX_CHANGES,
    MAX_COMMIT_BYTES,
    Change,
    Delete,
    Expect,
    Key,
    Put,
    Store,
)

_ROOM: Final = MAX_CHANGES - 8
_BYTES: Final = MAX_COMMIT_BYTES - 65_536
_WHY: Final = "restored from a backup"
_ACTOR: Final = "authority"

Value = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back, and of each zone what its ledger knew of the time since.

    `frozen` are the names of the zones that grant nothing until somebody has looked.
    """

    header: Header
    records: int
    revision: int
    floor: int
    zones: Mapping[str, Since]
    frozen: tuple[str, ...]


@dataclass(slots=True)
class _Zone:
    """What comes back of one zone."""

    name: str
    records: dict[Key, Value] = field(default_factory=dict)
    since: Since = field(default_factory=Since)

    @property
    def itself(self) -> Value | None:
        """The zone's record; of one that was deleted only the key of its ledger is left."""
        return self.records.get(places.zone_place(self.name))


async def restore(
    store: Store,
    folder: Folder,
    keks: Keks,
    ledgers: Sequence[Ledger],
    clock: Clock,
    *,
    signers: BackupSigners | None = None,
    zone: str = "",
    frozen: bool = True,
) -> Restored:
    """Writes the zones of the backup in `folder`, or `zone` alone, into `store`, which has none.

    Broken off, it is taken up by the same call with the same backup; until it is through, no zone
    is there. `signers`, by which `ledgers` were opened, learn those of the zones: of a backup with
    checkpoints the first ledger must contain these, and is asked to prove it. With `frozen` every
    zone but the authority's own comes back frozen, else those that were. Raises `FIELD_INVALID` for
    a backup or a ledger that does not fit, `OBJECT_NOT_FOUND` for a zone that is not in it,
    `KEY_STATE_CONFLICT` for private keys that `keks` do not open, `OBJECT_EXISTS` when there is
    something in its place, `AUDIT_UNAVAILABLE`, `STORE_UNAVAILABLE`.
    """
    header = folder.header()
    await asyncio.to_thread(folder.require_ours, header, keks)
    zone = zone or header.zone
    zones = _read(folder, zone, header.record_version)
    signers = signers or BackupSigners()
    notes = {} if header.has_file else folder.checkpoints()
    for name, found in zones.items():
        signer = await asyncio.to_thread(zone_signer, name, found.records, keks)
        signers.add(name, signer)
        for ledger in ledgers:
            await newest_checkpoint(ledger, name, signer)
        if name in notes:
            await require_contained(ledgers[0], name, signer, notes[name])
    mark = Key(zone or AUTHORITY_ZONE, places.RESTORES, places.ACTIVE)
    marked = await _room(store, mark, header, zone)
    for name, found in zones.items():
        found.since = await since(ledgers, name, header.taken_at)
        _redo(found, clock.now())
    if not zone:
        _remove_again(zones)
    floor = math.ceil(clock.now()) + LEEWAY
    marked = await _write(store, _inner(zones), mark, header, marked)
    shut = tuple(each.name for each in zones.values() if _comes_back_frozen(each, frozen))
    revision = await _finish(store, _outer(zones, floor, shut), mark, marked)
    count = sum(len(found.records) for found in zones.values())
    said = {name: found.since for name, found in zones.items()}
    return Restored(header, count, revision, floor, said, shut)


def _read(folder: Folder, zone: str, version: int) -> dict[str, _Zone]:
    zones: dict[str, _Zone] = {}
    for key, value in folder.records():
        if zone in ("", key.zone) and key.kind in KEPT:
            found = zones.setdefault(key.zone, _Zone(key.zone))
            found.records[key] = current(key.kind, value, version)
    if not zones:
        raise CaracalError(Reason.OBJECT_NOT_FOUND, f"there is no zone {zone} in this backup")
    return zones


async def _room(store: Store, mark: Key, header: Header, zone: str) -> int:
    """The revision of the mark of the same restore, broken off before, or 0 where nothing is.

    The mark goes with the last zone, so beside that one it says that somebody else has made it.
    """
    present = {record.key: record for record in (await store.list(zone or None)).records}
    if any(key.kind == places.REPLICAS for key in present):
        raise field_invalid("etcd", "an authority runs on it; stop every replica, wait a minute")
    begun = present.get(mark)
    same = begun is not None and begun.value["backup"] == header.state_digest
    if begun and same and places.zone_place(mark.zone) not in present:
        return begun.revision
    if present:
        what = f"zone {zone}" if zone else "something under this prefix"
        text = f"{what} is there already; restore into a prefix that has none"
        raise CaracalError(Reason.OBJECT_EXISTS, text)
    return 0


def _comes_back_frozen(found: _Zone, asked: bool) -> bool:
    """Whether that is asked for, or it was frozen before or since; the authority's own never is."""
    if found.itself is None or found.name == AUTHORITY_ZONE:
        return False
    return asked or found.since.frozen or found.itself["frozen"] is True


def _remove_again(zones: Mapping[str, _Zone]) -> None:
    """Takes away the zones that were removed after the backup was taken, but for the keys of their
    ledgers. Who asks for one zone alone wants that one back.
    """
    for name in zones[AUTHORITY_ZONE].since.zones & zones.keys():
        found = zones[name]
        issuer = found.itself["issuer"] if found.itself else ""
        found.records = {
            key: {**value, "issuer": issuer}
            for key, value in found.records.items()
            if key.kind == places.LEDGER_KEYS and issuer
        } or found.records


def _redo(found: _Zone, now: float) -> None:
    """Stops again whom somebody stopped after the backup was taken."""
    for gone in found.since.distrusted:
        found.records.pop(gone, None)
    _without_orphans(found.records)
    for session, by in found.since.suspended.items():
        held = places.session_place(found.name, session)
        present = found.records.get(held)
        if present is not None and present["suspended_at"] is None:
            found.records[held] = {**present, "suspended_at": int(now), "suspended_by": by}
    for anchor in found.since.anchors:
        mark = mark_of(anchor)
        place = mark.place(found.name, anchor) if mark else None
        value = found.records.get(place) if place else None
        if mark and place and mark.can_end(value, anchor):
            before = value or {}
            found.records[place] = {**before, **mark.ended(before, now)}
    for key, value in found.records.items():
        if key.kind == places.APPLICATIONS:
            found.records[key] = _application(value, found.since)


def _without_orphans(records: dict[Key, Value]) -> None:
    """Takes secrets of upstreams away that are not there any more."""
    names = {key.id for key in records if key.kind == places.UPSTREAMS}
    for key in [key for key in records if key.kind == places.UPSTREAM_SECRETS]:
        if key.id.partition(".")[0] not in names:
            del records[key]


def _application(value: Value, since: Since) -> Value:
    """The application without the secrets that were deleted, and without what it authenticates by
    besides, if that was changed; ended, when it was removed.
    """
    if value["name"] in since.removed | since.unproven:
        value = {**value, "identities": [], "jwks": ""}
    if value["name"] in since.removed:
        return {**value, "disabled": True, "credentials": []}
    kept = [each for each in value["credentials"] if each["id"] not in since.credentials]
    return {**value, "credentials": kept}


def _inner(zones: Mapping[str, _Zone]) -> Iterator[Put]:
    """All but the zones themselves, without which nothing here is of use."""
    for found in zones.values():
        for key, value in found.records.items():
            if key.kind != places.ZONES:
                yield Put(key, value, ttl=KEPT[key.kind].ttl)


def _outer(zones: Mapping[str, _Zone], floor: int, frozen: Sequence[str]) -> Iterator[Put]:
    for name, found in zones.items():
        died = {"issued_before": floor, "revoked_at": floor, "reason": _WHY, "actor": _ACTOR}
        yield Put(places.floor_place(name), died, ttl=REVOCATION_TTL)
        if found.itself:
            yield Put(places.zone_place(name), {**found.itself, "frozen": name in frozen})


async def _write(store: Store, puts: Iterable[Put], mark: Key, header: Header, marked: int) -> int:
    """Commits batch after batch under the mark; the mark's revision."""
    for batch in _batches(puts):
        writes = [*batch, Put(mark, {"backup": header.state_digest})]
        marked = await store.commit(writes, [Expect(mark, marked)])
    return marked


async def _finish(store: Store, puts: Iterable[Put], mark: Key, marked: int) -> int:
    """The zones themselves, the authority's own last, and with it the end of the mark."""
    ordered = sorted(puts, key=lambda put: put.key.zone == AUTHORITY_ZONE)
    batches: list[list[Change]] = [list(batch) for batch in _batches(ordered)]
    for batch in batches[:-1]:
        await store.commit(batch, [Expect(mark, marked)])
    return await store.commit([*batches[-1], Delete(mark)], [Expect(mark, marked)])


def _batches(puts: Iterable[Put]) -> Iterator[list[Put]]:
    batch: list[Put] = []
    size = 0
    for put in puts:
        more = 256 + len(json.dumps(dict(put.value), ensure_ascii=False).encode())
        if batch and (len(batch) >= _ROOM or size + more > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(put)
        size += more
    if batch:
        yield batch

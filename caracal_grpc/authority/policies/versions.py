"""Versions of policies in the store: made once, never changed, each named by its digest.

The head of a version, which every replica mirrors, is written first, incomplete; then its parts,
each only while the head is still the same writer's; then the head again, complete. So an upload
that breaks off leaves nothing that counts, and whoever comes next takes it over or removes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from caracal_grpc.authority.policies.content import Content, version_of
from caracal_grpc.authority.policies.parts import Part, joined, parts_of
from caracal_grpc.authority.policies.version import Version, order
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import MAX_POLICY_VERSIONS
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Delete, Expect, Put, Record, Store

_ABANDONED: Final = 600
"""Seconds after which an upload that is not complete is nobody's any more."""
_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True)
class Made:
    """A version, the revision at which it holds, and whether it is new."""

    version: Version
    revision: int
    new: bool


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A version all of whose parts are there. `put` completes it, in a commit that must `expect`
    it to be as it is; `None` for one that is complete.
    """

    version: Version
    expect: Expect
    put: Put | None = None


class Versions:
    """Keeps versions; who may do what to them is for others to decide."""

    def __init__(self, store: Store, state: State, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._clock = clock

    def all(self, zone: str) -> list[Version]:
        """Every version of the zone, the newest first."""
        heads = self._state.records(zone, places.POLICY_VERSIONS).values()
        read = (Version.from_value(each.value) for each in heads)
        return sorted((each for each in read if each.complete), key=order)

    def find(self, zone: str, version: str) -> Version | None:
        """The version, or `None`."""
        record = self._state.record(places.policy_version_place(zone, version))
        found = Version.from_value(record.value) if record else None
        return found if found and found.complete else None

    def get(self, zone: str, version: str) -> Version:
        """The version; raises `OBJECT_NOT_FOUND`."""
        found = self.find(zone, version)
        if found is None:
            raise not_found("policy version", version)
        return found

    def held(self, zone: str, version: str) -> Expect:
        """That the version is still there, for a commit that relies on it.

        Raises `OBJECT_NOT_FOUND` when it is not.
        """
        place = places.policy_version_place(zone, self.get(zone, version).id)
        return Expect(place, self._state.revision_of(place))

    async def load(self, zone: str, version: str) -> Content:
        """The content; raises `OBJECT_NOT_FOUND`, `STORE_UNAVAILABLE`, and `POLICY_FAILED` for one
        that is not what was made.
        """
        head = self.get(zone, version)
        reads = [
            self._store.get(places.policy_part_place(zone, version, number))
            for number in range(head.parts)
        ]
        found = await asyncio.gather(*reads)
        place = places.policy_version_place(zone, version)
        if None in found and await self._store.get(place) is None:
            raise not_found("policy version", version)  # it was removed meanwhile
        try:
            content = joined(record.value for record in found if record)
            digests = await asyncio.to_thread(content.digests)
        except (LookupError, TypeError, ValueError) as exc:
            raise _damaged(version) from exc
        if digests != head.digests or version_of(digests) != version:
            raise _damaged(version)
        return content

    async def make(
        self,
        zone: str,
        version: str,
        content: Content,
        description: str,
        by: str,
        also: Callable[[Version], Iterable[Put]] = lambda _: (),
    ) -> Made:
        """The version of `content`, whose digest is `version`; one that is there stays as it is.

        The commit that completes it writes what goes `also` with it.

        Raises `LIMIT_EXCEEDED`, `CONFLICT` when others make it at the same time all the while,
        `STORE_UNAVAILABLE`, and `FIELD_INVALID` for another content of the same digest.
        """
        for attempt in range(_ATTEMPTS):
            try:
                found = await self.upload(zone, version, content, description, by)
                if found.put is None:
                    return Made(found.version, found.expect.revision, new=False)
                revision = await self._store.commit(
                    [found.put, *also(found.version)], [found.expect]
                )
            except CaracalError as error:
                if error.reason is not Reason.CONFLICT or attempt + 1 == _ATTEMPTS:
                    raise
            else:
                await self._state.reached(revision)
                return Made(found.version, revision, new=True)
        raise AssertionError("the last attempt returns or raises")

    async def upload(
        self, zone: str, version: str, content: Content, description: str, by: str
    ) -> Uploaded:
        """Writes the parts of the version of `content`, unless it is complete, for whose commit it
        is to complete it; raises as `make`, with `CONFLICT` for a rival that comes between.
        """
        parts, digests = await asyncio.to_thread(lambda: (parts_of(content), content.digests()))
        head = Version(
            id=version,
            created_at=self._clock.now(),
            created_by=by,
            description=description,
            grants=len(content.grants),
            modules=tuple(content.modules),
            digests=digests,
            parts=len(parts),
        )
        record = await self._store.get(places.policy_version_place(zone, version))
        if record is not None and record.value["complete"]:
            return await self._known(record, digests)
        expect = await self._upload(zone, head, parts, record)
        complete = replace(head, complete=True)
        return Uploaded(complete, expect, Put(expect.key, complete.to_value()))

    def require_room(self, zone: str, version: str) -> None:
        """Raises `LIMIT_EXCEEDED` when there are too many beside `version`."""
        others = sum(each.id != version for each in self.all(zone))
        if others >= MAX_POLICY_VERSIONS:
            raise CaracalError(
                Reason.LIMIT_EXCEEDED,
                f"there are {MAX_POLICY_VERSIONS} versions already; delete one that is not used",
                metadata={"limit": str(MAX_POLICY_VERSIONS)},
            )

    async def delete(self, zone: str, version: str, *expects: Expect, also: Put) -> int:
        """The revision at which the version is gone, and `also` is written; raises `CONFLICT`,
        `STORE_UNAVAILABLE`.
        """
        removal = _removal(zone, self.get(zone, version))
        return await self._store.commit([*removal, also], [self.held(zone, version), *expects])

    async def sweep(self, zone: str) -> None:
        """Removes what uploads left that broke off long ago."""
        before = self._clock.now() - _ABANDONED
        for record in tuple(self._state.records(zone, places.POLICY_VERSIONS).values()):
            head = Version.from_value(record.value)
            if not head.complete and head.created_at < before:
                await self._remove(zone, head, Expect(record.key, record.revision))

    async def _known(self, record: Record, digests: dict[str, str]) -> Uploaded:
        found = Version.from_value(record.value)
        if not found.decides_as(digests):
            text = "has the digest of another policy; change anything in it, such as a comment"
            raise field_invalid("policy", text)
        await self._state.reached(record.revision)
        return Uploaded(found, Expect(record.key, record.revision))

    async def _upload(
        self, zone: str, head: Version, parts: Sequence[Part], begun: Record | None
    ) -> Expect:
        """Takes over what is begun, if anything, and writes all but its completion, which is to
        expect what this answers; raises `CONFLICT` to a rival.
        """
        place = places.policy_version_place(zone, head.id)
        changes: list[Put | Delete] = [Put(place, head.to_value())]
        if begun is not None:
            changes += _parts(zone, Version.from_value(begun.value))
        revision = await self._store.commit(
            changes, [Expect(place, begun.revision if begun else 0)]
        )
        for number, part in enumerate(parts):
            put = Put(places.policy_part_place(zone, head.id, number), part)
            await self._store.commit([put], [Expect(place, revision)])
        return Expect(place, revision)

    async def _remove(self, zone: str, head: Version, expect: Expect) -> None:
        try:
            await self._store.commit(_removal(zone, head), [expect])
        except CaracalError as error:
            if error.reason is not Reason.CONFLICT:  # somebody has taken it over
                raise


def _damaged(version: str) -> CaracalError:
    text = f"version {version} is damaged in the store; make it again under another"
    return CaracalError(Reason.POLICY_FAILED, text)


def _parts(zone: str, head: Version) -> list[Delete]:
    return [Delete(places.policy_part_place(zone, head.id, n)) for n in range(head.parts)]


def _removal(zone: str, head: Version) -> list[Delete]:
    return [Delete(places.policy_version_place(zone, head.id)), *_parts(zone, head)]

"""Which policy decides in a zone, as the store says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.policy.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Active:
    """The policy that decides in a zone: `key` names it, and `load` reads what it is made of.

    Two that have the same key are the same. `load` raises what keeps it from being read.
    """

    key: str
    load: Callable[[], Awaitable[Bundle]] = field(compare=False, repr=False)


Source = Callable[[str], Active | None]
"""What decides in a zone as things are now, without waiting; `None` for nothing."""


def of_version(versions: Versions, zone: str, version: str) -> Active:
    """A version of the zone's policy, read from the store when it is asked for."""

    async def load() -> Bundle:
        content = await versions.load(zone, version)
        return await asyncio.to_thread(content.bundle, version)

    return Active(version, load)


def chosen(state: State, versions: Versions) -> Source:
    """The version that the store says is active."""

    def active(zone: str) -> Active | None:
        record = state.record(places.policy_place(zone))
        version = record.value["active"] if record else ""
        return of_version(versions, zone, version) if version else None

    return active
